"""An upstream that speaks Chat Completions and answers when the test says so."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

FIRST, SECOND = "Python is ", "a programming language."
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
WAIT = 30.0  # seconds until a test that waits in vain fails


class GatedUpstream:
    """Each call waits at a gate; a streamed one passes its first words before it."""

    def __init__(self) -> None:
        self.address = ""
        self.calls = 0
        self.completed = 0  # answers that were sent to their end
        self._arrived = threading.Semaphore(0)
        self._loop = asyncio.new_event_loop()
        self._gate = asyncio.Event()
        self._stop = asyncio.Event()

    def wait_for_call(self) -> None:
        """Until one more call is there."""
        assert self._arrived.acquire(timeout=WAIT), "no call came"

    def open(self) -> None:
        """Let every call through."""
        self._loop.call_soon_threadsafe(self._gate.set)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls += 1
        if body.get("stream"):
            return await self._stream(request)
        self._arrived.release()
        await self._gate.wait()
        self.completed += 1
        message = {"role": "assistant", "content": FIRST + SECOND}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(
            {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": USAGE}
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(_chunk({"role": "assistant", "content": FIRST}))
        self._arrived.release()
        await self._gate.wait()
        await response.write(_chunk({"content": SECOND}) + _chunk({}, "stop"))
        usage = {
            "id": "x",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "m",
            "choices": [],
            "usage": USAGE,
        }
        await response.write(f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n".encode())
        self.completed += 1
        return response

    def serve(self, ready: threading.Event) -> None:
        """Until the test ends."""
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set()
        await self._stop.wait()
        self._gate.set()
        await runner.cleanup()

    def stop(self) -> None:
        """End the server."""
        self._loop.call_soon_threadsafe(self._stop.set)


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


@contextmanager
def gated_upstream() -> Iterator[GatedUpstream]:
    """One on a free port while the block runs."""
    upstream, ready = GatedUpstream(), threading.Event()
    thread = threading.Thread(target=upstream.serve, args=(ready,), daemon=True)
    thread.start()
    assert ready.wait(WAIT), "the upstream did not start"
    try:
        yield upstream
    finally:
        upstream.stop()
        thread.join(WAIT)


@pytest.fixture
def upstream() -> Iterator[GatedUpstream]:
    """One of this test's own."""
    with gated_upstream() as running:
        yield running
