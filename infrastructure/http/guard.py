"""What keeps other people's web pages away from the service, and what its answers tell browsers.

A page may not spend money here: a request that changes something is refused where it comes from another origin, and
JSON must call itself JSON, so that no plain form can send it. While no key protects the service it answers only to
names of this machine, since any name can be made to lead here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from .asgi import Headers, Scope, header
from .failure import Refused

SAFE = ("GET", "HEAD", "OPTIONS")
ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type, idempotency-key, x-api-key, last-event-id"),
    (b"access-control-max-age", b"600"),
]


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def host_of(scope: Scope) -> str:
    """The name that the client called the service by, without the port; empty where it said none, or no name."""
    try:
        return urlsplit("//" + (header(scope, b"host") or "")).hostname or ""
    except ValueError:  # brackets with no address in them
        return ""


def is_local(scope: Scope, names: Sequence[str] = ()) -> bool:
    """Whether the request came to this machine's own address, under a name of this machine or one of `names`."""
    server, host = scope.get("server"), host_of(scope)
    return server is not None and is_loopback(server[0]) and (is_loopback(host) or host in names)


class Guard:
    """Refuses what comes from elsewhere, and answers CORS for the origins that may call the API."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)

    def headers(self, scope: Scope) -> Headers:
        """What every answer to the request says to browsers."""
        origin = header(scope, b"origin")
        if origin is None or origin not in self._origins:
            return ALWAYS
        allowed = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
        return [*ALWAYS, *allowed, *(PREFLIGHT if scope["method"] == "OPTIONS" else [])]

    def is_preflight(self, scope: Scope) -> bool:
        """Whether a browser asks if a page of an allowed origin may call."""
        return scope["method"] == "OPTIONS" and header(scope, b"origin") in self._origins

    def check(self, scope: Scope) -> None:
        """Raises Refused for what another site's page sends."""
        if scope["method"] in SAFE:
            return
        origin = header(scope, b"origin")
        elsewhere = header(scope, b"sec-fetch-site") == "cross-site"
        if origin is not None:
            elsewhere = origin not in self._origins and origin.partition("://")[2] != header(scope, b"host")
        if elsewhere:
            raise Refused(403, "forbidden", "web pages of other origins may not call this: see allowed_origins")


def check_json(scope: Scope) -> None:
    """Raises Refused where a body is not said to be JSON."""
    kind = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refused(415, "media_type", "send the body as JSON, with content-type: application/json")
