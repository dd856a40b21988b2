"""The loopback server: one handler for both protocols, and a control side for tests.

`GET /stats` counts; `POST /faults` queues faults for calls to come and `DELETE /faults` forgets them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import web

from .anthropic_protocol import AnthropicProtocol
from .calls import CallHandler, Watch, nobody
from .faults import Fault, FaultBook
from .openai_protocol import OpenAIProtocol
from .stats import Stats

MODELS = (
    "gpt-4o-mini", "gpt-4o", "gpt-4",
    "claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022", "claude-3-opus-20240229",
)  # fmt: skip
BODY_LIMIT = 32 * 1024 * 1024  # bytes; Anthropic's own, see its error page


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """How the server behaves."""

    latency: float = 0.0  # seconds before each answer
    seed: int = 0  # of the faults that come by chance
    as_real: bool = False  # do not say that it is simulated
    rates: Mapping[Fault, float] = field(default_factory=dict)  # share of calls, 0..1
    hold: float = 3600.0  # seconds that a time-out is held
    watch: Watch = nobody  # is told of every call that is billed


class Simulator:
    """The server's state and routes."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.stats = Stats()
        self.faults = FaultBook(rates=options.rates, seed=options.seed)
        self.calls = CallHandler(
            self.stats,
            self.faults,
            latency=options.latency,
            hold=options.hold,
            as_real=options.as_real,
            watch=options.watch,
        )

    def app(self) -> web.Application:
        """The routes of both protocols and of the control side."""
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_post("/v1/chat/completions", partial(self.calls.handle, protocol=OpenAIProtocol()))
        app.router.add_post("/v1/messages", partial(self.calls.handle, protocol=AnthropicProtocol()))
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stats", self._show_stats)
        app.router.add_post("/faults", self._queue_faults)
        app.router.add_delete("/faults", self._clear_faults)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        """The models it is best known as; it answers for any."""
        known = dict.fromkeys((*MODELS, *self.stats.by_model))
        listed = [{"id": model, "object": "model", "created": 0, "owned_by": "simulated"} for model in known]
        return web.json_response({"object": "list", "data": listed})

    async def _show_stats(self, request: web.Request) -> web.Response:
        return web.json_response(self.stats.shown())

    async def _queue_faults(self, request: web.Request) -> web.Response:
        try:
            entries = json.loads(await request.read())
            for entry in entries if isinstance(entries, list) else [entries]:
                self.faults.queue(entry)
        except ValueError as error:
            return web.json_response({"error": {"message": str(error)}}, status=400)
        return web.json_response({"queued": True})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return web.json_response({"queued": False})


@asynccontextmanager
async def serving(simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """The server while the block runs; yields its address. Raises OSError where the port is taken."""
    runner = web.AppRunner(simulator.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        address: Any = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{shown}:{address[1]}"
    finally:
        await asyncio.shield(runner.cleanup())
