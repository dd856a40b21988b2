"""A connection with limits that the HTTP parser does not have: how long a head may be, and how long it may take.

What is no body is measured as a head is: chunks may carry notes, and be followed by headers without end.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ..service_settings import ServiceSettings

LONGEST_URL = 65_535  # bytes that httptools takes apart; a longer one would be no HTTP to it
ASK_FOR_MORE = (b"connection", b"upgrade", b"http2-settings")  # headers that ask for another protocol


class LimitedProtocol(HttpToolsProtocol):
    """One connection. The limits are the application's."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._limits: ServiceSettings = self.app.limits  # of our application
        self._overhead = 0  # bytes since a head was whole, a piece of a body came, or a request ended
        self._served: RequestResponseCycle | None = None  # others may wait behind it
        self._data = b""  # what is being read
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit it, unless there are too many already."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            self._refuse(503, "Service Unavailable", "retry-after: 1\r\n")
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Its timer goes with it."""
        self._wait_no_more()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that grows without an end is refused, and what grows so around a body."""
        if self.transport.is_closing():
            return
        self._overhead += len(data)
        self._data = data
        super().data_received(data)
        if self._overhead > self._limits.max_headers:
            self._refuse(431, "Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A new request: its head has its own time."""
        super().on_message_begin()
        self.scope["state"]["abort"] = self.transport.abort  # for who takes nothing of what it is sent
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._asks_for_more():
            return
        self._overhead = 0
        self._wait_no_more()
        head = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if head > self._limits.max_headers or len(self.url) > LONGEST_URL:
            self._refuse(431, "Request Header Fields Too Large")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Nothing follows a head that was refused."""
        self._overhead = 0
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Likewise."""
        if self._asks_for_more():
            return
        self._overhead = 0
        self._wait_no_more()
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Of a request that was answered before it was whole the rest is passed over, but not for ever."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and self._deadline is None:
            self._deadline = self.loop.call_later(self._limits.read_timeout, self.transport.close)

    def _asks_for_more(self) -> bool:
        """Whether the request would go on in another protocol, as some clients ask of every server: HTTP/2, mostly."""
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _unsupported_upgrade_warning(self) -> None:
        """Read such a request anew as if it had not asked: the parser takes nothing of it behind its head."""
        upgrade = sys.exc_info()[1]
        assert isinstance(upgrade, HttpParserUpgrade)
        kept = [b"%s: %s" % one for one in self.headers if one[0] not in ASK_FOR_MORE]
        start = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        self.parser = HttpRequestParser(self)
        super().data_received(b"\r\n".join((start, *kept, b"", self._data[upgrade.args[0] :])))

    def send_400_response(self, msg: str) -> None:
        """Likewise of what is no HTTP."""
        if self._is_answering():
            self.transport.close()
        else:
            super().send_400_response(msg)
        self._leave()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        """Whether an answer is half-way out."""
        return self._served is not None and self._served.response_started and not self._served.response_complete

    def _leave(self) -> None:
        """Tell whoever serves a request that its client is gone; the server tells it of the last one it read only."""
        if self._served is not None and not self._served.response_complete:
            self._served.disconnected = True
            self._served.message_event.set()

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self._limits.read_timeout, self._refuse, 408, "Request Timeout")

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int, phrase: str, more: str = "") -> None:
        """Say so in the least words, unless an answer is half-way out, and close."""
        if self.transport.is_closing():
            return
        if not self._is_answering():
            head = f"HTTP/1.1 {status} {phrase}\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode())
        self.transport.close()
        self._leave()
