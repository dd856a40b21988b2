"""One log line a request: what was asked, what was answered, and how long it took; no body, no query, no key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import quote

from .asgi import ASGIApp, Message, Receive, Scope, Send

CLIENT = "client"  # where scope["state"] says who asks: the name of a key, or local
RUN_ID = b"x-run-id"  # the answer's header that names the run
LONGEST_PATH = 200


class AccessLog:
    """ASGI middleware. `served` gets a line's figures, as RunLogging.served; it belongs around all others."""

    def __init__(self, app: ASGIApp, served: Callable[..., None]) -> None:
        self._app = app
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, then log; what the application raises is logged as status 500 and passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})  # the same for whoever writes into it further in
        exchange, began = _Exchange(receive, send), perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            exchange.status = exchange.status or (None if exchange.client_left else 500)
            raise
        finally:
            self._served(
                method=str(scope["method"])[:10],
                path=quote(scope["path"], safe="/:@!$&'()*+,;=~")[:LONGEST_PATH],
                status=exchange.status,
                ms=round(1000 * (perf_counter() - began), 1),
                bytes=exchange.bytes,
                client=scope["state"].get(CLIENT),
                run_id=exchange.run_id,
                client_left=exchange.client_left,
            )


@dataclass(slots=True)
class _Exchange:
    """What passes between a client and the application."""

    _receive: Receive
    _send: Send
    status: int | None = None  # None: no answer was begun
    bytes: int = 0  # of the body
    run_id: str | None = None
    client_left: bool = False  # before the answer was whole
    _is_whole: bool = False

    async def receive(self) -> Message:
        """A message from the client."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._is_whole:
            self.client_left = True
        return message

    async def send(self, message: Message) -> None:
        """A message to the client. Raises OSError where it is gone."""
        try:
            await self._send(message)
        except OSError:
            self.client_left = True
            raise
        if message["type"] == "http.response.start":
            self.status = message["status"]
            named = [value for name, value in message.get("headers", ()) if name.lower() == RUN_ID]
            self.run_id = named[0].decode("latin-1") if named else None
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
