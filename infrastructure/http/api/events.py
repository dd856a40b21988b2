"""The log: in pages, and live as server-sent events whose ids are positions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ....application.event_documents import event_dict
from ....application.key_book import KEY_PREFIX
from ....application.ports import RecordedEvent
from ....application.run_options import nearest
from ....application.runs import RUN_PREFIX
from ....domain.errors import InvalidRequest
from ....domain.events import KeyRevoked
from ...bootstrap import Orchestrator
from ...event_codec import EVENT_TYPES
from ..asgi import Receive, Scope, Send, break_off, respond
from ..authentication import Identity
from ..completions import STREAM
from ..service import Service
from .access import READ, allowed
from .query import Query, whole_number
from .replies import json_reply

PAGE, MOST = 100, 1000  # events
PAGES = 20  # pages of MOST that one request reads for an owner who has few events in them
ALIVE = 10.0  # seconds without an event until a comment says that the stream lives
KNOWN_RUNS = 10_000  # runs whose owner is remembered
END = 2**63 - 1
Tail = AsyncGenerator[RecordedEvent, None]


class Seen:
    """Which events concern who asks: all, or those of their runs."""

    def __init__(self, orchestrator: Orchestrator, identity: Identity, types: tuple[str, ...] = ()) -> None:
        self._orchestrator = orchestrator
        self._identity = identity
        self._types = types
        self._owners: dict[str, str | None] = {}

    async def has(self, entry: RecordedEvent) -> bool:
        """Whether it is shown."""
        if self._types and entry.type not in self._types:
            return False
        return self._identity.sees_all or await self._owner(entry) == self._identity.owner

    def ends_with(self, entry: RecordedEvent) -> bool:
        """Whether nothing is to be shown from this event on: the key is revoked, or from now on one is needed."""
        if not entry.stream.startswith(KEY_PREFIX):
            return False
        event, key = self._orchestrator.log.decode(entry), self._identity.key
        return key is None or (isinstance(event, KeyRevoked) and event.id == key.id)

    async def _owner(self, entry: RecordedEvent) -> str | None:
        stream = entry.stream
        if not stream.startswith(RUN_PREFIX):
            return None
        if stream not in self._owners:
            if len(self._owners) >= KNOWN_RUNS:
                self._owners.clear()
            first = entry if entry.version == 1 else (await self._orchestrator.store.read_stream(stream))[0]
            self._owners[stream] = getattr(self._orchestrator.log.decode(first), "owner", None)
        return self._owners[stream]


class Events:
    """GET /events."""

    def __init__(self, service: Service) -> None:
        self._orchestrator = service.orchestrator

    async def listed(self, request: Request) -> Response:
        """Events behind a position, in order; `next` is the position to go on behind."""
        identity = allowed(request, READ)
        query = Query(request, "after", "limit", "types")
        after = query.whole("after", 0, least=0, most=END)
        limit = query.whole("limit", PAGE, least=1, most=MOST)
        types = types_of(query)
        seen = Seen(self._orchestrator, identity)
        found: list[RecordedEvent] = []
        for _ in range(PAGES):
            wanted = limit if identity.sees_all else MOST
            page = await self._orchestrator.store.read_all(after=after, limit=wanted, types=types)
            for entry in page:
                after = entry.position
                if await seen.has(entry):
                    found.append(entry)
                if len(found) == limit:
                    break
            if len(found) == limit or len(page) < wanted:
                break
        return json_reply({"events": [event_dict(entry) for entry in found], "next": after})


class EventStream:
    """GET /events/stream: bare ASGI, open until the client leaves, its key is revoked, or the service stops."""

    def __init__(self, service: Service, alive: Callable[[], float] = lambda: ALIVE) -> None:
        self._service = service
        self._alive = alive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every event behind `after`, or Last-Event-ID, or from now on, as it is committed."""
        request = Request(scope, receive)
        identity = allowed(request, READ)
        query = Query(request, "after", "types")
        types = types_of(query)
        after = await self._after(request, query)
        if scope["method"] == "HEAD":
            await respond(send, 200, b"", STREAM)
            return
        orchestrator = self._service.orchestrator
        seen = Seen(orchestrator, identity, types)
        feed = _Feed(self._service, scope, send, self._alive())
        async with aclosing(cast(Tail, orchestrator.store.tail(after=after))) as tail:
            await feed.run(tail, seen, receive, after)

    async def _after(self, request: Request, query: Query) -> int:
        """Where to begin; what the browser says of its last event goes before the address it began with."""
        last = request.headers.get("last-event-id")
        if last is not None:
            return whole_number("last-event-id", last, least=0, most=END)
        if query.text("after") is not None:
            return query.whole("after", 0, least=0, most=END)
        return await self._service.orchestrator.store.head()


class _Feed:
    """One client's stream."""

    def __init__(self, service: Service, scope: Scope, send: Send, alive: float) -> None:
        self._service = service
        self._scope = scope
        self._send = send
        self._alive = alive

    async def run(self, tail: Tail, seen: Seen, receive: Receive, position: int) -> None:
        """Pass on what is seen."""
        await self._send({"type": "http.response.start", "status": 200, "headers": STREAM})
        left = asyncio.ensure_future(_until_left(receive))
        stopped = asyncio.ensure_future(self._service.stopping.wait())
        coming = asyncio.ensure_future(anext(tail))
        try:
            await self._write(_comment(position))
            wrote = time.monotonic()
            while not (left.done() or stopped.done()):
                wait = max(0.0, wrote + self._alive - time.monotonic())
                await asyncio.wait((coming, left, stopped), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                data = b""
                if coming.done():
                    entry = coming.result()
                    if seen.ends_with(entry):
                        break
                    position = entry.position
                    coming = asyncio.ensure_future(anext(tail))
                    data = _event(entry) if await seen.has(entry) else b""
                if data or time.monotonic() - wrote >= self._alive:
                    await self._write(data or _comment(position))
                    wrote = time.monotonic()
            if not left.done():
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except StopAsyncIteration:  # the store was closed
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:  # the client takes nothing any more
            await break_off(self._scope)
        finally:
            for task in (left, stopped, coming):
                task.cancel()
            await asyncio.gather(left, stopped, coming, return_exceptions=True)

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(self._service.limits.write_timeout):
            await self._send({"type": "http.response.body", "body": data, "more_body": True})


def types_of(query: Query) -> tuple[str, ...]:
    """The types asked for; none: all. Raises InvalidRequest for an unknown one."""
    for name in (types := query.words("types")):
        if name not in EVENT_TYPES:
            raise InvalidRequest(f"there is no event type {name[:64]!r}: {nearest(name[:64], list(EVENT_TYPES))}")
    return types


def _event(entry: RecordedEvent) -> bytes:
    document: dict[str, Any] = event_dict(entry)
    return b"id: %d\ndata: %s\n\n" % (entry.position, msgspec.json.encode(document))


def _comment(position: int) -> bytes:
    """A sign of life that no reader takes for an event, and how far the log was read."""
    return b": alive\nid: %d\n\n" % position


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
