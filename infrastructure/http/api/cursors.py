"""Cursors: where a page ended, opaque, and good for the query they were made for only."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ....domain.errors import InvalidRequest

_SEAL = 16  # bytes of the HMAC


class Cursors:
    """Writes and reads them under the database's own secret, so that every worker knows those of the others."""

    def __init__(self, secret: Callable[[], Awaitable[bytes]]) -> None:
        self._secret = secret
        self._key: bytes | None = None

    async def write(self, query: Any, place: list[Any]) -> str:
        """A cursor to go on at `place` of the query."""
        body = msgspec.json.encode(place)
        return urlsafe_b64encode(await self._seal(query, body) + body).decode().rstrip("=")

    async def read(self, query: Any, cursor: str) -> list[Any]:
        """The place. Raises InvalidRequest for a cursor that is from elsewhere, or for another query."""
        try:
            whole = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError:
            whole = b""
        seal, body = whole[:_SEAL], whole[_SEAL:]
        if not hmac.compare_digest(seal, await self._seal(query, body)):
            raise InvalidRequest(
                "the cursor is not of this query: repeat the query with the cursor that its last page gave as `next`, "
                "or ask for the first page without one"
            )
        place: list[Any] = msgspec.json.decode(body)
        return place

    async def _seal(self, query: Any, body: bytes) -> bytes:
        if self._key is None:
            self._key = hmac.digest(await self._secret(), b"cursors", "sha256")
        asked = msgspec.json.encode(query)
        return hmac.digest(self._key, len(asked).to_bytes(8, "big") + asked + body, "sha256")[:_SEAL]
