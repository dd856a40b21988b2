"""Catching up: who comes second throws its work away, and what is far behind is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.read_models import stored
from model_orchestrator.infrastructure.read_models.catch_up import CatchUp
from model_orchestrator.infrastructure.read_models.lean_codec import LogRow
from model_orchestrator.infrastructure.read_models.registry import Registry
from model_orchestrator.infrastructure.read_models.state import SqliteState
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels

from ..contracts.read_models import fill
from ..read_models import Event, ListedLog, completed, of_category, rows_of, tables_of
from ..scenario import HAIKU, MINI, answered, asked, costed, escalated

EVENTS: list[Event] = [
    ("run-1", of_category("chat")),
    ("run-1", asked(MINI)),
    ("run-1", answered()),
    ("run-1", costed()),
    ("run-1", escalated(MINI, HAIKU)),
    ("run-1", asked(HAIKU, 2)),
    ("run-1", completed()),
]


class OvertakenLog(ListedLog):
    """While its first range is being read, another process brings the tables up to the head."""

    overtaken = False

    def rows(self, after: int, upto: int, types: Sequence[str]) -> list[LogRow]:
        if not self.overtaken:
            self.overtaken = True
            CatchUp(ListedLog(self.listed), self.state).live()
        return super().rows(after, upto, types)

    state: SqliteState


def test_work_that_another_did_first_is_thrown_away() -> None:
    """The checkpoint does not go back, and nothing is counted twice or taken for a poison."""
    log, state, alone = OvertakenLog(rows_of(EVENTS)), SqliteState(None), SqliteState(None)
    log.state = state
    CatchUp(ListedLog(log.listed), state, upto=3).live()
    CatchUp(log, state, step=1).live()
    CatchUp(ListedLog(log.listed), alone).live()
    assert tables_of(state) == tables_of(alone)
    with state.reading() as tables:
        entries = Registry(tables, "").entries()
    assert [(entry.checkpoint, entry.stopped_at) for entry in entries] == [(7, None), (7, None)]


def test_a_step_reads_no_event_twice() -> None:
    """Catching up costs what is new, not what is there."""
    read: list[tuple[int, int]] = []

    class ReadLog(ListedLog):
        def rows(self, after: int, upto: int, types: Sequence[str]) -> list[LogRow]:
            read.append((after, upto))
            return super().rows(after, upto, types)

    state = SqliteState(None)
    for upto in (4, 7, 7):
        CatchUp(ReadLog(rows_of(EVENTS)), state, upto=upto).live()
    assert read == [(0, 4), (4, 7)]


def test_who_has_to_wait_for_much_folding_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    fill(url)
    monkeypatch.setattr(stored, "FAR_BEHIND", 10)
    told: list[str] = []
    models = StoredReadModels(url)
    models.tell = told.append
    assert len(list(models.runs())) == 4
    assert [text.split(" events")[0] for text in told] == ["read models are 26"]
    assert len(list(models.runs())) == 4
    assert len(told) == 1
