"""What keeps other people's web pages away from the service, and what its answers tell browsers.

A page may not spend money here: a request that changes something is refused where it comes from another origin, and
JSON must call itself JSON, so that no plain form can send it. While no key protects the service it answers only to
names of this machine, since any name can be made to lead here.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from .asgi import ASGIApp, Headers, Message, Receive, Scope, Send, header
from .failure import Refused

SAFE = ("GET", "HEAD", "OPTIONS")
ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type, idempotency-key, x-api-key, last-event-id"),
    (b"access-control-max-age", b"600"),
]


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def host_of(scope: Scope) -> str:
    """The name that the client called the service by, without the port; empty where it said none."""
    return urlsplit("//" + (header(scope, b"host") or "")).hostname or ""


def is_local(scope: Scope) -> bool:
    """Whether the request came to this machine's own address, under a name of this machine."""
    server = scope.get("server")
    return server is not None and is_loopback(server[0]) and is_loopback(host_of(scope))


class Guard:
    """Refuses what comes from elsewhere, answers CORS, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise Refused."""
        origin = header(scope, b"origin")
        more = list(ALWAYS)
        if origin is not None and origin in self._origins:
            more += [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
            if scope["method"] == "OPTIONS":
                await send({"type": "http.response.start", "status": 204, "headers": [*more, *PREFLIGHT]})
                await send({"type": "http.response.body", "body": b""})
                return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)

        if scope["method"] not in SAFE:
            self._check(scope, origin)
        await self._app(scope, receive, answer)

    def _check(self, scope: Scope, origin: str | None) -> None:
        """Raises Refused for what another site's page sends."""
        if origin is not None and origin not in self._origins and urlsplit(origin).netloc != header(scope, b"host"):
            raise Refused(403, "forbidden", "web pages of other origins may not call this: see allowed_origins")
        if origin is None and header(scope, b"sec-fetch-site") == "cross-site":
            raise Refused(403, "forbidden", "web pages of other origins may not call this: see allowed_origins")


def check_json(scope: Scope) -> None:
    """Raises Refused where a body is not said to be JSON."""
    kind = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refused(415, "media_type", "send the body as JSON, with content-type: application/json")
