"""From a stored event to the fact a fold takes in: only the fields that read models keep are built."""

from __future__ import annotations

from typing import Any

import msgspec

from ...projections.facts import LEAN, Fact
from ..event_codec import SCHEMA_VERSIONS
from ..upcasters import upcast

LogRow = tuple[
    int, str, int, str, int, int, str
]  # position, stream, version, type, schema version, recorded_at, payload
_decoders: dict[str, msgspec.json.Decoder[Any]] = {name: msgspec.json.Decoder(type_) for name, type_ in LEAN.items()}
_new = tuple.__new__  # half the time of calling Fact
_decode = {name: decoder.decode for name, decoder in _decoders.items()}


def fact_of(row: LogRow) -> Fact:
    """The event of a row. Raises LookupError for a newer release's, ValueError for a payload that is not its type's."""
    position, stream, version, type_, schema_version, at, payload = row
    if schema_version != SCHEMA_VERSIONS[type_]:
        payload = upcast(type_, schema_version, SCHEMA_VERSIONS[type_], payload)
    return _new(Fact, (position, stream, version, at, type_, _decode[type_](payload)))
