"""What rows a question is about, from the words of the command line and of the API alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..domain.filters import CALL_FIELDS, Compare, Condition, Field, Op
from ..domain.units import Timestamp
from .cost_reports import CostQuestion
from .dates import Calendar
from .filters import parse_filter


def conditions_of(
    where: Sequence[str] | None, fields: Mapping[str, Field], by: Calendar, category: str | None = None
) -> tuple[Condition, ...]:
    """What rows have to meet. Raises InvalidRequest."""
    found = tuple(parse_filter(text, fields, by) for text in where or ())
    return found if category is None else (Compare(fields["category"], Op.EQUAL, category), *found)


def moment_of(text: str, by: Calendar) -> Timestamp:
    """The last moment of a date. Raises InvalidRequest."""
    found = by.dates(text)
    return found.start if found.is_moment else Timestamp(found.end - 1)


def cost_question(
    reading: Calendar,
    *,
    since: str | None = None,
    until: str | None = None,
    where: Sequence[str] | None = None,
    category: str | None = None,
    as_of: str | None = None,
    by: tuple[str, ...] = (),
    split: str | None = None,
    own: Sequence[Condition] = (),
) -> tuple[CostQuestion, Timestamp | None]:
    """What is asked, and the moment whose log is asked; None: now. `own` is what rows must meet beside what is said.

    Raises InvalidRequest.
    """
    then = None if as_of is None else moment_of(as_of, reading)
    question = CostQuestion(
        now=reading.now if then is None else min(reading.now, then),
        zone=reading.zone,
        dates=reading.between(since, until),
        by=by,
        split=split,
        conditions=(*own, *conditions_of(where, CALL_FIELDS, reading, category)),
    )
    return question, then
