"""`costs`: calls, tokens and money by UTC hour, day and month and by dimension; `run_costs`: by run.

Every attempt counts once under the empty tag, and once under each tag of its run. Money is kept in millionths of a
dollar and the rest in picodollars, because a sum of picodollars alone passes 64 bits at $9.2 million.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, itemgetter

from ..domain.units import MILLION
from .attempt_columns import ATTEMPT_COLUMNS
from .facts import tags_of
from .projection import DAY, HOUR, Key, Rollup, Row, Sums, Table, month_of

MEASURES = {  # and how SQL has them from an attempt's row
    "calls": "1",
    "retries": "s.retry",
    "unpriced": "CASE WHEN s.cost IS NULL THEN 1 ELSE 0 END",
    "estimated": "coalesce(s.estimated, 0)",
    "assumed": "CASE WHEN s.evidence = 'assumed' AND s.charged_money IS NULL THEN 1 ELSE 0 END",
    "cost_micros": "coalesce(s.cost, 0) / 1000000",
    "cost_rest": "coalesce(s.cost, 0) % 1000000",  # picodollars
    "input_uncached": "coalesce(s.input_uncached, 0)",
    "cache_read": "coalesce(s.cache_read, 0)",
    "cache_write": "coalesce(s.cache_write, 0)",
    "output": "coalesce(s.output, 0)",
    "reasoning": "coalesce(s.reasoning, 0)",
    "latency": "coalesce(s.latency, 0)",  # microseconds, of those that have one
    "timed": "CASE WHEN s.latency IS NULL THEN 0 ELSE 1 END",
    "confidence": "coalesce(s.confidence, 0)",  # millionths, of those that have one
    "scored": "CASE WHEN s.confidence IS NULL THEN 0 ELSE 1 END",
}
GRAINS = ("hour", "day", "month")
_AT = {name: index for index, name in enumerate(ATTEMPT_COLUMNS)}
_FIGURES = itemgetter(
    *(
        _AT[name]
        for name in (
            "cost",
            "retry",
            "estimated",
            "evidence",
            "charged_money",
            "input_uncached",
            "cache_read",
            "cache_write",
            "output",
            "reasoning",
            "latency",
            "confidence",
        )
    )
)
_PLACE = itemgetter(*(_AT[name] for name in ("run_at", "tags", "dim")))


def measures_of(row: Row) -> tuple[int, ...]:
    """What an attempt adds to MEASURES."""
    cost, retry, estimated, evidence, charged, uncached, read, write, output, reasoning, latency, confidence = _FIGURES(
        row
    )
    micros, rest = (0, 0) if cost is None else divmod(cost, MILLION)
    return (
        1,
        retry,
        1 if cost is None else 0,
        estimated or 0,
        1 if evidence == "assumed" and charged is None else 0,
        micros,
        rest,
        uncached or 0,
        read or 0,
        write or 0,
        output or 0,
        reasoning or 0,
        latency or 0,
        0 if latency is None else 1,
        confidence or 0,
        0 if confidence is None else 1,
    )


def sums_of(rows: Sequence[Row]) -> Sums:
    """By hour first, from those by day, and from those by month."""
    hours: Sums = {}
    for row in rows:
        at, tags, dim = _PLACE(row)
        hour = at - at % HOUR
        values = measures_of(row)
        _add(hours, ("hour", "", hour, "", dim), values)
        if tags != "{}":
            for key, value in tags_of(tags):
                _add(hours, ("hour", key, hour, value, dim), values)
    days: Sums = {}
    for (_, key, hour, value, dim), values in hours.items():
        _add(days, ("day", key, hour - hour % DAY, value, dim), values)
    months: Sums = {}
    for (_, key, day, value, dim), values in days.items():
        _add(months, ("month", key, month_of(day), value, dim), values)
    return hours | days | months


def _add(sums: Sums, key: Key, values: tuple[int, ...]) -> None:
    known = sums.get(key)
    sums[key] = values if known is None else tuple(map(add, known, values))


COSTS = Rollup(
    Table(
        "costs",
        (
            ("grain", "TEXT"),
            ("tag_key", "TEXT"),
            ("tag_value", "TEXT"),
            ("at", "INTEGER"),
            ("dim", "INTEGER"),
            *((measure, "INTEGER") for measure in MEASURES),
        ),
        key=("grain", "tag_key", "at", "tag_value", "dim"),
        indexes=("(calls) WHERE calls = 0",),
    ),
    keys=("grain", "tag_key", "at", "tag_value", "dim"),
    measures=tuple(MEASURES),
    sums=sums_of,
)
RUN_COSTS = Table(
    "run_costs",
    (
        ("run", "TEXT"),
        *((name, "INTEGER") for name in ("attempts", "open", "lost")),
        ("cost", "INTEGER"),  # picodollars; null: some of it is unknown
        ("money", "TEXT"),  # the kinds, sorted, by comma; null: no cost yet
        ("model", "TEXT"),  # of the last attempt
    ),
    key=("run",),
    lookups=("(cost, run)",),
)
