"""Seals: the chain's head signed (Ed25519), as an event and as a file to keep out of reach of the database's keepers.

A log cannot show by itself that its tail was cut, or that all of it was written anew: both leave a sound chain. Against
a seal kept elsewhere both show.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

from ..application.ports import Append, EventStore, Expected, RunLog, StreamAppend
from ..domain.errors import ConfigurationError, InvalidRequest
from ..domain.events import LogSealed
from ..domain.units import Timestamp
from .store.log_audit import Verified, verify_database
from .store.raw_log import raw_log

STREAM = "seals"
_TAG = b"model-orchestrator/seal/1\0"
_NEW_KEY = "model-orchestrator audit seal --new-key"


def default_key_file() -> Path:
    """Where the signing key is, unless a file is named."""
    from platformdirs import user_config_path

    return user_config_path("model-orchestrator", appauthor=False) / "seal-key.pem"


def new_key(file: Path) -> None:
    """Make a signing key, readable by its owner only. Raises InvalidRequest where the file exists."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_new(file, pem)


def write_new(file: Path, data: bytes) -> None:
    """Write a file that its owner alone can read. Raises InvalidRequest where it exists or cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidRequest(f"{file} exists already: name another file, or move it away") from None
    except OSError as error:
        raise InvalidRequest(f"cannot write {file}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


async def seal(store: EventStore, log: RunLog, key_file: Path, now: Timestamp) -> LogSealed:
    """Sign the log's head and record that. Raises InvalidRequest for an empty log, ConfigurationError for the key."""
    key = _signing_key(key_file)
    newest = await store.read_backwards(limit=1)
    if not newest:
        raise InvalidRequest("there is nothing to seal: the log has no event")
    position, chain = newest[0].position, newest[0].chain_hash
    sealed = LogSealed(
        position=position,
        chain_hash=chain.hex(),
        sealed_at=now,
        public_key=key.public_key().public_bytes_raw().hex(),
        signature=key.sign(_signed(position, chain, now)).hex(),
    )
    await store.append(Append(streams=(StreamAppend(STREAM, Expected.ANY, log.new_events(STREAM, [sealed])),)))
    return sealed


def seal_json(sealed: LogSealed) -> str:
    """A seal as its file holds it."""
    return json.dumps(
        {
            "seal": 1,
            "position": sealed.position,
            "chain_hash": sealed.chain_hash,
            "sealed_at": sealed.sealed_at,
            "public_key": sealed.public_key,
            "signature": sealed.signature,
        },
        indent=2,
    )


def read_seal(file: Path) -> LogSealed:
    """The seal in a file, its signature checked. Raises InvalidRequest for a file that holds none."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if fields.pop("seal") != 1:
            raise InvalidRequest(f"{file} is a seal of a newer release: install that one")
        sealed = LogSealed(**fields)
        signed = _signed(sealed.position, bytes.fromhex(sealed.chain_hash), sealed.sealed_at)
        public_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(sealed.public_key))
        public_key.verify(bytes.fromhex(sealed.signature), signed)
    except OSError as error:
        raise InvalidRequest(f"cannot read {file}: {error.strerror}") from None
    except InvalidSignature:
        raise InvalidRequest(f"{file}: the signature is not of these figures: the file was changed") from None
    except (ValueError, TypeError, KeyError, AttributeError, struct.error):
        raise InvalidRequest(f"{file} holds no seal: `model-orchestrator audit seal` writes one") from None
    return sealed


def check_seal(database_url: str, sealed: LogSealed) -> Verified:
    """The log up to the seal, verified and compared with it. Raises StoreError where it cannot be read."""
    with raw_log(database_url) as log:
        link = log.link(sealed.position)
    found = verify_database(database_url, upto=sealed.position)
    problems = list(found.problems)
    if link is not None and link[0].hex() != sealed.chain_hash:
        problems.append(f"position {sealed.position}: not what was sealed: it, or something before it, was rewritten")
    return Verified(found.events, tuple(problems))


def _signing_key(file: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except FileNotFoundError:
        raise ConfigurationError(f"there is no signing key {file}: make one with {_NEW_KEY}") from None
    except OSError as error:
        raise ConfigurationError(f"cannot read the signing key {file}: {error.strerror}") from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{file} is no Ed25519 private key in PEM: make one with {_NEW_KEY}")
    return key


def _signed(position: int, chain: bytes, at: Timestamp) -> bytes:
    return _TAG + struct.pack(">qq", position, at) + chain
