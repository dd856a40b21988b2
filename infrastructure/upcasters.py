"""How an old event's payload becomes today's: one pure dict -> dict function a step of a type's schema version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


def _without_scorer(fields: dict[str, Any]) -> dict[str, Any]:
    """RunStarted 1 knew judges and the heuristic scorer, and nothing was drawn."""
    return {**fields, "settings": {**fields["settings"], "scorer": None, "explore": 0}}


def _without_forecast(fields: dict[str, Any]) -> dict[str, Any]:
    """RoutingDecided 1 read the assessment only, and asked the best candidate."""
    return {**fields, "forecast": None, "exploration": None}


UPCASTERS: dict[tuple[str, int], Upcaster] = {  # (type, from version) -> to the next version
    ("RunStarted", 1): _without_scorer,
    ("RoutingDecided", 1): _without_forecast,
}


def upcast(type_name: str, schema_version: int, target: int, payload: str) -> str:
    """The payload at `target`. Raises LookupError where a step is missing, as for an event of a newer release."""
    if schema_version > target:
        raise LookupError(f"{type_name} version {schema_version} was written by a newer release")
    fields: dict[str, Any] = msgspec.json.decode(payload)
    for version in range(schema_version, target):
        fields = UPCASTERS[type_name, version](fields)
    return msgspec.json.encode(fields).decode()
