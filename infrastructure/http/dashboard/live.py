"""The live feed: each new event of the log as a line of ids, names and amounts; never a text."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, get_args

from starlette.responses import Response, StreamingResponse

from ....application.ports import RecordedEvent
from ....domain.events import RunEvent, RunStarted
from ....projections.audit_trail import trail
from .desk import HEADERS, Desk
from .visit import Visit
from .words import clean, iso

ALIVE = 15.0  # seconds without an event, until a comment says that the stream lives
KNOWN = 2000  # runs whose owner is remembered
_RUN_EVENTS = {one.__name__ for one in get_args(RunEvent)}


class LiveFeed:
    """`/dashboard/live`, as server-sent events. Last-Event-ID says where to go on."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._owners: OrderedDict[str, str | None] = OrderedDict()
        self.position = 0  # of the last event that was looked at, for whomever

    async def stream(self, visit: Visit) -> Response:
        """Without an end, until the visitor leaves or the service stops."""
        head = await self._desk.orchestrator.store.head()
        last = visit.request.headers.get("last-event-id", "")
        after = min(int(last), head) if last.isdecimal() and len(last) < 19 else head
        return StreamingResponse(self._events(visit, after), media_type="text/event-stream", headers=HEADERS)

    async def _events(self, visit: Visit, after: int) -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        stopping = asyncio.create_task(self._desk.service.stopping.wait())
        async with aclosing(self._desk.orchestrator.store.tail(after=after)) as tail:  # type: ignore[type-var]
            coming: asyncio.Task[RecordedEvent] = asyncio.ensure_future(anext(tail))
            try:
                while True:
                    await asyncio.wait((coming, stopping), timeout=ALIVE, return_when=asyncio.FIRST_COMPLETED)
                    if stopping.done():
                        return
                    if not coming.done():
                        yield b": alive\n\n"
                        continue
                    entry = coming.result()
                    self.position = entry.position
                    if entry.type in _RUN_EVENTS and (event := await self._seen(visit, entry)) is not None:
                        data = json.dumps(_line(entry, event))
                        yield f"id: {entry.position}\nevent: happened\ndata: {data}\n\n".encode()
                    coming = asyncio.ensure_future(anext(tail))
            finally:
                for task in (coming, stopping):
                    task.cancel()
                await asyncio.wait((coming, stopping))

    async def _seen(self, visit: Visit, entry: RecordedEvent) -> Any | None:
        """The event, where it is the visitor's to see."""
        event = self._desk.orchestrator.log.decode(entry)
        if visit.sees_all or visit.sees(await self._owner(entry.stream, event)):
            return event
        return None

    async def _owner(self, stream: str, event: Any) -> str | None:
        if isinstance(event, RunStarted):
            self._owners[stream] = event.owner
        elif stream not in self._owners:
            first = (await self._desk.orchestrator.store.read_stream(stream))[:1]
            begun = self._desk.orchestrator.log.decode(first[0]) if first else None
            self._owners[stream] = begun.owner if isinstance(begun, RunStarted) else None
        while len(self._owners) > KNOWN:
            self._owners.popitem(last=False)
        return self._owners.get(stream)


def _line(entry: RecordedEvent, event: Any) -> dict[str, str | int]:
    (told,) = trail([(entry.version, entry.recorded_at, event)])
    return {
        "position": entry.position,
        "at": iso(entry.recorded_at),
        "run": entry.stream,
        "type": entry.type,
        "says": clean(told.says),
    }
