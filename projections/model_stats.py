"""`model_stats`: how often each model did what, by UTC day: counts of log buckets, failures, escalations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import itemgetter

from .attempt_columns import ATTEMPT_COLUMNS
from .projection import DAY, Key, Rollup, Row, Sums, Table

GRAINS = ("day",)
LATENCY, FIRST_TOKEN, CONFIDENCE, ERROR = "latency", "first_token", "confidence", "error"
ESCALATED_TO, ESCALATED_FROM = "escalated_to", "escalated_from"
CONFIDENCE_STEP = 50_000  # millionths: 20 buckets, and one for certainty
MEASURED = {  # measure: (label, which rows), as SQL has them from an attempt's row
    LATENCY: ("CAST(s.latency_bucket AS TEXT)", "s.latency_bucket IS NOT NULL AND s.status = 'answered'"),
    FIRST_TOKEN: ("CAST(s.first_token_bucket AS TEXT)", "s.first_token_bucket IS NOT NULL"),
    CONFIDENCE: (f"CAST(s.confidence / {CONFIDENCE_STEP} AS TEXT)", "s.confidence IS NOT NULL"),
    ERROR: ("s.error", "s.error IS NOT NULL"),
}
_AT = {name: index for index, name in enumerate(ATTEMPT_COLUMNS)}
_FIGURES = itemgetter(
    *(_AT[name] for name in ("run_at", "dim", "status", "latency_bucket", "first_token_bucket", "confidence", "error"))
)


def _of_attempts(rows: Iterable[Row]) -> Sums:
    counts: Counter[Key] = Counter()
    for row in rows:
        at, dim, status, latency, first_token, confidence, error = _FIGURES(row)
        day = at - at % DAY
        if latency is not None and status == "answered":
            counts[day, dim, LATENCY, str(latency)] += 1
        if first_token is not None:
            counts[day, dim, FIRST_TOKEN, str(first_token)] += 1
        if confidence is not None:
            counts[day, dim, CONFIDENCE, str(confidence // CONFIDENCE_STEP)] += 1
        if error is not None:
            counts[day, dim, ERROR, error] += 1
    return {key: (count,) for key, count in counts.items()}


def _of_escalations(rows: Iterable[Row]) -> Sums:
    counts: Counter[Key] = Counter()
    for row in rows:
        day = row[2] - row[2] % DAY
        from_model, to_model, _, from_dim, to_dim = row[9:]
        counts[day, from_dim, ESCALATED_TO, to_model] += 1
        counts[day, to_dim, ESCALATED_FROM, from_model] += 1
    return {key: (count,) for key, count in counts.items()}


_KEYS = ("at", "dim", "measure", "label")
_TABLE = Table(
    "model_stats",
    (("at", "INTEGER"), ("dim", "INTEGER"), ("measure", "TEXT"), ("label", "TEXT"), ("count", "INTEGER")),
    key=_KEYS,
    indexes=("(count) WHERE count = 0",),
)
MODEL_STATS = Rollup(_TABLE, _KEYS, ("count",), _of_attempts)
ESCALATION_STATS = Rollup(_TABLE, _KEYS, ("count",), _of_escalations)
