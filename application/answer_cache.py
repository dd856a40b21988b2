"""Answers given again: what was asked and answered before, word for word, is answered from the log and costs nothing.

What makes two requests the same: provider, strategy with its settings, the models of the plan, messages and parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..domain.catalogue import ModelName
from ..domain.events import AnsweredFromCache, ModelCalled, RunCompleted, StopReason
from ..domain.run import Run
from ..domain.units import Duration, Timestamp
from .ports import CacheEntry, Clock, EventStore, LoggedEvent, RunLog
from .runs import load_run
from .world import Caching, StartRun

PASSING = (StopReason.BUDGET, StopReason.DEADLINE, StopReason.SINGLE, StopReason.REFUSAL)  # may end better next time


async def caching_of(log: RunLog, command: StartRun, provider: str, models: tuple[ModelName, ...]) -> Caching | None:
    """How the answer of these models is found again; None where it is not to be given twice.

    An answer is kept only where texts are, and where chance was not asked for.
    """
    if command.cache_ttl is None or not command.keep_content or command.request.parameters.temperature or not models:
        return None
    facts = ("answer", provider, command.strategy, *command.choices, *models)
    return Caching(fingerprint=await log.fingerprint(command.request, *facts), ttl=command.cache_ttl)


async def earlier_answer(store: EventStore, log: RunLog, command: StartRun, now: Timestamp) -> AnsweredFromCache | None:
    """The answer that may be given again, where there is one that is young enough and was not erased."""
    assert command.caching is not None, "who looks into the cache has a fingerprint"
    entry = await store.cached(command.owner, command.caching.fingerprint, now=now)
    if entry is None:
        return None
    logged = await load_run(log, entry.run)
    run, ended = logged.run, logged.run.ended
    if not isinstance(ended, RunCompleted) or ended.answer is None or _age(logged.events, now) > command.caching.ttl:
        return None
    if await log.text(ended.answer) is None:
        return None
    return AnsweredFromCache(
        run=run.id,
        attempt=entry.attempt,
        answer=ended.answer,
        confidence=ended.confidence,
        model=run.attempt(entry.attempt).model,
        saved=run.cost,
    )


def cache_entry(command: StartRun, run: Run, clock: Clock) -> CacheEntry | None:
    """What a completed run adds to the cache; None where its answer is not to be given again."""
    ended = run.ended
    if command.caching is None or not isinstance(ended, RunCompleted) or ended.attempt is None or ended.answer is None:
        return None
    shaped = run.routing is not None and run.routing.headroom
    if shaped or ended.stop_reason in PASSING or not isinstance(run.attempt(ended.attempt).outcome, ModelCalled):
        return None
    return CacheEntry(
        owner=command.owner,
        fingerprint=command.caching.fingerprint,
        run=run.id,
        attempt=ended.attempt,
        expires_at=Timestamp(clock.now() + command.caching.ttl),
    )


def _age(events: Sequence[LoggedEvent], now: Timestamp) -> Duration:
    """Since the answer was recorded."""
    answered = next(one for one in events if isinstance(one.event, RunCompleted))
    return Duration(now - answered.envelope.recorded_at)
