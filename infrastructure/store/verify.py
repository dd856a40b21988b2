"""Checks that the log is what was written: nothing changed, nothing missing, nothing added."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...application.ports import EventStore, RecordedEvent
from ...domain.errors import StoreCorrupted
from .chain import CHAIN_TAG, GENESIS

PAGE = 1000
# An event as a database holds it, its texts as UTF-8, in the order of the columns.
RawEvent = tuple[int, bytes, int, bytes, bytes, int, int, int, bytes | None, bytes, bytes, bytes, bytes, bytes]
Problem = tuple[int, str]  # a position, and what differs there
_ABSENT = b"\xff\xff\xff\xff"
_LENGTH, _MOMENT, _LINK = struct.Struct(">I"), struct.Struct(">Iq"), struct.Struct(">qqq")
_MOST_KEPT = 50_000  # prefixed texts


async def verify_log(store: EventStore) -> list[str]:
    """What is wrong, as "position N: what differs", in order; empty for a sound log. Reads page by page."""
    check = RangeCheck(0, GENESIS, 0)
    head = await store.head()  # before the pages: what is appended meanwhile is read, or left for the next time
    try:
        while page := await store.read_all(after=check.position, limit=PAGE):
            check.read(raw_event(event) for event in page)
    except StoreCorrupted as error:
        return [*said(joined([check.found])), f"position {check.position + 1} or later: {error}"]
    check.expect(head)
    return said(joined([check.found]))


@dataclass(slots=True)
class Found:
    """What a stretch of the log came to."""

    problems: list[Problem] = field(default_factory=list)
    first: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # of each stream: version, position
    last: dict[bytes, int] = field(default_factory=dict)  # its last version
    events: int = 0


def joined(stretches: Sequence[Found]) -> list[Problem]:
    """The problems of stretches that follow each other, in order of position."""
    problems = [problem for stretch in stretches for problem in stretch.problems]
    versions: dict[bytes, int] = {}
    for stretch in stretches:
        for stream, (version, position) in stretch.first.items():
            last = versions.get(stream, 0)
            if version != last + 1:
                problems.append((position, _version(version, last, stream)))
        versions.update(stretch.last)
    return sorted(problems, key=lambda problem: problem[0])


def said(problems: Iterable[Problem]) -> list[str]:
    """Problems as lines."""
    return [f"position {position}: {what}" for position, what in problems]


class RangeCheck:
    """A walk along the chain after a position; `chain` is that event's chain hash, None where it is missing."""

    def __init__(self, after: int, chain: bytes | None, recorded_at: int) -> None:
        self.position = after
        self.found = Found()
        self._chain = chain
        self._recorded_at = recorded_at
        self._prefixed: dict[bytes | int, bytes] = {}

    def read(self, events: Iterable[RawEvent]) -> None:
        """Check the next events. From each on what is stored is trusted, so that one change is reported once."""
        sha256, length, moment, link = hashlib.sha256, _LENGTH.pack, _MOMENT.pack, _LINK.pack
        prefixed = self._prefixed
        problems, first, last = self.found.problems, self.found.first, self.found.last
        chain, recorded_before, expected, count = self._chain, self._recorded_at, self.position + 1, 0
        for position, stream, version, id, type, schema, occurred_at, recorded_at, cause, correlation, actor, payload, \
                event_hash, chain_hash in events:  # fmt: skip
            count += 1
            if position != expected:
                problems.append((expected, f"missing; the next event is at {position}"))
            known = last.get(stream)
            if known is None:
                first[stream] = version, expected
            elif version != known + 1:
                problems.append((expected, _version(version, known, stream)))
            last[stream] = version
            if recorded_at < recorded_before:
                problems.append((expected, "recorded_at is before that of an earlier event"))
            else:
                recorded_before = recorded_at
            data = b"".join(
                (
                    length(len(id)),
                    id,
                    prefixed.get(stream) or self._prefix(stream),
                    prefixed.get(type) or self._prefix(type),
                    prefixed.get(schema) or self._prefix(schema),
                    moment(8, occurred_at),
                    _ABSENT if cause is None else length(len(cause)),
                    cause or b"",
                    prefixed.get(correlation) or self._prefix(correlation),
                    prefixed.get(actor) or self._prefix(actor),
                    length(len(payload)),
                    payload,
                )
            )
            if sha256(data).digest() != event_hash:
                problems.append((expected, "event_hash is not the hash of the event's fields"))
            if chain is not None:
                linked = CHAIN_TAG + chain + link(position, version, recorded_at) + event_hash
                if sha256(linked).digest() != chain_hash:
                    problems.append((expected, "chain_hash is not the hash of the previous one and this event"))
            chain, expected = chain_hash, position + 1
        self._chain, self._recorded_at, self.position = chain, recorded_before, expected - 1
        self.found.events += count

    def expect(self, upto: int) -> None:
        """The walk is over, and events up to this position were to be met."""
        if self.position < upto:
            self.found.problems.append((self.position + 1, f"missing; the log's head is {upto}"))

    def _prefix(self, value: bytes | int) -> bytes:
        """A field that comes again and again, with its length."""
        if len(self._prefixed) >= _MOST_KEPT:
            self._prefixed.clear()
        field = value if isinstance(value, bytes) else struct.pack(">q", value)
        self._prefixed[value] = struct.pack(">I", len(field)) + field
        return self._prefixed[value]


def _version(version: int, last: int, stream: bytes) -> str:
    return f"version {version} follows version {last} of stream {stream.decode(errors='backslashreplace')!r}"


def raw_event(event: RecordedEvent) -> RawEvent:
    """An event as a database holds it."""
    return (
        event.position,
        event.stream.encode(),
        event.version,
        event.event_id,
        event.type.encode(),
        event.schema_version,
        event.occurred_at,
        event.recorded_at,
        None if event.causation_id is None else event.causation_id.encode(),
        event.correlation_id.encode(),
        event.actor.encode(),
        event.payload.encode(),
        event.event_hash,
        event.chain_hash,
    )
