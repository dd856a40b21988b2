"""The event store in the domain's words: encodes events, draws their ids, and keeps texts apart from them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

import uuid_utils

from ..application.ports import (
    Append,
    AppendResult,
    BalanceChange,
    Clock,
    Content,
    EventStore,
    LoggedEvent,
    NewEvent,
    RecordedEvent,
    StreamAppend,
)
from ..domain.errors import StoreTooNew
from ..domain.events import ContentRef, RunEvent
from ..domain.request import Request
from ..domain.units import Timestamp
from .content_codec import manifest_from_json, manifest_json, message_from_json, message_json, request_json
from .event_codec import Event, decode, encode
from .event_levels import is_written


class StoredRunLog:
    """RunLog over an event store. `actor` is who acts in every event appended here."""

    def __init__(self, store: EventStore, clock: Clock, actor: str) -> None:
        self.store = store
        self._clock = clock
        self._actor = actor
        self._secret: bytes | None = None

    async def append(
        self,
        run_id: str,
        *,
        expected: int,
        events: Sequence[RunEvent],
        contents: Sequence[Content] = (),
        balances: Sequence[BalanceChange] = (),
        cause: str | None = None,
        beside: Append | None = None,
    ) -> tuple[AppendResult, str]:
        """Append a run's events with their texts, and `beside` with them."""
        new = self.new_events(run_id, events, cause)
        append = Append(
            streams=(StreamAppend(run_id, expected, new), *(beside.streams if beside else ())),
            contents=(*contents, *(beside.contents if beside else ())),
            balances=(*balances, *(beside.balances if beside else ())),
            claim=beside.claim if beside else None,
            cache=beside.cache if beside else None,
        )
        return await self.store.append(append), event_id_text(new[-1].event_id)

    def new_events(self, correlation: str, events: Sequence[Event], cause: str | None = None) -> tuple[NewEvent, ...]:
        """Envelopes for events that happen now; each is caused by the one before it, the first by `cause`."""
        now = self._clock.now()
        new = []
        for event in events:
            new.append(self._envelope(event, now, correlation, cause))
            cause = event_id_text(new[-1].event_id)
        return tuple(new)

    async def read(self, run_id: str) -> Sequence[LoggedEvent]:
        """The run's events, decoded. Raises StoreTooNew for one that this release does not know."""
        recorded = await self.store.read_stream(run_id)
        return [LoggedEvent(event=self.decode(entry), envelope=entry) for entry in recorded]

    def decode(self, entry: RecordedEvent) -> Any:
        """The event of an envelope. Raises StoreTooNew for one that this release does not know."""
        try:
            return decode(entry.type, entry.schema_version, entry.payload)
        except (LookupError, ValueError) as error:
            raise StoreTooNew(f"the log has an event that this build does not know: {error}") from None

    def encode(self, event: RunEvent) -> tuple[str, int, str]:
        """The type, schema version and canonical JSON that the event is stored as."""
        return encode(event, self.store.level)

    def writes(self, event: type[RunEvent]) -> bool:
        """Whether events of a type may be recorded in this database yet."""
        return is_written(event.__name__, self.store.level)

    async def keep_request(
        self, run_id: str, request: Request, subject: str | None
    ) -> tuple[ContentRef, list[Content]]:
        """The manifest under a random id; each message under the HMAC of its text, so that a chat stores it once."""
        secret = await self._content_secret()
        messages = []
        for message in request.messages:
            body = message_json(message)
            ref = "m-" + hmac.digest(secret, f"{subject or ''}\0{body}".encode(), "sha256").hex()[:40]
            messages.append(Content(ref=ref, stream=run_id, subject=subject, salt=b"", body=body))
        manifest = manifest_json([content.ref for content in messages], request.parameters)
        reference, kept = self.keep_text(run_id, manifest, subject)
        return reference, kept + messages

    async def fingerprint(self, request: Request, *facts: str) -> bytes:
        """HMAC-SHA-256, 32 bytes."""
        return hmac.digest(await self._content_secret(), request_json(request, facts).encode(), "sha256")

    def keep_text(self, run_id: str, text: str, subject: str | None) -> tuple[ContentRef, list[Content]]:
        """A text under a random id; the digest is worthless without the salt, which is erased with the text."""
        ref, salt, text = f"c-{uuid_utils.uuid7()}", os.urandom(16), storable(text)
        content = Content(ref=ref, stream=run_id, subject=subject, salt=salt, body=text)
        return ContentRef(ref, content_digest(salt, text)), [content]

    async def request(self, ref: ContentRef) -> Request | None:
        """The request, or None where any part of it was erased."""
        return (await self.requests([ref])).get(ref.id)

    async def requests(self, refs: Iterable[ContentRef]) -> dict[str, Request]:
        """By the reference's id, those of which no part was erased."""
        manifests = {id_: manifest_from_json(text) for id_, text in (await self.texts(refs)).items()}
        stored = await self.store.contents(
            list(dict.fromkeys(name for names, _ in manifests.values() for name in names))
        )
        return {
            id_: Request(messages=tuple(message_from_json(stored[name].body) for name in names), parameters=parameters)
            for id_, (names, parameters) in manifests.items()
            if all(name in stored for name in names)
        }

    async def text(self, ref: ContentRef) -> str | None:
        """The text, or None where it was erased."""
        return (await self.texts([ref])).get(ref.id)

    async def texts(self, refs: Iterable[ContentRef]) -> dict[str, str]:
        """By the reference's id, those that were not erased."""
        stored = await self.store.contents([ref.id for ref in refs])
        return {id_: content.body for id_, content in stored.items()}

    async def answer(self, ref: ContentRef) -> str | None:
        """The text of an answer, or None where it was erased."""
        stored = await self.text(ref)
        return None if stored is None else str(json.loads(stored)["text"])

    async def _content_secret(self) -> bytes:
        if self._secret is None:
            self._secret = await self.store.content_secret()
        return self._secret

    def _envelope(self, event: Event, now: Timestamp, correlation: str, cause: str | None) -> NewEvent:
        name, schema_version, payload = encode(event, self.store.level)
        return NewEvent(
            event_id=uuid_utils.uuid7().bytes,
            type=name,
            schema_version=schema_version,
            occurred_at=now,
            causation_id=cause,
            correlation_id=correlation,
            actor=self._actor,
            payload=payload,
        )


def event_id_text(event_id: bytes) -> str:
    """The id as people write a UUID."""
    return str(uuid_utils.UUID(bytes=event_id))


def storable(text: str) -> str:
    """The text with the escapes of what no database takes: halves of a character, as JSON writes them, and NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def content_digest(salt: bytes, text: str) -> str:
    """SHA-256(salt, text) in hex."""
    return hashlib.sha256(salt + text.encode()).hexdigest()
