"""Signed cookies and form tokens: HMACs under a key that is derived from the database's own secret."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from secrets import token_hex

BROWSER_COOKIE = "model_orchestrator_browser"
SESSION_COOKIE = "model_orchestrator_session"
SESSION = 12 * 3600  # seconds that a login lasts
_BROWSER_ID = 32  # hex digits


class Tokens:
    """Makes and checks them. All workers of one database know each other's."""

    def __init__(self, secret: bytes) -> None:
        self._forms = hmac.digest(secret, b"model-orchestrator/dashboard/forms/1", "sha256")
        self._sessions = hmac.digest(secret, b"model-orchestrator/dashboard/sessions/1", "sha256")

    def browser(self, cookie: str | None) -> str:
        """The id of a browser: the one its cookie says, else a new one."""
        is_ours = cookie is not None and len(cookie) == _BROWSER_ID and set(cookie) <= set("0123456789abcdef")
        return cookie if cookie is not None and is_ours else token_hex(_BROWSER_ID // 2)

    def form(self, browser: str) -> str:
        """What a form of this browser has to send back."""
        return hmac.digest(self._forms, browser.encode(), "sha256").hex()

    def is_form(self, browser: str, token: str) -> bool:
        """Whether a form came from a page that this browser was given."""
        return hmac.compare_digest(self.form(browser).encode(), token.encode())

    def session(self, key_id: str, now: int) -> str:
        """A cookie that says who logged in, and until when; `now` is seconds. The key itself is not in it."""
        said = f"{urlsafe_b64encode(key_id.encode()).decode()}.{now + SESSION}"
        return f"{said}.{self._signature(said)}"

    def key_of(self, session: str, now: int) -> str | None:
        """The id of the key that the session is of; None where it is not ours, was changed, or is over."""
        said, _, signature = session.rpartition(".")
        if not hmac.compare_digest(self._signature(said).encode(), signature.encode()):
            return None
        key_id, _, until = said.partition(".")
        try:
            return urlsafe_b64decode(key_id).decode() if now < int(until) else None
        except (ValueError, NotBase64):
            return None

    def _signature(self, said: str) -> str:
        return hmac.digest(self._sessions, said.encode(), "sha256").hex()
