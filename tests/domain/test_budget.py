"""Money held is never less than what may still be billed, and what a run spent never leaves what it held."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given as forall
from hypothesis import strategies as st

from model_orchestrator.domain.actions import CallModel, Complete, Escalate, Fail, ScoreAnswer, Synthesize
from model_orchestrator.domain.budget import left_of_limit, plan_hold, reserve, settled, total
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    AttemptStarted,
    CostIncurred,
    Escalated,
    Hold,
    RoutingDecided,
    RunCancelled,
    RunCompleted,
    RunEvent,
    RunFailed,
)
from model_orchestrator.domain.pricing import Usage
from model_orchestrator.domain.run import AttemptStatus, Run, evolve, fold
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.strategies.progress import settings_of
from model_orchestrator.domain.units import Usd, probability

from ..scenario import (
    HAIKU,
    MINI,
    REF,
    answered,
    asked,
    assessed,
    costed,
    failed,
    lost,
    planned,
    routed,
    scored,
    started,
    synthesized,
)

SONNET = "claude-sonnet-3.5"
SCOPES = ("global", f"model:{HAIKU}")


def worst(models: tuple[str, ...], prices: list[int]) -> RoutingDecided:
    """A plan whose calls cost at most these millionths of a dollar, with a hold on every scope."""
    decision = routed(*models, threshold=0.7)
    plan = tuple(
        replace(planned(model), max_cost=Usd(Decimal(price).scaleb(-6)))
        for model, price in zip(models, prices, strict=True)
    )
    return replace(decision, plan=plan)


class Wallet:
    """A budget beside a run: what its events hold and settle on each scope."""

    def __init__(self) -> None:
        self.held = dict.fromkeys(SCOPES, Decimal(0))
        self.spent = dict.fromkeys(SCOPES, Decimal(0))

    def apply(self, event: RunEvent) -> None:
        holds: tuple[Hold, ...] = event.holds if isinstance(event, RoutingDecided) else getattr(event, "hold", ())
        for hold in holds:
            self.held[hold.scope] += hold.amount
        for one in getattr(event, "settles", ()) + getattr(event, "released", ()):
            self.held[one.scope] -= one.held
            self.spent[one.scope] += one.spent


class World:
    """Plays a run to its end with outcomes drawn by hypothesis, watching the money at every event."""

    def __init__(self, run: Run, data: st.DataObject) -> None:
        self.run = run
        self.data = data
        self.wallet = Wallet()
        self.most = Decimal(0)

    def record(self, event: RunEvent) -> None:
        event = settled(self.run, event)
        self.run = evolve(self.run, event)
        self.wallet.apply(event)
        for scope in SCOPES:
            held = self.wallet.held[scope]
            assert held >= 0
            assert held >= reserve(self.run, scope), (scope, event)
        self.most = max(self.most, self.wallet.held["global"] + self.wallet.spent["global"])

    def play(self) -> None:
        for _ in range(60):
            if not (actions := due(self.run)):
                return
            for action in actions:
                if self.run.ended is None:  # the loop starts nothing after the end
                    self.perform(action)
        raise AssertionError("a run must end")

    def perform(self, action: object) -> None:
        match action:
            case CallModel():
                self.call(action)
            case ScoreAnswer(attempt=number):
                self.record(scored(self.data.draw(st.sampled_from([0.2, 0.9])), number))
            case Escalate(from_call=a, to_call=b, reason=reason):
                self.record(
                    Escalated(from_model=a.model, to_model=b.model, reason=reason, confidence=None, threshold=None)
                )
            case Synthesize(attempts=attempts, is_check=check):
                agrees = self.data.draw(st.booleans())
                self.record(synthesized(*attempts, chosen=None if check and not agrees else attempts[0]))
            case Complete(attempt=number, reason=reason):
                self.record(
                    RunCompleted(
                        attempt=number,
                        stop_reason=reason,
                        answer=REF,
                        confidence=probability(0.5),
                        cost=None,
                        released=(),
                    )
                )
            case Fail(kind=kind):
                self.record(RunFailed(kind=kind, needed=None, cost=None, released=()))

    def call(self, action: CallModel) -> None:
        number = len(self.run.attempts) + 1
        assert action.call.max_cost is not None
        before = self.run.of_call(action.index)
        was_lost = bool(before) and before[-1].status is AttemptStatus.LOST
        hold = (
            tuple(
                Hold(scope=scope, period="day", amount=action.call.max_cost)
                for scope in SCOPES
                if scope in ("global", f"model:{action.call.model}")
            )
            if was_lost
            else ()
        )
        self.record(replace(asked(action.call.model, number, action.index), max_cost=action.call.max_cost, hold=hold))
        outcome = self.data.draw(st.sampled_from(["answer", "answer", "fail", "retry", "lose", "crash", "cancel"]))
        if outcome == "cancel":
            self.record(RunCancelled(by="local", cost=None, released=()))
            outcome = "lose"
        if outcome == "answer":
            spent = self.data.draw(st.integers(0, int(action.call.max_cost.scaleb(6))))
            self.record(replace(answered(number), usage=Usage(output=1)))
            self.record(replace(costed(number), amount=Usd(Decimal(spent).scaleb(-6))))
        elif outcome in ("lose", "crash"):
            self.record(lost(number, ErrorKind.CRASH if outcome == "crash" else ErrorKind.CUT))
        else:
            tries = len(self.run.of_call(action.index))
            self.record(failed(number, retry_in=0.1 if outcome == "retry" and tries < 3 else None))


plans = st.lists(st.integers(0, 1000), min_size=1, max_size=3)


@forall(plans, st.sampled_from(["cheapest", "fallback", "ensemble"]), st.none() | st.integers(0, 2000), st.data())
def test_a_run_never_spends_beyond_what_it_held_whatever_happens(
    prices: list[int], strategy: str, limit: int | None, data: st.DataObject
) -> None:
    """At every event the hold covers what may still be billed; at the end only lost attempts hold anything."""
    models = (MINI, HAIKU, SONNET)[: len(prices)]
    max_cost = None if limit is None else str(Decimal(limit).scaleb(-6))
    decision = replace(worst(models, prices), strategy=strategy)
    if strategy == "cheapest":
        decision = replace(decision, plan=decision.plan[:1])
    cap = Usd(max_cost) if max_cost else None
    if cap is not None and (strategy == "ensemble" or decision.plan[0].max_cost > cap):  # type: ignore[operator]
        return  # the decision shapes such plans before they are held
    holds = tuple(Hold(scope=scope, period="day", amount=plan_hold(scope, decision.plan, cap)) for scope in SCOPES)
    world = World(fold("run-1", [started(strategy, max_cost=max_cost), assessed()]), data)
    world.record(replace(decision, holds=holds))
    first = world.wallet.held["global"]
    world.play()
    retried = total(hold.amount for one in world.run.attempts for hold in one.started.hold if hold.scope == "global")
    assert world.most <= first + retried
    for call in range(len(decision.plan)):  # a lost attempt costs one more: of those that were lost, at most so many
        outcomes = [one.status for one in world.run.of_call(call)]
        assert outcomes.count(AttemptStatus.LOST) <= settings_of(world.run).max_attempts
        assert sum(bool(one.started.hold) for one in world.run.of_call(call)) <= outcomes.count(AttemptStatus.LOST)
    lost_ones = [one for one in world.run.attempts if one.status.value == "lost"]
    assert world.wallet.held["global"] == total(one.started.max_cost for one in lost_ones)
    assert world.wallet.spent["global"] == world.run.spent
    if cap is not None:
        assert world.run.spent + total(one.started.max_cost for one in lost_ones) <= cap


def test_what_is_left_counts_open_and_lost_attempts_at_their_worst() -> None:
    """They may be billed."""
    run = fold("run-1", [started(max_cost="0.001"), assessed(), routed(MINI), asked(MINI)])
    assert left_of_limit(run) == Usd("0.0003826")
    assert left_of_limit(evolve(run, lost())) == Usd("0.0003826")
    assert left_of_limit(evolve(run, failed())) == Usd("0.001")
    answered_run = evolve(evolve(run, answered()), costed())
    assert left_of_limit(answered_run) == Usd("0.0009757")


def test_a_late_answer_settles_what_its_lost_attempt_held() -> None:
    """Also after the run's end, and once."""
    decision = worst((MINI,), [1000])
    held = replace(decision, holds=(Hold(scope="global", period="day", amount=Usd("0.001")),))
    run = fold("run-1", [started(), assessed(), held])
    wallet = Wallet()
    wallet.apply(held)
    start: AttemptStarted = replace(asked(MINI), max_cost=Usd("0.001"))
    ended = RunFailed(kind=failed().kind, needed=None, cost=None, released=())
    late: CostIncurred = replace(costed(), amount=Usd("0.0004"))
    for event in (start, lost(), ended, answered(), late, late):
        done = settled(run, event)
        run = evolve(run, done)
        wallet.apply(done) if event is not late or run.attempt(1).cost == done else None
    assert wallet.held["global"] == 0
    assert wallet.spent["global"] >= Decimal("0.0004")
