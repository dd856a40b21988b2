"""An API key as its events make it: who asks with it, what it is for, and whether it is in force."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace

from .catalogue import ModelName
from .errors import InvalidRequest
from .events import KeyCreated, KeyEvent, KeyRevoked, KeyScope
from .units import Timestamp

LOCAL = "local"  # the owner of what is asked without a key
TOKEN_PREFIX = "mo-"  # so that people, and programs that look for leaks, know one when they see it
_NAME = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its token. `models` None: it may ask any; `requests_a_minute` None: as many as come."""

    id: str
    name: str  # the owner of the runs asked with it
    token_hash: str = field(repr=False)
    scopes: tuple[KeyScope, ...]
    models: tuple[ModelName, ...] | None
    requests_a_minute: int | None
    created_at: Timestamp
    revoked_at: Timestamp | None = None  # None: it is in force

    @property
    def is_in_force(self) -> bool:
        """Whether its token opens anything."""
        return self.revoked_at is None

    def may(self, scope: KeyScope) -> bool:
        """Whether the key is for that; an admin's is for everything."""
        return scope in self.scopes or KeyScope.ADMIN in self.scopes


def evolve_key(key: ApiKey | None, event: KeyEvent, at: Timestamp) -> ApiKey | None:
    """The key of the event's id after it. Total: of what comes twice the first stands."""
    match event:
        case KeyCreated():
            return key or ApiKey(
                id=event.id,
                name=event.name,
                token_hash=event.token_hash,
                scopes=event.scopes,
                models=event.models,
                requests_a_minute=event.requests_a_minute,
                created_at=at,
            )
        case KeyRevoked():
            return key if key is None or not key.is_in_force else replace(key, revoked_at=at)


def token_hash(token: str) -> str:
    """SHA-256 in hex.

    A token is 256 random bits: nobody finds it by trying, so a slow, salted hash as for passwords would add nothing
    but time to every request.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def key_name_of(text: str) -> str:
    """A name that a key can have. Raises InvalidRequest."""
    if not _NAME.fullmatch(text) or text == LOCAL:
        reserved = f"; {LOCAL} is what is asked without a key" if text == LOCAL else ""
        raise InvalidRequest(f"key name {text[:64]!r}: expected 1 to 64 of a-z, 0-9, '.', '_' and '-'{reserved}")
    return text
