"""Subjects' keys wrapped under another outer key; neither a text nor a data key is rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ...application.ports import ContentKey
from ...domain.errors import ConfigurationError
from ..content_cipher import OuterKeys
from .file_lock import FileLock
from .opening import sqlite_file
from .sealing import OLD_VARIABLE, VARIABLE, unwrapped, wrapped
from .sqlite_connection import connect_writer, translated
from .sqlite_erasure import KEY_COLUMNS, content_key
from .sqlite_schema import bring_up_to_date

KEYS_A_COMMIT = 500


def rotate(database_url: str, outer: OuterKeys) -> int:
    """Wrap every subject's key that is under the old outer key under the current one; how many there were.

    Goes on where an earlier one was cut off. Raises ConfigurationError where a key is under neither of the two.
    """
    path = sqlite_file(database_url)
    return _rotate_postgres(database_url, outer) if path is None else _rotate_sqlite(path, outer)


def _rotate_sqlite(path: Path, outer: OuterKeys) -> int:
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    done = 0
    with translated(path):
        bring_up_to_date(path, lock)
        while rewrapped := _rotate_some(path, lock, outer):
            done += rewrapped
    lock.close()
    return done


def _rotate_some(path: Path, lock: FileLock, outer: OuterKeys) -> int:
    query = f"SELECT {KEY_COLUMNS} FROM content_keys WHERE owner IS NULL AND wrapped_by <> ? LIMIT ?"
    with lock, closing(connect_writer(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        rows = connection.execute(query, (outer.current.id, KEYS_A_COMMIT)).fetchall()
        new = rewrapped([content_key(row) for row in rows], outer)
        connection.executemany(
            "UPDATE content_keys SET wrapped_by = ?, wrapped = ? WHERE id = ?",
            [(key.wrapped_by, key.wrapped, key.id) for key in new],
        )
        connection.execute("COMMIT")
    return len(new)


def _rotate_postgres(url: str, outer: OuterKeys) -> int:
    from .postgres_connection import check_schema, connect
    from .postgres_connection import translated as translated_postgres
    from .postgres_keys import PostgresKeys

    done = 0
    with connect(url) as connection, translated_postgres(url):
        check_schema(url, connection)
        keys = PostgresKeys(connection)
        while (id := keys.foreign([outer.current.id])) is not None:
            new = rewrapped(keys.wrapped_by(id, KEYS_A_COMMIT), outer)
            parameters = ([key.id for key in new], id, outer.current.id, [key.wrapped for key in new])
            rows = connection.execute("SELECT log.rewrap_content_keys_v1(%s, %s, %s, %s)", parameters).fetchall()
            done += int(rows[0][0])
    return done


def rewrapped(keys: Sequence[ContentKey], outer: OuterKeys) -> list[ContentKey]:
    """The same keys under the current outer key. Raises ConfigurationError for one that is under an unknown key."""
    if outer.old is None and keys:
        raise ConfigurationError(f"set {OLD_VARIABLE} to the key so far, and {VARIABLE} to the new one")
    return [wrapped(key.id, key.subject, unwrapped(key, outer), outer.current) for key in keys]
