"""`model_stats`: how often each model did what, by UTC day: counts of log buckets, failures, escalations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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


def _of_attempts(rows: Sequence[Row]) -> Sums:
    found = [
        (at - at % DAY, dim, status, latency, first_token, confidence, error)
        for at, dim, status, latency, first_token, confidence, error in map(_FIGURES, rows)
    ]
    counts: Counter[Key] = Counter(
        [(day, dim, LATENCY, it) for day, dim, status, it, _, _, _ in found if it is not None and status == "answered"]
    )
    counts.update([(day, dim, FIRST_TOKEN, it) for day, dim, _, _, it, _, _ in found if it is not None])
    counts.update(
        [(day, dim, CONFIDENCE, it // CONFIDENCE_STEP) for day, dim, _, _, _, it, _ in found if it is not None]
    )
    counts.update([(day, dim, ERROR, it) for day, dim, _, _, _, _, it in found if it is not None])
    return {(day, dim, measure, str(label)): (count,) for (day, dim, measure, label), count in counts.items()}


def _of_escalations(rows: Sequence[Row]) -> Sums:
    counts: Counter[Key] = Counter()
    for row in rows:
        day = row[2] - row[2] % DAY
        from_model, to_model, _, from_dim, to_dim = row[8:]
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
