"""The list of runs, page by page: every run once, in order, whatever the sort; runs of one microsecond too."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.infrastructure.http.dashboard import runs
from model_orchestrator.infrastructure.http.dashboard.runs import Question
from model_orchestrator.infrastructure.http.dashboard.spans import Span
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.projections.run_report import RunRow
from tests.generated_log import TrueLog, write_log

from .visitor import visiting


def paged(url: str, sort: str) -> list[RunRow]:
    """All pages, one behind the other."""
    question: Question | None = Question(span=Span.of("all", 0), sort=sort, after=None, conditions=())
    found: list[RunRow] = []
    while question is not None:
        rows, place = question.rows(StoredReadModels(url))
        found += rows
        question = None if place is None else replace(question, after=place)
    return found


@pytest.mark.parametrize("size", [1, 7, 50])
def test_every_run_is_on_one_page(filled: str, truth: TrueLog, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(runs, "A_PAGE", size)
    newest, oldest = paged(filled, "newest"), paged(filled, "oldest")
    assert sorted(one.run for one in newest) == sorted(one.run for one in truth.runs)
    assert newest == oldest[::-1]
    assert [one.started_at for one in newest] == sorted((one.started_at for one in newest), reverse=True)


def test_runs_of_one_microsecond_are_all_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no time at all they all begin at once; a page ends in the midst of them."""
    monkeypatch.setattr(runs, "A_PAGE", 2)
    monkeypatch.setattr("tests.generated_log._in_order", _at_once)
    url = f"sqlite:///{tmp_path / 'log.db'}"
    write_log(url, runs=7, budgets=False)
    for sort in ("newest", "oldest"):
        found = paged(url, sort)
        assert len({one.started_at for one in found}) == 1
        assert len(found) == len({one.run for one in found}) == 7


def _at_once(maker: Any, count: int, days: int, end: datetime) -> Iterator[Any]:
    """The first commit of each run, all at one moment."""
    at = round(end.timestamp()) * 1_000_000
    return (next(iter(maker.run_commits(at))) for _ in range(count))


def test_the_dearest_runs_come_first(filled: str, truth: TrueLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "A_PAGE", 9)
    found = paged(filled, "cost")
    called = {one.run for one in truth.attempts}
    known = {one.run: one.cost for one in truth.runs if one.cost is not None and one.run in called}
    assert sorted(one.run for one in found) == sorted(known)
    assert [one.cost for one in found] == sorted((one.cost for one in found if one.cost is not None), reverse=True)


def test_words_and_conditions_find_runs(filled: str, truth: TrueLog) -> None:
    async def ask() -> tuple[set[str], set[str]]:
        async with visiting(filled) as visitor:
            found = await visitor.get("/dashboard/runs?q=GraphQL")
            both = await visitor.get("/dashboard/runs?where=category+=+chat&where=confidence+>+0.5&status=completed")
            return tuple(  # type: ignore[return-value]
                {one.rpartition("/")[2] for one in page.links("/dashboard/runs/run-")} for page in (found, both)
            )

    words, conditions = asyncio.run(ask())
    assert 0 < len(words) < len(truth.runs)
    expected = {one.run for one in truth.runs if one.category == "chat" and (one.confidence or 0) > 500_000}
    assert conditions == expected
