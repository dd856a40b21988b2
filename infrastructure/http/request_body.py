"""The body of a request: whole, within its size and its time, or refused."""

from __future__ import annotations

import asyncio

from .asgi import Receive, Scope, header
from .failure import Refused


class ClientLeft(Exception):
    """The client closed the connection before its request was whole: there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, *, limit: int, timeout: float) -> bytes:
    """All of it. Raises Refused for one that is larger than `limit` bytes, or slower than `timeout` seconds."""
    announced = header(scope, b"content-length") or "0"
    if not announced.isdecimal() or int(announced) > limit:
        raise too_large(limit)
    pieces, size = [], 0
    try:
        async with asyncio.timeout(timeout):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > limit:
                    raise too_large(limit)
                if not message.get("more_body"):
                    return b"".join(pieces)
    except TimeoutError:
        raise Refused(408, "time_out", f"the request was not whole within {timeout:g} s: send it faster") from None


def too_large(limit: int) -> Refused:
    """The refusal of a body."""
    return Refused(413, "too_large", f"the request is larger than {limit:,} bytes: shorten it, or raise max_body")
