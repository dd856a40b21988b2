"""Events as canonical JSON and back: dict keys sorted, money as plain decimal strings, no floats."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ..domain import events
from ..domain.events import BudgetEvent, CatalogueEvent, ContentEvent, KeyEvent, RunEvent, SealEvent
from ..domain.units import Usd, plain
from .event_levels import lowered, newest
from .upcasters import upcast

Event = RunEvent | CatalogueEvent | BudgetEvent | ContentEvent | SealEvent | KeyEvent

EVENT_TYPES: dict[str, type[Any]] = {
    event.__name__: event
    for event in (
        events.RunStarted,
        events.RunClaimed,
        events.PromptAssessed,
        events.RoutingDecided,
        events.AttemptStarted,
        events.ModelCalled,
        events.AttemptFailed,
        events.AttemptLost,
        events.RetryRefused,
        events.AttemptReconciled,
        events.CostIncurred,
        events.ConfidenceScored,
        events.Escalated,
        events.Synthesized,
        events.AnsweredFromCache,
        events.RunCompleted,
        events.RunFailed,
        events.RunCancelled,
        events.RunRescored,
        events.FeedbackGiven,
        events.PriceListPublished,
        events.BudgetDefined,
        events.BudgetChanged,
        events.BudgetRemoved,
        events.BudgetAlerted,
        events.ContentErased,
        events.LogSealed,
        events.KeyCreated,
        events.KeyRevoked,
    )
}
SCHEMA_VERSIONS: dict[str, int] = {  # of what this release writes
    **dict.fromkeys(EVENT_TYPES, 1),
    "RunStarted": 2,
    "RoutingDecided": 2,
}


def _to_json(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    raise TypeError(f"an event cannot hold a {type(value).__name__}")


def _from_json(kind: type, value: Any) -> Usd:
    if kind is Usd and isinstance(value, str):
        return Usd(value)
    raise ValueError(f"expected a decimal string, got {type(value).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_to_json, order="deterministic")
_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def encode(event: Event, level: int | None = None) -> tuple[str, int, str]:
    """Type name, schema version and payload, as this release or a level has them.

    Raises LookupError for an event that the level does not have.
    """
    name = type(event).__name__
    version, payload = SCHEMA_VERSIONS[name], _encoder.encode(event).decode()
    if level is not None and level < newest():
        version, payload = lowered(name, version, payload, level)
    return name, version, payload


def decode(type_name: str, schema_version: int, payload: str) -> Any:
    """The event; an older schema version is raised to today's first.

    Raises LookupError for a type this release does not know, ValueError for a payload that is not the type's.
    """
    if schema_version != SCHEMA_VERSIONS[type_name]:
        payload = upcast(type_name, schema_version, SCHEMA_VERSIONS[type_name], payload)
    decoder = _decoders.get(type_name)
    if decoder is None:
        decoder = msgspec.json.Decoder(EVENT_TYPES[type_name], dec_hook=_from_json)
        _decoders[type_name] = decoder
    return decoder.decode(payload)
