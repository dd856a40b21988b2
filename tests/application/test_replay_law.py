"""Laws of every recorded run, whatever went wrong on its way: it replays, and its money adds up.

Runs are made by the loop itself, with answers, refusals, failures, lost calls, judges, waits, cancellations, crashes
before and after a commit, takeovers beside a living worker, budgets and limits, all drawn by one seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from model_orchestrator.application.balance_audit import balance_problems
from model_orchestrator.application.limits import Grant, Limits
from model_orchestrator.application.ports import (
    Answer,
    Append,
    AppendResult,
    BudgetLimit,
    Expected,
    ModelCall,
    StreamAppend,
)
from model_orchestrator.application.recorded_texts import Texts, texts_of
from model_orchestrator.application.recorded_world import Basis
from model_orchestrator.application.replay import Replayed, replay
from model_orchestrator.application.runs import load_run
from model_orchestrator.application.world import Caller
from model_orchestrator.domain.actions import (
    Action,
    AssessPrompt,
    CallModel,
    Complete,
    DecideRoute,
    Escalate,
    Fail,
    ScoreAnswer,
    Synthesize,
)
from model_orchestrator.domain.budget import total
from model_orchestrator.domain.errors import ErrorKind, ModelRefused, ModelUnavailable, OutcomeUnknown
from model_orchestrator.domain.events import (
    AnsweredFromCache,
    AttemptStarted,
    BudgetRemoved,
    ConfidenceScored,
    Escalated,
    Method,
    OnUnknown,
    PromptAssessed,
    RoutingDecided,
    RunCompleted,
    RunEvent,
    RunFailed,
    StopReason,
    StrategySettings,
    Synthesized,
)
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.pricing import Usage
from model_orchestrator.domain.run import AttemptStatus, Run, evolve
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.units import Timestamp, Usd, picodollars, probability

from .world import RUN, CountingStore, Stage, answer

MODELS = ("gpt-4o-mini", "claude-haiku-3.5", "gpt-4o", "claude-sonnet-3.5")
TEXTS = (
    "The answer is 4.",
    "The answer is 5.",
    "I'm not sure, I don't know, but it might possibly be 4?",
    "Numbers can be added in many ways, and sums are what comes of it.",
    '{"reason": "It is right.", "score": 92}',
    '{"reason": "It is wrong.", "score": 3}',
    '{"reason": "Both.", "ranking": ["B", "A"]}',
    "",
)


BUDGETS = ("global", "model:gpt-4o", "category:orchestration", "key:web")


def who_asks(seed: int) -> Caller:
    """Nobody in particular, or a key for some models."""
    draw = random.Random(f"who asks {seed}")
    if draw.random() < 0.6:
        return Caller()
    return Caller(owner="web", models=tuple(draw.sample(MODELS, draw.randrange(1, 4))) if draw.random() < 0.7 else None)


class Crash(BaseException):
    """The process is gone."""


class Dice:
    """Everything that is drawn, by one seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.chance_of_failure = self.draw.choice((0.0, 0.2, 0.5))

    async def reply(self, call: ModelCall) -> Answer:
        """An answer, a refusal or a failure, after some turns of the loop."""
        for _ in range(self.draw.randrange(4)):
            await asyncio.sleep(0)
        if self.draw.random() < self.chance_of_failure:
            raise self.draw.choice(
                (
                    ModelUnavailable(ErrorKind.OVERLOADED, status=529),
                    ModelRefused(ErrorKind.BAD_REQUEST, status=400),
                    OutcomeUnknown(ErrorKind.CUT),
                    OutcomeUnknown(ErrorKind.SERVER, status=500),
                )
            )
        reason = FinishReason.REFUSAL if self.draw.random() < 0.1 else FinishReason.STOP
        used = Usage(
            input_uncached=self.draw.randrange(1, 5), output=self.draw.randrange(1, call.max_output_tokens + 1)
        )
        usage = None if self.draw.random() < 0.3 else used
        return answer(self.draw.choice(TEXTS), finish_reason=reason, usage=usage, raw_usage=None)

    def settings(self) -> StrategySettings:
        """Of any strategy; what another strategy does not know, it leaves alone."""
        some = self.draw.random
        return StrategySettings(
            chain=tuple(self.draw.sample(MODELS, self.draw.randrange(1, 4))) if some() < 0.7 else (),
            members=tuple(self.draw.sample(MODELS, self.draw.randrange(2, 4))) if some() < 0.7 else (),
            verify_agreement=some() < 0.4,
            method=self.draw.choice((None, *[one for one in Method if one is not Method.SINGLE])),
            full_panel=some() < 0.3,
            max_attempts=self.draw.randrange(1, 4),
            on_unknown=self.draw.choice(list(OnUnknown)),
            judge="gpt-4o" if some() < 0.4 else None,
            threshold=probability(self.draw.choice((0.0, 0.7, 0.97, 1.0))),
        )

    def amount(self) -> Usd | None:
        """USD, near what plans of these models cost; None for no limit."""
        return None if self.draw.random() < 0.4 else Usd(f"0.{self.draw.randrange(1, 60_000):06d}")


class Turnstile:
    """Makes some calls wait, and counts the places that were neither used nor given back."""

    def __init__(self, dice: Dice) -> None:
        self._draw = dice.draw
        self.reserved = 0
        self.given_back = 0

    async def reserve(self, model: str, limits: Limits, *, tokens: int) -> Grant:
        await asyncio.sleep(0)
        self.reserved += 1
        wait = 0.0 if self._draw.random() < 0.6 else 0.0001
        return Grant(model=model, limits=limits, tokens=0, wait=wait, granted_at=Timestamp(0), receipt=None)

    async def correct(self, grant: Grant, *, used_tokens: int) -> None:
        await asyncio.sleep(0)

    async def cancel(self, grant: Grant) -> None:
        await asyncio.sleep(0)
        self.given_back += 1

    async def expected_wait(self, model: str, limits: Limits, *, tokens: int) -> float:
        return 0.0

    async def admit(self, model: str, limits: Limits) -> float:
        return 0.0

    async def aclose(self) -> None:
        pass


class Roulette(CountingStore):
    """At one append the process dies before or after it, another takes the run over, or the caller gives up."""

    def __init__(self, dice: Dice) -> None:
        super().__init__()
        self.act: Any = None
        self.at = dice.draw.randrange(1, 10)
        self.kind = dice.draw.choice(("before", "after", "beside", "cancel", "nothing"))
        self._number = 0

    async def append(self, append: Append) -> AppendResult:
        if append.streams and append.streams[0].stream != RUN:
            return await super().append(append)
        self._number += 1
        if self._number != self.at or self.kind in ("nothing", "dead"):
            return await super().append(append)
        if self.kind == "before":
            raise Crash
        if self.kind in ("beside", "cancel"):
            await self.act()
        result = await super().append(append)
        if self.kind == "after":
            raise Crash
        return result


def make(seed: int) -> tuple[Stage, Dice]:
    """A run as the seed has it, brought to its end."""
    dice = Dice(seed)
    stage = Stage(dice.reply)
    stage.store = store = Roulette(dice)
    stage.log.store = store
    if dice.draw.random() < 0.4:
        stage.limiter = Turnstile(dice)
    stage.caller = who_asks(seed)
    limit = dice.amount()
    if limit is not None:
        stage.budgets = tuple((scope, "day") for scope in BUDGETS)
    command: dict[str, Any] = {
        "strategy": dice.draw.choice(("cheapest", "fallback", "fallback", "ensemble", "ensemble", "auto")),
        "settings": dice.settings(),
        "max_cost": dice.amount(),
        "timeout": 60.0 if dice.draw.random() < 0.2 else None,
    }
    stage.clock.step = dice.draw.choice((0, 0, 100_000, 2_000_000))

    async def resume(epoch: int) -> None:
        loop = stage.loop("What is 2+2?", **command)
        loop._tenure.epoch = epoch
        await loop.resume()

    async def work() -> None:
        if limit is not None:
            for scope in BUDGETS:
                change = BudgetLimit(scope=scope, period="day", limit=picodollars(limit))
                events = stage.log.new_events(f"budget-{scope}-day", [BudgetRemoved(scope=scope, period="day")])
                appended = StreamAppend(f"budget-{scope}-day", Expected.ANY, events)
                await store.append(Append(streams=(appended,), balances=(change,)))
        earlier = None
        if dice.draw.random() < 0.05:
            earlier = AnsweredFromCache(
                run="run-0", attempt=1, answer=None, confidence=probability(0.9), model=MODELS[0], saved=Usd("0.001")
            )
        task = asyncio.create_task(stage.loop("What is 2+2?", **command).run(earlier))

        async def beside() -> None:
            if store.kind == "cancel":
                task.cancel()
            elif await stage.store.read_stream(RUN):
                await resume(2)

        store.act = beside
        epoch = 2
        while True:
            try:
                await task
            except asyncio.CancelledError:
                return
            except Crash:
                for other in asyncio.all_tasks() - {asyncio.current_task()}:
                    other.cancel()
                store.kind = "dead"  # what a dead process records does not count
                frozen = await store.read_stream(RUN)
                if not frozen:
                    return
            else:
                return
            task = asyncio.create_task(resume(epoch))  # type: ignore[arg-type]
            epoch += 1

    asyncio.run(work())
    return stage, dice


def is_due(event: RunEvent, actions: Sequence[Action], run: Run) -> bool:
    """Whether the decision follows from the run before it; what only happened needs no reason."""
    match event:
        case PromptAssessed():
            return AssessPrompt() in actions
        case RoutingDecided():
            return DecideRoute() in actions
        case AttemptStarted(call=index, model=model):
            calls = [one for one in actions if isinstance(one, CallModel) and one.index == index]
            return any(one.call.model == model and one.call.max_cost == event.max_cost for one in calls)
        case Escalated():
            return any(
                (one.from_call.model, one.to_call.model, one.reason) == (event.from_model, event.to_model, event.reason)
                and (one.confidence, one.threshold) == (event.confidence, event.threshold)
                for one in actions
                if isinstance(one, Escalate)
            )
        case ConfidenceScored(attempt=number):
            is_judged = event.scorer.startswith("judge:")
            due_now = [one for one in actions if isinstance(one, ScoreAnswer) and one.attempt == number]
            return any(one.by is not None or not is_judged for one in due_now)
        case Synthesized(members=members):
            numbers = {one.attempt for one in members}
            return any(isinstance(one, Synthesize) and set(one.attempts) == numbers for one in actions)
        case RunCompleted(attempt=number, stop_reason=reason):
            return Complete(number, reason) in actions
        case RunFailed(kind=kind, needed=needed):
            return Fail(kind, needed) in actions
        case _:
            return True


def unexplained(events: Sequence[RunEvent]) -> list[RunEvent]:
    """The decisions that do not follow from what was recorded before them; those of a run out of time may not."""
    run, found = Run(RUN), []
    for event in events:
        if run.ended is None and not is_due(event, due(run), run):
            found.append(event)
        run = evolve(run, event)
    if run.deadline is not None:
        return [one for one in found if not isinstance(one, ConfidenceScored | RunFailed) and not _is_late(one)]
    return found


def _is_late(event: RunEvent) -> bool:
    return isinstance(event, RunCompleted) and event.stop_reason is StopReason.DEADLINE


async def kept_texts(stage: Stage) -> Texts:
    (texts,) = await texts_of(stage.log, [(await load_run(stage.log, RUN)).run])
    return texts


def decided_again(stage: Stage, texts: Texts) -> Replayed:
    logged = asyncio.run(stage.log.read(RUN))
    return replay(RUN, logged, Basis(catalogue=SEED, policy=SEED_POLICY), texts, stage.log.encode)


def check(seed: int) -> None:
    stage, _ = make(seed)
    events = stage.events()
    if isinstance(stage.limiter, Turnstile) and getattr(stage.store, "kind", "") != "dead":
        assert stage.limiter.reserved == stage.limiter.given_back + len(stage.client.calls)
    if not events:
        return
    assert unexplained(events) == []
    for texts in (asyncio.run(kept_texts(stage)), Texts()):
        assert decided_again(stage, texts).differences == []
    run = Run(RUN)
    for event in events:
        run = evolve(run, event)
    assert run.ended
    assert due(run) == ()
    assert not any(one.status is AttemptStatus.OPEN for one in run.attempts)
    claims = [one.started.max_cost for one in run.attempts if one.status in (AttemptStatus.OPEN, AttemptStatus.LOST)]
    known = [one.spent for one in run.attempts if one.spent is not None]
    if run.started and run.started.max_cost is not None:
        assert total([*claims, *known]) <= run.started.max_cost
    problems = asyncio.run(balance_problems(stage.store, stage.log))
    assert not [one for one in problems if one.startswith("balance ")]  # the limits were set without events
    for row in asyncio.run(stage.store.balances()):
        mine = [one for one in run.attempts if row.scope in (*BUDGETS[2:], "global", f"model:{one.model}")]
        held = total(one.started.max_cost for one in mine if one.spent is None)
        if run.held:
            assert row.held == picodollars(held)
            assert row.settled == picodollars(total(one.spent for one in mine))
        assert row.limit is not None
        assert row.held + row.settled <= row.limit


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0, max_value=2**31))
def test_every_run_replays_and_its_money_adds_up(seed: int) -> None:
    """Its decisions follow from what was recorded before each of them; it has ended; limits and budgets were kept."""
    check(seed)
