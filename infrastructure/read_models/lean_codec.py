"""From a stored event to what a fold takes in: only the fields that read models keep are built."""

from __future__ import annotations

from typing import Any

import msgspec

from ...projections.facts import LEAN
from ..event_codec import SCHEMA_VERSIONS
from ..upcasters import upcast

LogRow = tuple[
    int, str, int, str, int, int, str
]  # position, stream, version, type, schema version, recorded_at, payload
_decode = {name: msgspec.json.Decoder(type_).decode for name, type_ in LEAN.items()}
AS_BEFORE = frozenset({("RunStarted", 1)})  # older versions in which every lean field is what it is today


def event_of(row: LogRow) -> Any:
    """The event of a row. Raises LookupError for a newer release's, ValueError for a payload that is not its type's."""
    type_, schema_version, payload = row[3], row[4], row[6]
    if schema_version != SCHEMA_VERSIONS[type_] and (type_, schema_version) not in AS_BEFORE:
        payload = upcast(type_, schema_version, SCHEMA_VERSIONS[type_], payload)
    return _decode[type_](payload)
