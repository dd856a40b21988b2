"""The outcome of a run as it went, and as far as its own answers tell how it would have gone along another chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..domain.events import PlannedCall, Purpose
from ..domain.finish import FinishReason
from .backtest_runs import PastAttempt, PastRun, scored, spent_on
from .backtest_tally import Played

Price = Callable[[PlannedCall], int | None]


def as_it_ran(run: PastRun) -> Played:
    """What really happened; of a run that goes on nothing is known yet, and nothing of one that cannot be read."""
    if run.ended_at is None or run.is_unreadable:
        return Played()
    if run.final is None or run.final not in run.attempts:
        return Played(cost=run.cost)
    attempt = run.attempts[run.final]
    label = run.label(run.final)
    return Played(
        quality=label,
        scored=None if label is not None else scored(attempt),
        cost=run.cost,
        calls=len(run.attempts),
        escalations=run.escalations,
        latency=run.ended_at - run.started_at,
    )


def walked(run: PastRun, calls: Sequence[PlannedCall], threshold: int, scorer: str | None, price: Price) -> Played:
    """A chain over the answers there are: the first that reaches the threshold, else the most trusted, then the later.

    Of a chain the scores must be those of `scorer`; None: one answer is wanted, whatever its score. Its end is unknown
    from the first model that was not asked; the cost to there, and of that call by `price`, is then what is planned.
    """
    made: list[tuple[int, PastAttempt]] = []
    spent, tried, latency = 0, 0, 0
    for position, call in enumerate(calls):
        mine = [one for one in run.attempts.values() if one.model == call.model and one.purpose is Purpose.ANSWER]
        if not mine:
            planned = price(call)
            return Played(planned=None if planned is None else spent + planned)
        answered = next((one for one in mine if one.latency is not None), None)
        made_for_it = [*mine, *run.judges_of(mine)]
        paid = spent_on(made_for_it)
        if paid is None:
            return Played()
        spent, tried = spent + paid, tried + len(made_for_it)
        latency += answered.latency or 0 if answered else 0
        if answered is None:
            continue
        score = 0 if scorer is None else answered.scores.get(scorer)
        if score is None:
            return Played()
        made.append((score, answered))
        if scorer is None or score >= threshold or answered.finish_reason is FinishReason.REFUSAL:
            return _ended(run, answered, spent, tried, latency, escalations=position)
    if not made:
        return Played(cost=spent)
    best = max(made, key=lambda one: (one[0], one[1].number))[1]
    return _ended(run, best, spent, tried, latency, escalations=len(calls) - 1)


def _ended(run: PastRun, attempt: PastAttempt, spent: int, calls: int, latency: int, *, escalations: int) -> Played:
    label = run.label(attempt.number)
    return Played(
        quality=label,
        scored=None if label is not None else scored(attempt),
        cost=spent,
        calls=calls,
        escalations=escalations,
        latency=latency,
    )
