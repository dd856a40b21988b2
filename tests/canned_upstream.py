"""An upstream on loopback that sends the same bytes to every call, whatever was asked; it keeps what it was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class CannedUpstream:
    """The address, and the requests as they came in."""

    address: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def heads(self) -> list[str]:
        """The requests without their bodies, in lower case."""
        return [request.partition(b"\r\n\r\n")[0].decode().lower() for request in self.requests]


def http(
    body: bytes | Sequence[bytes], *, status: int = 200, kind: str = "application/json", headers: str = ""
) -> list[bytes]:
    """A reply in HTTP; a list of bodies goes out in chunks."""
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\n{headers}"
    if isinstance(body, bytes):
        return [f"{head}content-length: {len(body)}\r\n\r\n".encode(), body]
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in body]
    return [f"{head}transfer-encoding: chunked\r\n\r\n".encode(), *chunks, b"0\r\n\r\n"]


@asynccontextmanager
async def canned_upstream(
    reply: Sequence[bytes], *, closes: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[CannedUpstream]:
    """One on a free port while the block runs; `closes`: after one reply a connection."""
    upstream = CannedUpstream()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
                upstream.requests.append(head + body)
                for piece in reply:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)  # so that the pieces leave one by one
                if closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the caller has left
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    upstream.address = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
