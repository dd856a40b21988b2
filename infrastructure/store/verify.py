"""Checks that the log is what was written: nothing changed, nothing missing, nothing added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...application.ports import EventStore, RecordedEvent
from ...domain.errors import StoreCorrupted
from .chain import GENESIS, chain_hash, hash_fields

PAGE = 1000


async def verify_log(store: EventStore) -> list[str]:
    """What is wrong, as "position N: what differs", in order; empty for a sound log. Reads page by page."""
    check = LogCheck()
    head = await store.head()  # before the pages: what is appended meanwhile is read, or left for the next time
    problems: list[str] = []
    try:
        while page := await store.read_all(after=check.position, limit=PAGE):
            problems.extend(check.page(page))
    except StoreCorrupted as error:
        return [*problems, f"position {check.position + 1} or later: {error}"]
    if check.position < head:
        problems.append(f"position {check.position + 1}: missing; the log's head is {head}")
    return problems


@dataclass(slots=True)
class LogCheck:
    """A walk along the chain; `position` is the last one seen."""

    position: int = 0
    _chain: bytes = GENESIS
    _recorded_at: int = 0
    _versions: dict[str, int] = field(default_factory=dict)

    def page(self, events: Sequence[RecordedEvent]) -> Iterator[str]:
        """The problems of the next events."""
        for event in events:
            expected = self.position + 1
            for problem in self._problems(event):
                yield f"position {expected}: {problem}"
            # From here on trust what is stored, so that one change is reported once and not for all that follows.
            self.position = event.position
            self._chain = event.chain_hash
            self._recorded_at = max(self._recorded_at, event.recorded_at)
            self._versions[event.stream] = event.version

    def _problems(self, event: RecordedEvent) -> Iterator[str]:
        if event.position != self.position + 1:
            yield f"missing; the next event is at {event.position}"
        last = self._versions.get(event.stream, 0)
        if event.version != last + 1:
            yield f"version {event.version} follows version {last} of stream {event.stream!r}"
        if event.recorded_at < self._recorded_at:
            yield "recorded_at is before that of an earlier event"
        if _hashed(event) != event.event_hash:
            yield "event_hash is not the hash of the event's fields"
        chain = chain_hash(self._chain, event.position, event.version, event.recorded_at, event.event_hash)
        if chain != event.chain_hash:
            yield "chain_hash is not the hash of the previous one and this event"


def _hashed(event: RecordedEvent) -> bytes:
    return hash_fields(
        event.event_id,
        event.stream,
        event.type,
        event.schema_version,
        event.occurred_at,
        event.causation_id,
        event.correlation_id,
        event.actor,
        event.payload,
    )
