"""AES-256-GCM for stored texts, and for the keys they are encrypted with. `cryptography` is loaded at first use."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass, field

from ..domain.errors import StoreCorrupted
from .secret import Secret

KEY_BYTES = 32
MARK = b"\xff\x01"  # begins an encrypted body, and no UTF-8 text
_NONCE = 12


@dataclass(frozen=True, slots=True)
class OuterKey:
    """The key outside of the database, that wraps the subjects' keys. Its id tells nothing of it."""

    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: Secret) -> OuterKey:
        """From 32 bytes as base64. Raises ValueError."""
        try:
            raw = base64.b64decode(secret.reveal().strip().replace("-", "+").replace("_", "/"), validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ValueError
        return cls(raw)

    @property
    def id(self) -> bytes:
        """16 bytes."""
        return hashlib.sha256(b"model-orchestrator/outer-key/1\0" + self.secret).digest()[:16]


@dataclass(frozen=True, slots=True)
class OuterKeys:
    """The outer key in use, and the one before it while its keys are wrapped anew."""

    current: OuterKey
    old: OuterKey | None = None

    def find(self, id: bytes) -> OuterKey | None:
        """The key with this id."""
        return next((key for key in (self.current, self.old) if key is not None and key.id == id), None)


def fresh_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_BYTES)


def encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    """A random nonce, then ciphertext and tag; it opens only together with `bound`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """What was encrypted. Raises StoreCorrupted where it, or what it is bound to, was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
    except (InvalidTag, ValueError):
        raise StoreCorrupted("an encrypted text or key was changed since it was stored: restore a backup") from None
