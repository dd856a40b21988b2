"""Both protocols over aiohttp alone: the same calls, answers and errors as the SDK adapters, for a fifth of the CPU.

An SDK takes more than a millisecond of CPU a call to build, validate and trace objects that are read once, as plain
JSON, here; and up to 1.5 s to import. What it does that matters is here, in `lean_connections` and in `event_stream`:
one POST, one reply read to its end, nothing retried, no redirect followed, no cookie kept. The tests hold both against
each other.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...application.ports import ModelCall
from . import wire
from .anthropic_request import version_of
from .dialects import AnthropicDialect, OpenAIDialect
from .event_stream import EventReader, StreamEvent
from .reply import Malformed, Reply, need
from .vendor_client import NO_KEY, VendorClient, is_streamed

if TYPE_CHECKING:
    import aiohttp

HEADERS = {
    "accept": "application/json",
    "content-type": "application/json",
    "user-agent": f"model-orchestrator/{__version__}",
}
LARGEST_REPLY = 64 * 1024 * 1024  # bytes
AT_ONCE = 1024 * 1024  # bytes of a body that are written in one piece
AFTER_THE_END = 0.1  # seconds that a stream gets to end after its last event, so that its connection can be kept


class ErrorReply(Exception):
    """An error status, or an error inside a stream, in the shape that the error map reads."""

    def __init__(self, status: int, headers: Mapping[str, str], body: object) -> None:
        super().__init__(f"Error code: {status}")
        self.status_code, self.headers, self.body = status, headers, body

    @property
    def response(self) -> ErrorReply:
        """Has the headers, as an SDK's response does."""
        return self


class LeanClient(VendorClient):
    """Asks over aiohttp; each event loop has connections of its own."""

    PATH: str  # of the calls, below the address

    def __init__(self, api_key: str | None, base_url: str | None) -> None:
        super().__init__(api_key, base_url)
        self._url = self._base_url + self.PATH
        self._own_headers = {**HEADERS, "authorization": f"Bearer {self._key or NO_KEY}"}
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    async def aclose(self) -> None:
        """Close its connections, also those of loops that are closed; those of another running loop are left."""
        here = asyncio.get_running_loop()
        for loop, session in list(self._sessions.items()):
            if loop is here or loop.is_closed():
                del self._sessions[loop]
                await session.close()

    def _open(self) -> None:
        from . import lean_connections  # noqa: F401

    async def _ask(self, body: dict[str, Any], reply: Reply, call: ModelCall) -> None:
        from .lean_connections import BOUNDED, UNBOUNDED

        streamed = is_streamed(reply, call)
        data = _encoded({**body, **self._streamed()} if streamed else body)
        session = await self._session()
        # Headers of the session would go to a proxy too, and the key with them.
        async with session.post(
            self._url,
            data=data,
            headers=self._headers(body),
            timeout=UNBOUNDED if call.timeout is None else BOUNDED,
            allow_redirects=False,
        ) as response:
            if (way := wire.current.get(None)) is not None:
                way.headers = response.headers
            if not 200 <= response.status < 300:
                text = (await _read(response)).decode("utf-8", "replace").strip()
                raise ErrorReply(response.status, response.headers, self._error(_decoded_or_text(text)))
            if streamed:
                await self._read_stream(response, reply)
            else:
                reply.whole(need(_decoded(await _read(response)), dict, "reply"))

    async def _read_stream(self, response: aiohttp.ClientResponse, reply: Reply) -> None:
        """Every event to the last; then a moment for the reply to end in good order."""
        events = EventReader()
        async for chunk in response.content.iter_any():
            for event in events.feed(chunk):
                if not self._take(event, reply, response):
                    await _drain(response)
                    return
        events.end()

    async def _session(self) -> aiohttp.ClientSession:
        """The running loop's connections; where they are new, those of closed loops are closed."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            from .lean_connections import open_session

            session = self._sessions[loop] = open_session(self._base_url)
            for left in [self._sessions.pop(other) for other in list(self._sessions) if other.is_closed()]:
                await left.close()
        return session

    @abstractmethod
    def _headers(self, body: dict[str, Any]) -> dict[str, str]:
        """The headers of a call with this body."""

    def _error(self, body: Any) -> Any:
        """What an error's body says."""
        return body

    @abstractmethod
    def _take(self, event: StreamEvent, reply: Reply, response: aiohttp.ClientResponse) -> bool:
        """Add one event to the reply; False after the last. Raises ErrorReply for one that is an error."""


class LeanOpenAIClient(OpenAIDialect, LeanClient):
    """Chat Completions over aiohttp."""

    PATH = "/chat/completions"

    def __init__(self, api_key: str | None, base_url: str | None) -> None:
        """At OpenAI, the organization and project that the environment names are told too: they say who pays."""
        super().__init__(api_key, base_url)
        if self.at_vendor:
            named = {"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"}
            self._own_headers |= {name: os.environ[its] for name, its in named.items() if os.environ.get(its)}

    def _headers(self, body: dict[str, Any]) -> dict[str, str]:
        return self._own_headers

    def _error(self, body: Any) -> Any:
        return body.get("error", body) if isinstance(body, dict) else body

    def _take(self, event: StreamEvent, reply: Reply, response: aiohttp.ClientResponse) -> bool:
        if event.data.startswith(b"[DONE]"):
            return False
        chunk = need(_decoded(event.data), dict, "event")
        if chunk.get("error"):
            raise ErrorReply(response.status, response.headers, chunk["error"])
        reply.add(chunk)
        return True


class LeanAnthropicClient(AnthropicDialect, LeanClient):
    """Messages over aiohttp."""

    PATH = "/v1/messages"

    def _headers(self, body: dict[str, Any]) -> dict[str, str]:
        return {**self._own_headers, "anthropic-version": version_of(body)}

    def _take(self, event: StreamEvent, reply: Reply, response: aiohttp.ClientResponse) -> bool:
        """An event without a name is none of this protocol's, and is passed over."""
        if event.name == b"error":
            text = event.data.decode("utf-8", "replace")
            raise ErrorReply(response.status, response.headers, _decoded_or_text(text))
        if event.name not in (b"", b"ping"):
            reply.add(need(_decoded(event.data), dict, "event"))
        return True


def _encoded(body: dict[str, Any]) -> bytes | io.BytesIO:
    """The body as JSON; one with large images is written in pieces. Raises ValueError for text that is no Unicode."""
    import msgspec

    encoded = msgspec.json.encode(body)
    return encoded if len(encoded) <= AT_ONCE else io.BytesIO(encoded)


def _decoded(data: bytes) -> Any:
    """The JSON of a reply. Raises ValueError, also a JSONDecodeError.

    What the strict decoder refuses (NaN, half a surrogate pair, UTF-16) gets the reader of the standard library, as it
    does in the SDKs: the answer is paid for.
    """
    import msgspec

    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(data)


def _decoded_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body. Raises Malformed above LARGEST_REPLY."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_REPLY:
            raise Malformed(f"a reply of more than {LARGEST_REPLY} bytes")
    return b"".join(chunks)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what follows the last event; whatever goes wrong is of no interest any more."""
    import aiohttp

    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(AFTER_THE_END):
            async for _ in response.content.iter_any():
                pass
