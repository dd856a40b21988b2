"""Who looks at the pages: whoever logged in with an API key, or everybody on this machine while there are none."""

from __future__ import annotations

import time
from typing import Protocol

from ..authentication import Identity
from .tokens import Tokens


class KeyBook(Protocol):
    """The API keys, as far as the login needs them."""

    async def is_needed(self) -> bool:
        """Whether pages need a login."""

    async def id_of(self, key: str) -> str | None:
        """The id of a key that is in force; takes the same time for every wrong one."""

    async def identity(self, key_id: str) -> Identity | None:
        """Whose key it is; None where it was revoked."""


class Sessions:
    """Logins. A session ends with its key, or after its time."""

    def __init__(self, keys: KeyBook | None, tokens: Tokens) -> None:
        self._keys = keys
        self._tokens = tokens

    async def is_needed(self) -> bool:
        """Whether pages need one."""
        return self._keys is not None and await self._keys.is_needed()

    async def open(self, key: str) -> str | None:
        """The cookie of a new session; None for a wrong key."""
        key_id = await self._keys.id_of(key) if self._keys is not None else None
        return None if key_id is None else self._tokens.session(key_id, int(time.time()))

    async def identity(self, cookie: str | None) -> Identity | None:
        """Whose session it is."""
        if cookie is None or self._keys is None:
            return None
        key_id = self._tokens.key_of(cookie, int(time.time()))
        return None if key_id is None else await self._keys.identity(key_id)
