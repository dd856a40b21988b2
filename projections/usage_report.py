"""What answered runs used and cost: the observations that savings are reckoned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..domain.events import StopReason
from ..domain.filters import RUN_FIELDS, Compare, Condition, Op
from ..domain.pricing import Usage
from ..domain.units import MILLION
from .attempt_columns import ATTEMPTS
from .filter_sql import Sql
from .projection import Names, Queryable
from .run_report import RUN_COST, Range, from_runs

COMPLETED = Compare(RUN_FIELDS["status"], Op.EQUAL, "completed")
_INPUT = "(a.input_uncached + a.cache_read + a.cache_write)"
_TOKENS = ", ".join(
    f"coalesce(sum(a.{name}), 0)" for name in ("input_uncached", "cache_read", "cache_write", "output", "reasoning")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedUsage:
    """Completed runs that were asked under one catalogue and whose answer is by one model."""

    catalogue: str  # its hash
    money: str  # what the answer's call was charged in: a live run at a simulator spends simulated money
    model: str
    is_known: bool  # whether these runs' whole cost and their answers' usage are known
    runs: int
    agreed: int  # of them: ended as soon as two agreed, so that the rest of the plan was not asked
    cost: int  # picodollars of all their calls, as far as it is known
    usage: Usage  # the sum of the call each run's answer is by: the last one, where that wrote no answer of its own
    longest: int  # input tokens of one call; all of the group lie between the same two of the bounds asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswers:
    """Completed runs that were given an earlier answer."""

    money: str
    runs: int
    saved: int  # picodollars that asking again would have cost


def observed_usage(
    tables: Queryable,
    attempts: Names,
    runs: Names,
    *,
    search: Callable[[str], Sql] | None,
    span: Range,
    conditions: Sequence[Condition],
    bounds: Sequence[int],
) -> list[ObservedUsage]:
    """Groups whose calls have inputs between the same two of `bounds`, so that one rate is right for all of them."""
    which = from_runs(runs, attempts, tables.dialect, search=search, span=span, conditions=(COMPLETED, *conditions))
    tier = " + ".join(["0", *(f"(CASE WHEN {_INPUT} > {int(bound)} THEN 1 ELSE 0 END)" for bound in bounds)])
    table = attempts(ATTEMPTS.name)
    known = "(CASE WHEN r.cost IS NULL OR a.input_uncached IS NULL THEN 0 ELSE 1 END)"
    agreed = f"sum(CASE WHEN r.stop_reason = '{StopReason.AGREEMENT}' THEN 1 ELSE 0 END)"
    answer = "(CASE WHEN w.purpose = 'answer' THEN w.number END)"
    query = (
        f"SELECT r.catalogue, coalesce(a.charged_money, r.money), a.model, {known}, {tier}, count(*), {agreed}, "
        f"sum(coalesce(r.cost, 0) / {MILLION}), sum(coalesce(r.cost, 0) % {MILLION}), {_TOKENS}, "
        f"coalesce(max({_INPUT}), 0) "
        f"FROM (SELECT r.run AS run, r.catalogue AS catalogue, r.money AS money, r.stop_reason AS stop_reason, "
        f"{answer} AS answer, {RUN_COST} AS cost {which.text}) r "
        f"JOIN {table} a ON a.run = r.run AND a.number = coalesce(r.answer, (SELECT max(b.number) "
        f"FROM {table} b WHERE b.run = r.run AND b.purpose = 'answer' AND b.status = 'answered')) "
        "GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
    )
    found = []
    for catalogue, money, model, is_known, _, count, agreed, micros, rest, *tokens, longest in tables.execute(
        query, which.parameters
    ):
        uncached, read, write, output, reasoning = map(int, tokens)
        found.append(
            ObservedUsage(
                catalogue=catalogue,
                money=money,
                model=model,
                is_known=bool(is_known),
                runs=int(count),
                agreed=int(agreed),
                cost=int(micros) * MILLION + int(rest),
                usage=Usage(
                    input_uncached=uncached, cache_read=read, cache_write=write, output=output, reasoning=reasoning
                ),
                longest=int(longest),
            )
        )
    return found


def cached_answers(
    tables: Queryable,
    attempts: Names,
    runs: Names,
    *,
    search: Callable[[str], Sql] | None,
    span: Range,
    conditions: Sequence[Condition],
) -> list[CachedAnswers]:
    """By kind of money, sorted."""
    which = from_runs(runs, attempts, tables.dialect, search=search, span=span, conditions=(COMPLETED, *conditions))
    query = (
        f"SELECT r.money, count(*), sum(coalesce(r.saved, 0) / {MILLION}), sum(coalesce(r.saved, 0) % {MILLION}) "
        f"{which.text} AND r.cached_model IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    return [
        CachedAnswers(money=money, runs=int(count), saved=int(micros) * MILLION + int(rest))
        for money, count, micros, rest in tables.execute(query, which.parameters)
    ]
