"""The few words of ASGI that endpoints on the hot path speak without a framework."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")


def header(scope: Scope, name: bytes) -> str | None:
    """A header of the request, by its name in lower case; the first where it comes twice."""
    for known, value in scope["headers"]:
        if known == name:
            return str(value.decode("latin-1"))
    return None


async def break_off(scope: Scope) -> None:
    """Cut the connection: what was begun cannot be ended in good order, and must not look as if it were."""
    abort: Callable[[], None] = scope["state"].get("abort", lambda: None)
    abort()
    await asyncio.sleep(0)  # until the server knows


async def respond(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = (JSON,)) -> None:
    """One whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
