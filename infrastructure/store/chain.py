"""The hashes that make the log prove itself.

event_hash covers what the writer said; chain_hash covers where and when it was recorded, and everything before it.
"""

from __future__ import annotations

import hashlib
import struct

from ...application.ports import NewEvent

GENESIS = bytes(32)  # the previous chain hash of position 1
CHAIN_TAG = b"model-orchestrator/chain/1\x00"
_ABSENT = b"\xff\xff\xff\xff"


def event_hash(stream: str, event: NewEvent) -> bytes:
    """SHA-256 over the length-prefixed (4 bytes, big endian) fields; an absent causation id is ff ff ff ff."""
    return hash_fields(
        event.event_id,
        stream,
        event.type,
        event.schema_version,
        event.occurred_at,
        event.causation_id,
        event.correlation_id,
        event.actor,
        event.payload,
    )


def hash_fields(
    event_id: bytes,
    stream: str,
    type: str,
    schema_version: int,
    occurred_at: int,
    causation_id: str | None,
    correlation_id: str,
    actor: str,
    payload: str,
) -> bytes:
    """The event hash of an envelope's fields as they are stored. Integers are hashed as 8 bytes, big endian."""
    fields = (
        event_id,
        stream.encode(),
        type.encode(),
        struct.pack(">q", schema_version),
        struct.pack(">q", occurred_at),
        None if causation_id is None else causation_id.encode(),
        correlation_id.encode(),
        actor.encode(),
        payload.encode(),
    )
    return hashlib.sha256(
        b"".join(_ABSENT if field is None else struct.pack(">I", len(field)) + field for field in fields)
    ).digest()


def chain_hash(previous: bytes, position: int, version: int, recorded_at: int, event_hash: bytes) -> bytes:
    """SHA-256(tag, previous, position, version, recorded_at, event_hash); integers as 8 bytes, big endian."""
    return hashlib.sha256(
        CHAIN_TAG + previous + struct.pack(">qqq", position, version, recorded_at) + event_hash
    ).digest()
