"""Events as JSON documents: the envelope and the payload as they stand in the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ..domain.units import MILLION, Timestamp
from .ports import RecordedEvent


def event_dict(entry: RecordedEvent) -> dict[str, Any]:
    """Times are ISO 8601 in UTC, ids and hashes hex."""
    return {
        "position": entry.position,
        "version": entry.version,
        "event_id": entry.event_id.hex(),
        "type": entry.type,
        "schema_version": entry.schema_version,
        "occurred_at": _iso(entry.occurred_at),
        "recorded_at": _iso(entry.recorded_at),
        "causation_id": entry.causation_id,
        "correlation_id": entry.correlation_id,
        "actor": entry.actor,
        "payload": json.loads(entry.payload),
        "event_hash": entry.event_hash.hex(),
        "chain_hash": entry.chain_hash.hex(),
    }


def _iso(moment: Timestamp) -> str:
    return datetime.fromtimestamp(moment / MILLION, UTC).isoformat()
