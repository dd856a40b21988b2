"""`model_totals`: the counts of `model_stats` over the whole log, whatever the day, category and strategy.

It has a few thousand rows however long the log is: who asks every few seconds, as a page of metrics does, or for all
time, reads no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from .attempt_columns import ATTEMPT_COLUMNS
from .model_stats import CONFIDENCE, CONFIDENCE_STEP, ERROR, ESCALATED_FROM, ESCALATED_TO, FIRST_TOKEN, LATENCY
from .projection import Key, Names, Queryable, Rollup, Row, Sums, Table


@dataclass(frozen=True, slots=True)
class ModelTotal:
    """How often: answers by log bucket of microseconds, calls by kind of error, moves to another model."""

    provider: str  # empty of escalations
    model: str
    money: str
    measure: str  # latency, first_token, error or escalated_to
    label: str  # the bucket, the kind, the other model
    count: int


_MEASURED = {
    measure: itemgetter(*(ATTEMPT_COLUMNS.index(name) for name in ("provider", "model", "money", "status", column)))
    for measure, column in (
        (LATENCY, "latency_bucket"),
        (FIRST_TOKEN, "first_token_bucket"),
        (CONFIDENCE, "confidence"),
        (ERROR, "error"),
    )
}
_METERED = (LATENCY, FIRST_TOKEN, ERROR, ESCALATED_TO)
WORDS = ("provider", "model", "money")


def _of_attempts(rows: Sequence[Row]) -> Sums:
    counts: Counter[Key] = Counter()
    for measure, figures in _MEASURED.items():
        for (provider, model, money, status, label), count in Counter(map(figures, rows)).items():
            if label is not None and (measure != LATENCY or status == "answered"):
                kept = label // CONFIDENCE_STEP if measure == CONFIDENCE else label
                counts[provider, model, money, measure, str(kept)] += count
    return {key: (count,) for key, count in counts.items()}


def _of_escalations(rows: Sequence[Row]) -> Sums:
    counts = Counter(("", row[8], row[6], ESCALATED_TO, row[9]) for row in rows)
    counts.update(("", row[9], row[6], ESCALATED_FROM, row[8]) for row in rows)
    return {key: (count,) for key, count in counts.items()}


_KEYS = (*WORDS, "measure", "label")
_TABLE = Table(
    "model_totals",
    (*((key, "TEXT") for key in _KEYS), ("count", "INTEGER")),
    key=_KEYS,
    indexes=("(count) WHERE count = 0",),
)
MODEL_TOTALS = Rollup(_TABLE, _KEYS, ("count",), _of_attempts)
ESCALATION_TOTALS = Rollup(_TABLE, _KEYS, ("count",), _of_escalations)


def model_totals(tables: Queryable, names: Names) -> list[ModelTotal]:
    """Those that a page of metrics counts, sorted."""
    keys, marks = ", ".join(_KEYS), ", ".join("?" * len(_METERED))
    query = f"SELECT {keys}, count FROM {names(_TABLE.name)} WHERE measure IN ({marks}) ORDER BY {keys}"
    rows = tables.execute(query, _METERED)
    return [ModelTotal(*row) for row in rows]
