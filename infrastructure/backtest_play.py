"""Policies played over parts of a history, here, by processes or on a cluster: sums that come to the same any way."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..application.backtest_history import HistoryPlayer, PastWorld
from ..application.backtest_outcome import as_it_ran
from ..application.backtest_runs import PastRun, scored
from ..application.backtest_tally import Calibration, Tally
from ..application.world import money_of
from ..domain.errors import StoreUnavailable
from ..domain.events import ContentRef, Money
from ..domain.request import Request
from .backtest_history import Part, past_runs
from .bootstrap import Orchestrator
from .rescoring import CATEGORY as JUDGING
from .settings import Settings


class History(Protocol):
    """Past runs, by parts that other processes read; it can be sent to them."""

    def runs(self, part: Any, since: int | None, until: int | None) -> Iterator[PastRun]:
        """Whole runs of a part that began in [since, until), microseconds."""


@dataclass(frozen=True, slots=True)
class LogHistory:
    """Runs of a log; None: not only some of them."""

    url: str
    only: Collection[str] | None = None

    def runs(self, part: Part, since: int | None, until: int | None) -> Iterator[PastRun]:
        """Whole runs of the streams of a part."""
        found = past_runs(self.url, part=part, since=since, until=until)
        return found if self.only is None else (run for run in found if run.id in (self.only or ()))


@dataclass(frozen=True, slots=True)
class PolicyWorlds:
    """One policy in every catalogue that runs used."""

    worlds: dict[str, PastWorld | None]  # None: its data set is gone
    assumed: PastWorld


@dataclass(slots=True)
class Sums:
    """Of the runs of one kind of money: each policy's, what really happened, and the labels."""

    tallies: list[Tally]
    ran: Tally
    calibration: Calibration

    def merge(self, other: Sums) -> None:
        """Both."""
        for mine, its in zip(self.tallies, other.tallies, strict=True):
            mine.merge(its)
        self.ran.merge(other.ran)
        self.calibration.merge(other.calibration)


Found = dict[Money, Sums]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is played over which runs; every process gets it, and opens what it needs."""

    history: History
    texts: str | None  # the database that has the prompts; None: they cannot be read again
    config: Path | None  # the settings file, for the keys of encrypted texts
    policies: Sequence[PolicyWorlds]
    since: int | None  # microseconds
    until: int | None


class Prompts:
    """Requests of the log, read again one by one; nothing is opened before the first."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._runner: asyncio.Runner | None = None
        self._orchestrator: Orchestrator | None = None

    def __call__(self, reference: ContentRef) -> Request | None:
        """The request; None where it is gone."""
        if self._question.texts is None:
            return None
        if self._runner is None or self._orchestrator is None:
            self._runner = asyncio.Runner()
            settings = Settings.load(self._question.config, database_url=self._question.texts)
            self._orchestrator = Orchestrator(settings)
        return self._runner.run(self._orchestrator.log.request(reference))

    def close(self) -> None:
        """Close what was opened."""
        if self._runner is not None and self._orchestrator is not None:
            self._runner.run(self._orchestrator.aclose())
            self._runner.close()


def play_part(question: Question, part: Any) -> Found:
    """The sums over a part of the history."""
    with closing(Prompts(question)) as prompts:
        return _played(question, part, _players(question, prompts))


def merge(total: Found, found: Found) -> None:
    """Bring a part's sums in."""
    for money, sums in found.items():
        if money in total:
            total[money].merge(sums)
        else:
            total[money] = sums


def play_here(question: Question, parts: Sequence[Any], processes: int) -> Found:
    """Every part, by so many processes; one alone needs none. Raises StoreUnavailable where one of them is killed."""
    if len(parts) == 1 or processes < 2:
        return _in_turn(question, parts)
    total: Found = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(parts)), context, _open_in_worker, (question,)) as pool:
        try:
            for future in as_completed([pool.submit(_play_in_worker, part) for part in parts]):
                merge(total, future.result())
        except BrokenProcessPool:
            raise StoreUnavailable(
                "a process of the backtest was killed, for want of memory perhaps: nothing is reported; try again"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return total


def _in_turn(question: Question, parts: Sequence[Any]) -> Found:
    total: Found = {}
    with closing(Prompts(question)) as prompts:
        players = _players(question, prompts)
        for part in parts:
            merge(total, _played(question, part, players))
    return total


def _players(question: Question, prompts: Prompts) -> list[HistoryPlayer]:
    return [HistoryPlayer(one.worlds, one.assumed, prompts) for one in question.policies]


def _played(question: Question, part: Any, players: Sequence[HistoryPlayer]) -> Found:
    found: Found = {}
    for run in question.history.runs(part, question.since, question.until):
        if run.start.category == JUDGING:
            continue
        money = money_of(run.start.provider)
        if money not in found:
            found[money] = Sums([Tally() for _ in players], Tally(), Calibration())
        _add(found[money], run, players)
    return found


def _add(sums: Sums, run: PastRun, players: Sequence[HistoryPlayer]) -> None:
    played = [player.play(run) for player in players]
    for number, tally in enumerate(sums.tallies):
        tally.add(run.id, played[number], played[1 - number] if len(played) > 1 else None)
    sums.ran.add(run.id, as_it_ran(run))
    if run.final is not None and run.labels and run.final in run.attempts:
        score, label = scored(run.attempts[run.final]), run.label(run.final)
        if score is not None and label is not None:
            sums.calibration.add(run.id, score, label)


_worker: tuple[Question, list[HistoryPlayer]] | None = None  # of a process: what it has decided serves its next part


def _open_in_worker(question: Question) -> None:
    global _worker
    _worker = question, _players(question, Prompts(question))


def _play_in_worker(part: Any) -> Found:
    assert _worker is not None
    question, players = _worker
    return _played(question, part, players)
