"""How far one call got: whether its request began to leave, and what the reply's headers said.

The HTTP client reports to the `Wire` of the task that made the call; so whether a failure can have been billed is
measured, not guessed from the exception. Bytes that an HTTP proxy gets for its tunnel count as sent: the safe side.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 600.0  # seconds without a byte, where the call sets no time-out of its own


@dataclass(slots=True)
class Wire:
    """The state of one call on its way."""

    sent: bool = False  # the first byte of the request may have left
    headers: Mapping[str, str] = field(default_factory=dict)  # of the reply; names in any case


current: ContextVar[Wire] = ContextVar("wire")


async def _watch_request(request: Any) -> None:
    """Ask the transport to report the moment the request starts to leave."""
    wire = current.get(None)
    if wire is None:
        return

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            wire.sent = True

    request.extensions = {**request.extensions, "trace": trace}


async def _watch_response(response: Any) -> None:
    """Keep the headers, which the SDKs hide behind their parsed objects."""
    wire = current.get(None)
    if wire is not None:
        wire.headers = response.headers


def http_options() -> dict[str, Any]:
    """Options of the SDKs' HTTP client: watched, and following no redirect with a key in hand."""
    return {
        "event_hooks": {"request": [_watch_request], "response": [_watch_response]},
        "follow_redirects": False,
    }
