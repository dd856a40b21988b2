"""Who looks at the pages: whoever logged in with an API key, or everybody on this machine while there are none."""

from __future__ import annotations

import time

from ....application.key_book import KeyBook
from ..authentication import Identity
from .tokens import Tokens


class Sessions:
    """Logins. A session ends with its key, or after its time."""

    def __init__(self, book: KeyBook, tokens: Tokens) -> None:
        self._book = book
        self._tokens = tokens

    async def is_needed(self) -> bool:
        """Whether pages need one."""
        return await self._book.any_keys()

    async def open(self, token: str) -> str:
        """The cookie of a new session. Raises KeyRefused for a key that is not in force."""
        return self._tokens.session((await self._book.authenticate(token)).id, int(time.time()))

    async def identity(self, cookie: str | None) -> Identity | None:
        """Whose session it is; None for one that is not ours, or over, or of a key that was revoked."""
        key_id = None if cookie is None else self._tokens.key_of(cookie, int(time.time()))
        if key_id is None:
            return None
        key = next((one for one in await self._book.in_force() if one.id == key_id), None)
        return None if key is None else Identity(key=key)
