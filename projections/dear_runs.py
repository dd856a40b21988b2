"""Runs that cost at least so much: by the index of costs where they are few, by time where they are many."""

from __future__ import annotations

from collections.abc import Iterable

from ..domain.filters import Compare, Condition, Op, conjuncts
from .costs import RUN_COSTS
from .projection import Names, Queryable

FEW = 2_000  # runs, which are looked up in less time than a list takes that passes by a million others


def few_from(tables: Queryable, attempts: Names, conditions: Iterable[Condition]) -> int | None:
    """The picodollars that the conditions ask for, where few runs cost as much; None: as they are asked, many may."""
    least = max((one for part in conjuncts(conditions) if (one := _least(part)) is not None), default=None)
    if least is None:
        return None
    query = f"SELECT count(*) FROM (SELECT 1 FROM {attempts(RUN_COSTS.name)} c WHERE c.cost >= ? LIMIT {FEW}) few"
    ((count,),) = tables.execute(query, (least,))
    return least if count < FEW else None


def _least(condition: Condition) -> int | None:
    """A run without a call costs 0, and has no row in the index."""
    match condition:
        case Compare(op=Op.EQUAL | Op.MORE | Op.AT_LEAST, value=int(value)) if condition.field.name == "cost":
            return value if value > 0 else None
    return None
