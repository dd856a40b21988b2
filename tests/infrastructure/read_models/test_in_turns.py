"""Processes that take turns build what one would build, and can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from model_orchestrator.domain.errors import StoreUnavailable
from model_orchestrator.infrastructure.read_models import catch_up
from model_orchestrator.infrastructure.read_models.catch_up import CatchUp
from model_orchestrator.infrastructure.read_models.log_source import open_log
from model_orchestrator.infrastructure.read_models.registry import Registry
from model_orchestrator.infrastructure.read_models.state import SqliteState
from tests.contracts.read_models import add, add_raw, fill, fill_more
from tests.read_models import completed, of_category, tables_of
from tests.scenario import MINI, asked, costed


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log that is long enough for processes."""
    monkeypatch.setattr(catch_up, "FAR_BEHIND", 10)
    url = f"sqlite:///{tmp_path / 'log.db'}"
    fill(url)
    for _ in range(3):
        fill_more(url)
    return url


def in_turns(url: str, state: SqliteState) -> CatchUp:
    return CatchUp(open_log(url), state, url, processes=2, step=3)


def add_poison(url: str) -> None:
    add_raw(url, "run-1", "CostIncurred", "{}")
    fill_more(url)


def add_what_no_column_holds(url: str) -> None:
    add(url, "run-9", of_category("chat"), asked(MINI), costed(1, "99999999"), completed())
    fill_more(url)


@pytest.mark.parametrize("then", [lambda url: None, add_poison, add_what_no_column_holds])
def test_they_come_to_the_same_rows_and_the_same_stop(url: str, tmp_path: Path, then: Callable[[str], None]) -> None:
    then(url)
    by_processes, here = SqliteState(tmp_path / "due.db"), SqliteState(None)
    in_turns(url, by_processes).live()
    CatchUp(open_log(url), here, step=3).live()
    assert tables_of(by_processes) == tables_of(here)
    with by_processes.reading() as tables, here.reading() as others:
        assert Registry(tables, "").entries() == Registry(others, "").entries()


@pytest.mark.parametrize("after", [1, 2])
def test_when_one_of_them_is_killed_it_is_said_and_the_next_goes_on(url: str, tmp_path: Path, after: int) -> None:
    """Whichever it is: the one whose turn it is, or the one that folds ahead."""
    state, steps = SqliteState(tmp_path / "due.db"), []

    def kill_one(done: int, total: int) -> None:
        steps.append(done)
        if len(steps) == after:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    with pytest.raises(StoreUnavailable, match="start again"):
        in_turns(url, state).rebuild(progress=kill_one)
    assert not multiprocessing.active_children()
    with state.reading() as tables:
        reached = [entry.checkpoint for entry in Registry(tables, "").entries()]
    assert min(reached) >= steps[-1] > 0
    in_turns(url, state).rebuild()
    here = SqliteState(None)
    CatchUp(open_log(url), here).live()
    assert tables_of(state) == tables_of(here)
