"""Backtests put together: the policies by name, and the runs of the log or the prompts of a data set."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..application.backtest_dataset import (
    DatasetPlayer,
    dataset_catalogue,
    dataset_policy,
    model_sums,
    oracle,
    single,
)
from ..application.backtest_history import HistoryPlayer, PastWorld, as_it_ran
from ..application.backtest_report import (
    Backtest,
    PolicyResult,
    Reference,
    calibrated_on,
    policy_result,
    references,
)
from ..application.backtest_runs import PastRun, scored
from ..application.backtest_tally import Calibration, Tally
from ..application.run_options import settings_of
from ..application.world import money_of
from ..domain.catalogue import Catalogue
from ..domain.errors import InvalidRequest
from ..domain.events import ContentRef, Money
from ..domain.request import Request
from ..domain.scorers import is_learned
from ..domain.strategies import STRATEGIES
from .backtest_history import ALL, Part, parts, past_runs
from .bootstrap import Orchestrator
from .catalogues import load_catalogue
from .datasets import name_of, open_dataset
from .policies import PolicyInForce, policy_in_force
from .settings import Settings
from .stored_catalogues import stored_catalogues
from .weights_store import scorer_weights

AS_IT_RAN = "as it ran"
Text = Callable[[ContentRef], Request | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A policy as a user names it: NAME, or NAME:STRATEGY."""

    name: str
    strategy: str | None

    @classmethod
    def of(cls, text: str) -> Asked:
        """Raises InvalidRequest for a strategy that does not exist."""
        name, colon, strategy = text.rpartition(":")
        if not colon:
            return cls(text, None)
        if strategy not in STRATEGIES or not name:
            raise InvalidRequest(
                f"policy {text!r}: expected NAME, or NAME:STRATEGY with one of {', '.join(STRATEGIES)}"
            )
        return cls(name, strategy)

    def __str__(self) -> str:
        name = Path(self.name).stem if self.name.endswith(".toml") else self.name
        return name if self.strategy is None else f"{name}:{self.strategy}"


# ---- a data set ----


def backtest_dataset(settings: Settings, dataset: str, asked: Sequence[Asked]) -> Backtest:
    """Each policy over every prompt that is not contaminated. Raises InvalidRequest."""
    sums = model_sums(open_dataset(dataset, settings.database_url))
    if not sums:
        raise InvalidRequest(f"the data set {dataset!r} has no row that can be evaluated")
    catalogue, base = dataset_catalogue("recorded", sums), dataset_policy(sums)
    found = [policy_in_force(settings, catalogue, one.name, base=base) for one in asked]
    players = [_player(catalogue, one, want) for one, want in zip(found, asked, strict=True)]
    tallies, alone, best = [Tally() for _ in asked], references(sums), Reference("oracle")
    for example in open_dataset(dataset, settings.database_url):
        if example.contaminated:
            continue
        played = [player.play(example) for player in players]
        for number, tally in enumerate(tallies):
            tally.add(example.id, played[number], played[1 - number] if len(played) > 1 else None)
        best.add(oracle(example))
        for name, one in alone.items():
            one.add(single(example, name))
    none = Calibration()
    results = [
        policy_result(str(want), one.policy.version, want.strategy or "auto", tally, none)
        for want, one, tally in zip(asked, found, tallies, strict=True)
    ]
    of = name_of(Path(dataset)) if "." in dataset else dataset
    return Backtest(of=of, is_log=False, policies=results, models=list(alone.values()), oracle=best)


def _player(catalogue: Catalogue, found: PolicyInForce, asked: Asked) -> DatasetPlayer:
    scorer = found.scorer
    if scorer is None and is_learned(found.policy.scorer):
        scorer = scorer_weights(None)
    return DatasetPlayer(
        catalogue,
        found.policy,
        strategy=asked.strategy or "auto",
        settings=settings_of({}, found.policy),
        router=found.router.model if found.router else None,
        scorer=scorer.model if scorer else None,
    )


# ---- the log ----


@dataclass(frozen=True, slots=True)
class PolicyWorlds:
    """One policy in every catalogue that runs used."""

    worlds: dict[str, PastWorld]
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
    with closing(asyncio.Runner()) as runner:
        catalogues = runner.run(stored_catalogues(orchestrator.store))
        policies = [_worlds(settings, catalogues, one) for one in asked]
        needs_text = any(world.router is not None for one in policies for world in (*one.worlds.values(), one.assumed))
        if needs_text or not settings.database_url.startswith("sqlite:"):
            text: Text = lambda reference: runner.run(orchestrator.log.request(reference))  # noqa: E731
            found = play_part(settings.database_url, ALL, policies, since, until, only, text)
        else:
            found = _in_processes(settings.database_url, policies, since, until, only)
    return [_report(money, found[money], policies, asked) for money in Money if money in found]


def play_part(
    url: str,
    part: Part,
    policies: Sequence[PolicyWorlds],
    since: int | None,
    until: int | None,
    only: Collection[str] | None,
    text: Text = lambda reference: None,
) -> dict[Money, Sums]:
    """The sums over a part of the log."""
    players = [HistoryPlayer(one.worlds, one.assumed, text) for one in policies]
    found: dict[Money, Sums] = {}
    for run in past_runs(url, part=part, since=since, until=until):
        if only is not None and run.id not in only:
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


def _in_processes(
    url: str,
    policies: Sequence[PolicyWorlds],
    since: int | None,
    until: int | None,
    only: Collection[str] | None,
) -> dict[Money, Sums]:
    shares = parts(url)
    if len(shares) == 1:
        return play_part(url, shares[0], policies, since, until, only)
    total: dict[Money, Sums] = {}
    with ProcessPoolExecutor(len(shares), multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(play_part, url, share, policies, since, until, only) for share in shares]
        for future in futures:
            for money, sums in future.result().items():
                if money in total:
                    total[money].merge(sums)
                else:
                    total[money] = sums
    return total


def _worlds(settings: Settings, catalogues: dict[str, Catalogue], asked: Asked) -> PolicyWorlds:
    known = {digest: _world(settings, catalogue, asked) for digest, catalogue in catalogues.items()}
    provider = settings.provider or "live"
    return PolicyWorlds(known, _world(settings, load_catalogue(settings, provider), asked))


def _world(settings: Settings, catalogue: Catalogue, asked: Asked) -> PastWorld:
    found = policy_in_force(settings, catalogue, asked.name)
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
