"""`model_stats`: how often each model did what, by UTC day: counts of log buckets, failures, escalations."""

from __future__ import annotations

from .grains import AT
from .projection import Rollup, Table, grouped

GRAINS = ("day",)
LATENCY, FIRST_TOKEN, CONFIDENCE, ERROR = "latency", "first_token", "confidence", "error"
ESCALATED_TO, ESCALATED_FROM = "escalated_to", "escalated_from"
CONFIDENCE_STEP = 50_000  # millionths: 20 buckets, and one for certainty
MEASURED = {  # measure: (label, which rows)
    LATENCY: ("CAST(s.latency_bucket AS TEXT)", "s.latency_bucket IS NOT NULL AND s.status = 'answered'"),
    FIRST_TOKEN: ("CAST(s.first_token_bucket AS TEXT)", "s.first_token_bucket IS NOT NULL"),
    CONFIDENCE: (f"CAST(s.confidence / {CONFIDENCE_STEP} AS TEXT)", "s.confidence IS NOT NULL"),
    ERROR: ("s.error", "s.error IS NOT NULL"),
}
_KEYS = ("at", "dim", "measure", "label")


def _counts(dim: str, measure: str, label: str, where: str = "true") -> str:
    """How many staged rows there are by day and dimension."""
    keys = {"at": AT["day"], "dim": dim, "measure": f"'{measure}'", "label": label}
    return grouped("{staged}", keys, {"count": "1"}, where)


_TABLE = Table(
    "model_stats",
    (("at", "INTEGER"), ("dim", "INTEGER"), ("measure", "TEXT"), ("label", "TEXT"), ("count", "INTEGER")),
    key=_KEYS,
    indexes=("(count) WHERE count = 0",),
)
MODEL_STATS = Rollup(
    _TABLE, _KEYS, ("count",), tuple(_counts("s.dim", one, label, where) for one, (label, where) in MEASURED.items())
)
ESCALATION_STATS = Rollup(
    _TABLE,
    _KEYS,
    ("count",),
    (
        _counts("s.from_dim", ESCALATED_TO, "s.to_model"),
        _counts("s.to_dim", ESCALATED_FROM, "s.from_model"),
    ),
)
