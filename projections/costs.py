"""`costs`: calls, tokens and money by UTC hour, day and month and by dimension; `run_costs`: by run.

Every attempt counts once under the empty tag, and once under each tag of its run. Money is kept in millionths of a
dollar and the rest in picodollars, because a sum of picodollars alone passes 64 bits at $9.2 million.
"""

from __future__ import annotations

from .grains import AT
from .projection import Rollup, Table, grouped

MEASURES = {
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
_TAG = ("tag_key", "tag_value")


def select(grain: str, *, tagged: bool, source: str = "{staged}") -> str:
    """The sums of the rows of a source by one grain."""
    tag = {"tag_key": "tag.key", "tag_value": "tag.value"} if tagged else {"tag_key": "''", "tag_value": "''"}
    keys = {"grain": f"'{grain}'", **tag, "at": AT[grain], "dim": "s.dim"}
    if not tagged:
        return grouped(source, keys, MEASURES)
    return grouped(f"{source}, {{tags}}", keys, MEASURES, where="s.tags <> '{{}}'")


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
    keys=("grain", *_TAG, "at", "dim"),
    measures=tuple(MEASURES),
    selects=tuple(select(grain, tagged=tagged) for tagged in (False, True) for grain in GRAINS),
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
)
