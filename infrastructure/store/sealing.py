"""Texts encrypted on their way into a store and decrypted on their way out.

A run's own texts are encrypted under a data key of the run, a message that runs share under one of its own; data keys
are wrapped by the subject's key, subjects' keys by the outer key. An encrypted body names its data key, so plain and
encrypted texts stand side by side. Without an outer key texts pass as they are, and cost one look at the first append.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ...application.ports import Append, Content, ContentKey, StoredContent
from ...domain.errors import ConfigurationError, StoreCorrupted
from ..content_cipher import MARK, OuterKey, OuterKeys, decrypt, encrypt, fresh_key

RUN_PREFIX = "run-"
VARIABLE = "MODEL_ORCHESTRATOR_CONTENT_KEY"
OLD_VARIABLE = "MODEL_ORCHESTRATOR_OLD_CONTENT_KEY"
ID_BYTES = 16
MOST_KEPT = 1000  # keys in memory
Row = tuple[str, str | None, bytes, bytes]  # ref, subject, salt, body as stored


class KeyRows(Protocol):
    """The table of keys. Blocking."""

    def foreign(self, known: Sequence[bytes]) -> bytes | None:
        """The id of an outer key that wraps a subject's key and is none of these."""

    def of_subject(self, subject: str) -> ContentKey | None:
        """A key of the subject."""

    def with_parents(self, ids: Sequence[bytes]) -> Iterable[tuple[ContentKey, ContentKey]]:
        """The data keys that still exist, each with its subject's."""


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A key as it is stored, and itself."""

    row: ContentKey
    key: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """An append as the store takes it, and the runs' keys that it brings."""

    append: Append
    run_keys: tuple[OpenKey, ...] = ()


class Sealing:
    """A store's encryption; shared by its threads. `outer` None: texts are stored as they are."""

    def __init__(self, outer: OuterKeys | None) -> None:
        self._outer = outer
        self._checked = False
        self._subjects: dict[str, OpenKey] = {}
        self._runs: dict[str, OpenKey] = {}  # data keys that are stored

    def concerns(self, append: Append) -> bool:
        """Whether `seal` has something to do."""
        return bool(append.contents) and (self._outer is not None or not self._checked)

    def seal(self, append: Append, rows: KeyRows) -> Sealed:
        """The append with its texts encrypted and the keys they need.

        Raises ConfigurationError where the database's texts are encrypted under a key that is not configured.
        """
        self._check(rows)
        if self._outer is None:
            return Sealed(append)
        new: dict[str, OpenKey] = {}
        parents: dict[bytes, ContentKey] = {}
        contents = []
        for content in append.contents:
            if content.stream.startswith(RUN_PREFIX):
                data_key = self._data_key(content, new, parents, rows)
                content = replace(content, sealed=_sealed(content, data_key))
            contents.append(content)
        keys = (*parents.values(), *(one.row for one in new.values()))
        run_keys = tuple(key for owner, key in new.items() if owner.startswith(RUN_PREFIX))
        return Sealed(replace(append, contents=tuple(contents), keys=keys), run_keys)

    def stored(self, append: Append, sealed: Sealed) -> None:
        """The append is durable: its keys serve the runs' later texts, and those of erased runs never again."""
        for name in append.erased:
            self._runs.pop(name, None)
        for key in sealed.run_keys:
            _remember(self._runs, str(key.row.owner), key)

    def open(self, stored: Iterable[Row], rows: KeyRows) -> dict[str, StoredContent]:
        """The texts by their refs; one whose key was destroyed is none.

        Raises ConfigurationError for a key that is not configured, StoreCorrupted for a text that was changed.
        """
        stored = list(stored)
        ids = {_key_id(body) for *_, body in stored if body.startswith(MARK)}
        keys = self._data_keys(ids, rows) if ids else {}
        texts = {}
        for ref, subject, salt, body in stored:
            if body.startswith(MARK):
                if (key := keys.get(_key_id(body))) is None:
                    continue
                body = decrypt(key.key, body[len(MARK) + ID_BYTES :], _bound(ref, key.row.owner))
            texts[ref] = StoredContent(ref=ref, subject=subject, salt=salt, body=_text(ref, body))
        return texts

    # ---- keys ----

    def _check(self, rows: KeyRows) -> None:
        if self._checked:
            return
        if (foreign := rows.foreign(_ids(self._outer))) is not None:
            raise _not_configured(foreign, self._outer)
        self._checked = True

    def _data_key(
        self, content: Content, new: dict[str, OpenKey], parents: dict[bytes, ContentKey], rows: KeyRows
    ) -> OpenKey:
        owner = content.stream if content.salt else content.ref
        if (known := self._runs.get(owner) or new.get(owner)) is not None:
            return known
        parent = self._subject_key(content.subject or "", rows)
        parents[parent.row.id] = parent.row
        id, key = os.urandom(ID_BYTES), fresh_key()
        row = ContentKey(
            id=id,
            owner=owner,
            subject=parent.row.subject,
            wrapped_by=parent.row.id,
            wrapped=encrypt(parent.key, key, _bound(id.hex(), owner)),
        )
        new[owner] = OpenKey(row, key)
        return new[owner]

    def _subject_key(self, subject: str, rows: KeyRows) -> OpenKey:
        if (known := self._subjects.get(subject)) is not None:
            return known
        assert self._outer is not None
        if (row := rows.of_subject(subject)) is not None:
            opened = OpenKey(row, unwrapped(row, self._outer))
        else:
            key = fresh_key()
            opened = OpenKey(wrapped(os.urandom(ID_BYTES), subject, key, self._outer.current), key)
        _remember(self._subjects, subject, opened)
        return opened

    def _data_keys(self, ids: Iterable[bytes], rows: KeyRows) -> dict[bytes, OpenKey]:
        found = {}
        for row, parent in rows.with_parents(sorted(ids)):
            if self._outer is None:
                raise _not_configured(parent.wrapped_by, None)
            found[row.id] = self._opened(row, OpenKey(parent, unwrapped(parent, self._outer)))
        return found

    def _opened(self, row: ContentKey, parent: OpenKey) -> OpenKey:
        return OpenKey(row, decrypt(parent.key, row.wrapped, _bound(row.id.hex(), row.owner)))


def wrapped(id: bytes, subject: str, key: bytes, outer: OuterKey) -> ContentKey:
    """A subject's key under an outer key."""
    sealed = encrypt(outer.secret, key, _bound(id.hex(), subject))
    return ContentKey(id=id, owner=None, subject=subject, wrapped_by=outer.id, wrapped=sealed)


def unwrapped(row: ContentKey, outer: OuterKeys) -> bytes:
    """A subject's key itself. Raises ConfigurationError where its outer key is not configured."""
    if (key := outer.find(row.wrapped_by)) is None:
        raise _not_configured(row.wrapped_by, outer)
    return decrypt(key.secret, row.wrapped, _bound(row.id.hex(), row.subject))


def _sealed(content: Content, key: OpenKey) -> bytes:
    return MARK + key.row.id + encrypt(key.key, content.body.encode(), _bound(content.ref, key.row.owner))


def _key_id(body: bytes) -> bytes:
    return body[len(MARK) : len(MARK) + ID_BYTES]


def _bound(name: str, owner: str | None) -> bytes:
    return f"{name}\0{owner}".encode()


def _text(ref: str, body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise StoreCorrupted(f"the stored text {ref} is not valid UTF-8: restore a backup") from None


def _remember(known: dict[str, OpenKey], name: str, key: OpenKey) -> None:
    if len(known) >= MOST_KEPT:
        known.pop(next(iter(known)), None)
    known[name] = key


def _ids(outer: OuterKeys | None) -> tuple[bytes, ...]:
    return () if outer is None else tuple(key.id for key in (outer.current, outer.old) if key is not None)


def _not_configured(id: bytes, outer: OuterKeys | None) -> ConfigurationError:
    under = f"the texts of this database are encrypted under the key {id.hex()[:8]}"
    if outer is None:
        return ConfigurationError(f"{under}, and {VARIABLE} is not set: set it to that key")
    return ConfigurationError(
        f"{under}, and {VARIABLE} is the key {outer.current.id.hex()[:8]}: set it to the former; or, to change keys, "
        f"set {OLD_VARIABLE} to the former and run: model-orchestrator privacy rotate-key"
    )
