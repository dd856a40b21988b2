"""A backtest over the log: every part of it in a process of its own, put together as one report a kind of money."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from ..application.backtest_history import PastWorld
from ..application.backtest_report import Backtest, PolicyResult, calibrated_on, policy_result
from ..domain.catalogue import Catalogue
from ..domain.events import Money
from .backtest import Asked
from .backtest_history import parts
from .backtest_play import Found, LogHistory, PolicyWorlds, Question, Sums, play_here
from .bootstrap import Orchestrator
from .catalogues import load_catalogue
from .policies import PolicyInForce, policy_in_force, policy_over_past
from .settings import Settings
from .stored_catalogues import stored_catalogues

AS_IT_RAN = "as it ran"


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
    policies = policy_worlds(settings, asyncio.run(_catalogues(orchestrator)), asked)
    url = settings.database_url
    history = LogHistory(url, only)
    question = Question(history=history, texts=url, config=settings.file, policies=policies, since=since, until=until)
    shares = parts(url)
    return reports(play_here(question, shares, len(shares)), policies, asked)


async def _catalogues(orchestrator: Orchestrator) -> dict[str, Catalogue]:
    try:
        return await stored_catalogues(orchestrator.store)
    finally:
        await orchestrator.aclose()


def policy_worlds(
    settings: Settings, catalogues: Mapping[str, Catalogue], asked: Sequence[Asked]
) -> list[PolicyWorlds]:
    """Each policy in every catalogue that runs used, by its hash. Raises InvalidRequest, ConfigurationError."""
    return [_worlds(settings, catalogues, one) for one in asked]


def reports(found: Found, policies: Sequence[PolicyWorlds], asked: Sequence[Asked]) -> list[Backtest]:
    """One a kind of money, real first."""
    return [_report(money, found[money], policies, asked) for money in Money if money in found]


def _worlds(settings: Settings, catalogues: Mapping[str, Catalogue], asked: Asked) -> PolicyWorlds:
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
