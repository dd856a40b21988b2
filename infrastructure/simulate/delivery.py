"""How one reply goes out: whole, streamed, as an error, or lost in the way asked for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from aiohttp import web

from .faults import Fault, Planned
from .protocol import Protocol, Reply

RETRY_AFTER = "1"  # seconds, where a queued fault says nothing else
BROKEN_HALFWAY = (Fault.STREAM_CUT, Fault.STREAM_SHORT, Fault.STREAM_ERROR)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The way back to one caller."""

    request: web.Request
    protocol: Protocol
    headers: dict[str, str]
    hold: float  # seconds that a time-out is held

    def error(self, status: int, kind: str, message: str) -> web.Response:
        """An error reply in the vendor's shape."""
        body = self.protocol.error(status, kind, message)
        return web.json_response(body, status=status, headers=self.headers)

    def failure(self, planned: Planned) -> web.Response:
        """The error reply that a fault asks for."""
        if planned.fault is Fault.REDIRECT:
            return web.Response(status=307, headers={**self.headers, "location": "/v1/elsewhere"})
        response = self.error(*self.protocol.failure(planned.fault))
        if planned.fault is Fault.RATE_LIMIT or planned.retry_after is not None:
            response.headers["retry-after"] = planned.retry_after or RETRY_AFTER
        return response

    async def send(self, reply: Reply, fault: Fault | None) -> web.StreamResponse:
        """The reply, or its loss."""
        match fault:
            case Fault.TIME_OUT:
                await asyncio.sleep(self.hold)
            case Fault.CUT:
                return self._cut(web.Response())
            case Fault.GARBAGE:
                return web.json_response({"choices": [7], "content": 7, "usage": "much"}, headers=self.headers)
            case Fault.HTML:
                return web.Response(text="<html>Sign in</html>", content_type="text/html", headers=self.headers)
        return await (self._stream(reply, fault) if reply.body.get("stream") else self._plain(reply, fault))

    async def _plain(self, reply: Reply, fault: Fault | None) -> web.StreamResponse:
        payload = json.dumps(self.protocol.whole(reply)).encode()
        half = payload[: len(payload) // 2]
        headers = {**self.headers, "content-type": "application/json"}
        if fault is Fault.MALFORMED:
            return web.Response(body=half, headers=headers)
        if fault not in BROKEN_HALFWAY:
            return web.Response(body=payload, headers=headers)
        response = web.StreamResponse(headers={**headers, "content-length": str(len(payload))})
        await response.prepare(self.request)
        await response.write(half)
        return self._cut(response)

    async def _stream(self, reply: Reply, fault: Fault | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={**self.headers, "content-type": "text/event-stream"})
        await response.prepare(self.request)
        for event in self._events(reply, fault):
            await response.write(event.encode())
        if fault is Fault.STREAM_CUT:
            return self._cut(response)
        await response.write_eof()
        return response

    def _events(self, reply: Reply, fault: Fault | None) -> list[str]:
        """The events that a fault lets through."""
        events = self.protocol.events(reply)
        half = events[: len(events) // 2]
        match fault:
            case Fault.STREAM_CUT | Fault.STREAM_SHORT:
                return half
            case Fault.STREAM_ERROR:
                return [*half, self.protocol.error_event()]
            case Fault.MALFORMED:
                return [*half, half[-1].replace("}", "", 1)]
        return events

    def _cut(self, response: web.StreamResponse) -> web.StreamResponse:
        """Break the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return response
