"""The keys that texts are encrypted with, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from ...application.ports import ContentKey
from .postgres_connection import Connection

_KEY: LiteralString = "SELECT id, owner, subject, wrapped_by, wrapped FROM log.content_keys WHERE owner IS NULL "
_WITH_PARENTS: LiteralString = (
    "SELECT m.id, m.owner, m.subject, m.wrapped_by, m.wrapped, p.id, p.owner, p.subject, p.wrapped_by, p.wrapped "
    "FROM log.content_keys m JOIN log.content_keys p ON p.id = m.wrapped_by WHERE m.id = ANY(%s)"
)


class PostgresKeys:
    """The table of keys, through a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def foreign(self, known: Sequence[bytes]) -> bytes | None:
        """The id of an outer key that wraps a subject's key and is none of these."""
        found = self._keys(_KEY + "AND wrapped_by <> ALL(%s::bytea[]) LIMIT 1", (list(known),))
        return found[0].wrapped_by if found else None

    def of_subject(self, subject: str) -> ContentKey | None:
        """A key of the subject."""
        found = self._keys(_KEY + "AND subject = %s LIMIT 1", (subject,))
        return found[0] if found else None

    def with_parents(self, ids: Sequence[bytes]) -> list[tuple[ContentKey, ContentKey]]:
        """The data keys that still exist, each with its subject's."""
        rows = self._connection.execute(_WITH_PARENTS, (list(ids),), binary=True).fetchall()
        return [(_key(row[:5]), _key(row[5:])) for row in rows]

    def wrapped_by(self, outer: bytes, limit: int) -> list[ContentKey]:
        """Subjects' keys under an outer key."""
        return self._keys(_KEY + "AND wrapped_by = %s LIMIT %s", (outer, limit))

    def _keys(self, query: LiteralString, parameters: tuple[Any, ...]) -> list[ContentKey]:
        return [_key(row) for row in self._connection.execute(query, parameters, binary=True).fetchall()]


def _key(row: tuple[Any, ...]) -> ContentKey:
    id, owner, subject, wrapped_by, wrapped = row
    return ContentKey(id=id, owner=owner, subject=subject, wrapped_by=wrapped_by, wrapped=wrapped)
