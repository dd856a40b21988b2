"""Every call as a row of an export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from ..domain.units import usd
from ..projections.run_report import AttemptRow

Cell = str | int | Decimal | Mapping[str, str] | None
COLUMNS = (  # name, and what it holds: see infrastructure/exports.py
    ("run_id", "text"),
    ("attempt", "integer"),
    ("run_started_at", "time"),
    ("started_at", "time"),
    ("category", "text"),
    ("strategy", "text"),
    ("tags", "tags"),
    ("provider", "text"),
    ("model", "text"),
    ("response_model", "text"),
    ("purpose", "text"),
    ("status", "text"),
    ("error", "text"),
    ("money", "text"),
    ("cost", "money"),
    ("price_card", "text"),
    ("input_tokens", "integer"),
    ("cache_read_tokens", "integer"),
    ("cache_write_tokens", "integer"),
    ("output_tokens", "integer"),
    ("reasoning_tokens", "integer"),
    ("latency_us", "integer"),
    ("first_token_us", "integer"),
    ("confidence", "share"),
    ("evidence", "text"),
    ("request_id", "text"),
    ("escalated_from", "text"),
    ("escalated_to", "text"),
)


def export_row(one: AttemptRow) -> tuple[Cell, ...]:
    """The cells of COLUMNS; None where unknown. Input tokens include cached ones, output tokens reasoning."""
    known = one.input_uncached is not None
    return (
        one.run,
        one.number,
        one.run_at,
        one.started_at,
        one.category,
        one.strategy,
        json.loads(one.tags),
        one.provider,
        one.model,
        one.response_model,
        one.purpose,
        one.status,
        one.error,
        one.money,
        None if one.cost is None else usd(one.cost),
        one.price_card,
        _sum(one.input_uncached, one.cache_read, one.cache_write) if known else None,
        one.cache_read,
        one.cache_write,
        _sum(one.output, one.reasoning) if known else None,
        one.reasoning,
        one.latency,
        one.first_token,
        None if one.confidence is None else Decimal(one.confidence).scaleb(-6),
        one.evidence,
        one.request_id,
        one.escalated_from,
        one.escalated_to,
    )


def _sum(*tokens: int | None) -> int:
    return sum(one or 0 for one in tokens)
