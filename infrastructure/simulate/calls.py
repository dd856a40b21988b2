"""One call as the simulated provider handles it: count it, bill it, then answer or fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from ...domain.pricing import Usage
from ...domain.tokens import estimate_tokens
from ..providers.simulated_text import Asked, write
from .delivery import Delivery
from .faults import HEADER, UNBILLED, Fault, FaultBook, UnknownFault
from .protocol import REFUSAL_TEXT, BadBody, Protocol, Reply
from .stats import Stats

UNREADABLE = "(unreadable)"  # the model of a body that names none
Watch = Callable[[str, str, Usage], None]  # gets the request id that the caller is told, the model, and what is billed


def nobody(request_id: str, model: str, usage: Usage) -> None:
    """Does not watch."""


class CallHandler:
    """Handles calls of both protocols; `open` counts those whose answer is on its way."""

    def __init__(
        self, stats: Stats, faults: FaultBook, *, latency: float, hold: float, as_real: bool, watch: Watch = nobody
    ) -> None:
        self._stats, self._faults, self._watch = stats, faults, watch
        self._latency, self._hold, self._as_real = latency, hold, as_real
        self._count = 0
        self.open = 0

    async def handle(self, request: web.Request, protocol: Protocol) -> web.StreamResponse:
        """The reply to one call, however it ends."""
        self._count += 1
        name = f"{self._count:08x}"
        headers = {"x-request-id": f"req_{name}", "request-id": f"req_{name}"}
        if not self._as_real:
            headers["x-simulated"] = "1"
        return await self._handle(Delivery(request, protocol, headers, hold=self._hold), name)

    async def _handle(self, delivery: Delivery, name: str) -> web.StreamResponse:
        request, protocol = delivery.request, delivery.protocol
        try:
            body = _parsed(await request.read())
            asked = protocol.asked(body)
            header = request.headers.get(HEADER)
            planned = self._faults.next(header=header, model=asked.model, prompt=asked.prompt)
        except (BadBody, UnknownFault) as error:
            self._stats.called(UNREADABLE)
            return delivery.error(400, "invalid_request", str(error))
        except (AttributeError, KeyError, TypeError) as error:
            self._stats.called(UNREADABLE)
            return delivery.error(400, "invalid_request", f"the body has another shape: {error}")
        self._stats.called(asked.model)
        if planned is not None and planned.fault in UNBILLED:
            return delivery.failure(planned)
        fault = planned.fault if planned else None
        reply = _reply(asked, body, fault, name)
        self._stats.billed(asked.model, reply.written.usage)  # also where the answer gets lost on its way
        self._watch(delivery.headers["request-id"], asked.model, reply.written.usage)
        self.open += 1
        try:
            await asyncio.sleep(self._latency)
            return await delivery.send(reply, fault)
        finally:
            self.open -= 1


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        raise BadBody("the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise BadBody("the body must be a JSON object")
    return body


def _reply(asked: Asked, body: dict[str, Any], fault: Fault | None, name: str) -> Reply:
    """What the model writes, as the fault has it."""
    written = write(asked)
    refusal = fault is Fault.REFUSAL
    if refusal:
        written = replace(written, tool_calls=(), usage=replace(written.usage, output=estimate_tokens(REFUSAL_TEXT)))
    written = replace(written, usage=_special(written.usage, fault))
    usage = None if fault is Fault.NO_USAGE else written.usage
    return Reply(id=name, asked=asked, body=body, written=written, usage=usage, refusal=refusal)


def _special(usage: Usage, fault: Fault | None) -> Usage:
    """Half of the input from the cache, or half of the output reasoned."""
    if fault is Fault.CACHED:
        cached = usage.input_uncached // 2
        return replace(usage, input_uncached=usage.input_uncached - cached, cache_read=cached)
    if fault is Fault.REASONING:
        return replace(usage, output=usage.output - usage.output // 2, reasoning=usage.output // 2)
    return usage
