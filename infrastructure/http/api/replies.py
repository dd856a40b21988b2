"""Answers of the native API, and the threads in which read models are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from ..failure import Refused

T = TypeVar("T")
THREADS = 4  # read models asked at once by one worker
WAITING = 64  # questions that may wait for a thread


def json_reply(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON document; what is Decimal must be text already."""
    return Response(msgspec.json.encode(document), status, dict(headers or {}), "application/json")


class Questions:
    """Asks blocking questions in a bounded number of threads, so that the loop goes on."""

    def __init__(self, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._free = asyncio.Semaphore(threads)
        self._most = threads + waiting
        self._asked = 0

    async def ask(self, question: Callable[[], T]) -> T:
        """The answer. Raises Refused with 503 at once where too many wait already."""
        if self._asked >= self._most:
            raise Refused(503, "overloaded", "too many reports are under way: ask again", retry_after=1)
        self._asked += 1
        try:
            async with self._free:
                return await asyncio.to_thread(question)
        finally:
            self._asked -= 1
