"""A backtest over the log: every part of it in a process of its own, put together as one report a kind of money."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..application.backtest_history import HistoryPlayer, PastWorld
from ..application.backtest_outcome import as_it_ran
from ..application.backtest_report import Backtest, PolicyResult, calibrated_on, policy_result
from ..application.backtest_runs import PastRun, scored
from ..application.backtest_tally import Calibration, Tally
from ..application.world import money_of
from ..domain.catalogue import Catalogue
from ..domain.events import ContentRef, Money
from ..domain.request import Request
from .backtest import Asked
from .backtest_history import Part, parts, past_runs
from .bootstrap import Orchestrator
from .catalogues import load_catalogue
from .policies import PolicyInForce, policy_in_force, policy_over_past
from .rescoring import CATEGORY as JUDGING
from .settings import Settings
from .stored_catalogues import stored_catalogues

AS_IT_RAN = "as it ran"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is played over which runs; every process gets it, and opens what it needs."""

    url: str
    config: Path | None  # the settings file, for the keys of encrypted texts
    policies: Sequence[PolicyWorlds]
    since: int | None  # microseconds
    until: int | None
    only: Collection[str] | None  # run ids


class Prompts:
    """Requests of the log, read again one by one; nothing is opened before the first."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._runner: asyncio.Runner | None = None
        self._orchestrator: Orchestrator | None = None

    def __call__(self, reference: ContentRef) -> Request | None:
        """The request; None where it is gone."""
        if self._runner is None or self._orchestrator is None:
            self._runner = asyncio.Runner()
            settings = Settings.load(self._question.config, database_url=self._question.url)
            self._orchestrator = Orchestrator(settings)
        return self._runner.run(self._orchestrator.log.request(reference))

    def close(self) -> None:
        """Close what was opened."""
        if self._runner is not None and self._orchestrator is not None:
            self._runner.run(self._orchestrator.aclose())
            self._runner.close()


def backtest_log(
    orchestrator: Orchestrator,
    asked: Sequence[Asked],
    *,
    since: int | None = None,
    until: int | None = None,
    only: Collection[str] | None = None,
) -> list[Backtest]:
    """Each policy over the runs that began in [since, until), microseconds, and are among `only`; by kind of money."""
    settings = orchestrator.settings
    catalogues = asyncio.run(_catalogues(orchestrator))
    policies = [_worlds(settings, catalogues, one) for one in asked]
    question = Question(
        url=settings.database_url, config=settings.file, policies=policies, since=since, until=until, only=only
    )
    found = _in_processes(question)
    return [_report(money, found[money], policies, asked) for money in Money if money in found]


async def _catalogues(orchestrator: Orchestrator) -> dict[str, Catalogue]:
    try:
        return await stored_catalogues(orchestrator.store)
    finally:
        await orchestrator.aclose()


def play_part(question: Question, part: Part) -> dict[Money, Sums]:
    """The sums over a part of the log."""
    found: dict[Money, Sums] = {}
    with closing(Prompts(question)) as prompts:
        players = [HistoryPlayer(one.worlds, one.assumed, prompts) for one in question.policies]
        for run in past_runs(question.url, part=part, since=question.since, until=question.until):
            if run.start.category == JUDGING or (question.only is not None and run.id not in question.only):
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


def _in_processes(question: Question) -> dict[Money, Sums]:
    shares = parts(question.url)
    if len(shares) == 1:
        return play_part(question, shares[0])
    total: dict[Money, Sums] = {}
    with ProcessPoolExecutor(len(shares), multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(play_part, question, share) for share in shares]
        for future in futures:
            for money, sums in future.result().items():
                if money in total:
                    total[money].merge(sums)
                else:
                    total[money] = sums
    return total


def _worlds(settings: Settings, catalogues: dict[str, Catalogue], asked: Asked) -> PolicyWorlds:
    catalogue = load_catalogue(settings, settings.provider or "live")
    assumed = _world(catalogue, policy_in_force(settings, catalogue, asked.name), asked)
    known: dict[str, PastWorld | None] = {}
    for digest, used in catalogues.items():
        found = policy_over_past(settings, used, asked.name)
        known[digest] = None if found is None else _world(used, found, asked)
    return PolicyWorlds(known, assumed)


def _world(catalogue: Catalogue, found: PolicyInForce, asked: Asked) -> PastWorld:
    router = found.router.model if found.router else None
    return PastWorld(catalogue=catalogue, policy=found.policy, router=router, strategy=asked.strategy)


def _report(money: Money, sums: Sums, policies: Sequence[PolicyWorlds], asked: Sequence[Asked]) -> Backtest:
    calibration = sums.calibration
    results = [
        policy_result(str(want), one.assumed.policy.version, want.strategy, tally, calibration)
        for want, one, tally in zip(asked, policies, sums.tallies, strict=True)
    ]
    ran: PolicyResult = policy_result(AS_IT_RAN, "", None, sums.ran, calibration)
    return Backtest(of=money.value, is_log=True, policies=[*results, ran], calibrated=calibrated_on(calibration))
