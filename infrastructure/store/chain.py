"""The hashes that make the log prove itself.

event_hash covers what the writer said; chain_hash covers where and when it was recorded, and everything before it.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import sha256

from ...application.ports import NewEvent

GENESIS = bytes(32)  # the previous chain hash of position 1
CHAIN_TAG = b"model-orchestrator/chain/1\x00"
_ABSENT = b"\xff\xff\xff\xff"
_LENGTH = struct.Struct(">I").pack
_INTEGER = struct.Struct(">Iq").pack  # with its length, 8
_PLACE = struct.Struct(">qqq").pack


def event_hash(stream: str, event: NewEvent) -> bytes:
    """The hash of what the writer says. Raises UnicodeEncodeError, struct.error for what cannot be hashed."""
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
    """SHA-256 over the length-prefixed (4 bytes, big endian) fields of an envelope, as they are stored.

    Integers are hashed as 8 bytes, big endian; an absent causation id is ff ff ff ff.
    """
    fields = (
        _bytes(event_id),
        _text(stream),
        _kind(type, schema_version),
        _INTEGER(8, occurred_at),
        _ABSENT if causation_id is None else _text(causation_id),
        _text(correlation_id),
        _text(actor),
        _text(payload),
    )
    return sha256(b"".join(fields)).digest()


def _bytes(field: bytes) -> bytes:
    return _LENGTH(len(field)) + field


def _text(field: str) -> bytes:
    encoded = field.encode()
    return _LENGTH(len(encoded)) + encoded


@lru_cache(maxsize=256)  # there are as many as types of events
def _kind(type: str, schema_version: int) -> bytes:
    return _text(type) + _INTEGER(8, schema_version)


def chain_hash(previous: bytes, position: int, version: int, recorded_at: int, event_hash: bytes) -> bytes:
    """SHA-256(tag, previous, position, version, recorded_at, event_hash); integers as 8 bytes, big endian."""
    return sha256(CHAIN_TAG + previous + _PLACE(position, version, recorded_at) + event_hash).digest()
