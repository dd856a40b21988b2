"""The columns of `attempts`, in groups: what one event brings, and what follows from all."""

from __future__ import annotations

from .projection import Table

RUN_COLUMNS = (
    ("run_at", "INTEGER"),  # when the run started: the time its costs are reported by
    ("strategy", "TEXT"),
    ("category", "TEXT"),
    ("tags", "JSON"),
    ("run_money", "TEXT"),
    ("owner", "TEXT"),
)
STARTED_COLUMNS = (
    ("started_at", "INTEGER"),
    ("call", "INTEGER"),
    ("epoch", "INTEGER"),
    ("model", "TEXT"),
    ("provider", "TEXT"),
    ("purpose", "TEXT"),
    ("max_cost", "INTEGER"),  # picodollars
)
OUTCOME_COLUMNS = (
    ("status", "TEXT"),  # open, answered, failed or lost
    ("outcome_at", "INTEGER"),
    ("error", "TEXT"),
    ("http_status", "INTEGER"),
    ("finish_reason", "TEXT"),
    ("response_model", "TEXT"),
    ("request_id", "TEXT"),
    ("latency", "INTEGER"),  # microseconds
    ("first_token", "INTEGER"),
    ("input_uncached", "INTEGER"),
    ("cache_read", "INTEGER"),
    ("cache_write", "INTEGER"),
    ("output", "INTEGER"),
    ("reasoning", "INTEGER"),
)
CHARGED_COLUMNS = (
    ("charged", "INTEGER"),  # picodollars, by CostIncurred
    ("price_card", "TEXT"),
    ("estimated", "INTEGER"),
    ("charged_money", "TEXT"),  # null: no CostIncurred yet
)
CONFIDENCE_COLUMNS = (("confidence", "INTEGER"),)  # millionths
RECONCILED_COLUMNS = (
    ("reconciled", "INTEGER"),  # picodollars
    ("evidence", "TEXT"),  # reconciled, assumed; null: not reconciled
    ("reconciled_by", "TEXT"),
)
DERIVED_COLUMNS = (
    ("cost", "INTEGER"),  # picodollars; null: unknown
    ("money", "TEXT"),
    ("retry", "INTEGER"),  # 1: not the first attempt at its call
    ("latency_bucket", "INTEGER"),
    ("first_token_bucket", "INTEGER"),
    ("dim", "INTEGER"),
)
ATTEMPTS = Table(
    "attempts",
    (
        ("run", "TEXT"),
        ("number", "INTEGER"),
        *RUN_COLUMNS,
        *STARTED_COLUMNS,
        *OUTCOME_COLUMNS,
        *CHARGED_COLUMNS,
        *CONFIDENCE_COLUMNS,
        *RECONCILED_COLUMNS,
        *DERIVED_COLUMNS,
    ),
    key=("run", "number"),
    lookups=("(run_at)", "(status, run_at) WHERE status IN ('open', 'lost')"),
)
ATTEMPT_COLUMNS = ATTEMPTS.names
