"""Keys of texts, and the destruction of both, inside one SQLite write transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from ...application.ports import ContentKey

KEY_COLUMNS = "id, owner, subject, wrapped_by, wrapped"
_RUNS = "(SELECT value FROM json_each(?))"
# A text that several runs share goes with the last of them.
_ONLY_THEIRS = f"""
SELECT DISTINCT ref FROM content_uses AS mine WHERE stream IN {_RUNS} AND NOT EXISTS (
    SELECT 1 FROM content_uses AS other WHERE other.ref = mine.ref AND other.stream NOT IN {_RUNS})
"""
_INSERT_KEY = f"""
INSERT OR IGNORE INTO content_keys ({KEY_COLUMNS})
SELECT :id, :owner, :subject, :wrapped_by, :wrapped
WHERE NOT :shared OR EXISTS (SELECT 1 FROM contents WHERE ref = :owner AND substr(body, 3, 16) = :id)
"""


def content_key(row: Sequence[Any]) -> ContentKey:
    """The key of a row of KEY_COLUMNS."""
    id, owner, subject, wrapped_by, wrapped = row
    return ContentKey(id=id, owner=owner, subject=subject, wrapped_by=wrapped_by, wrapped=wrapped)


def insert_keys(connection: sqlite3.Connection, keys: Sequence[ContentKey]) -> None:
    """Keep the keys whose id is new; a shared message's only where its text is the one encrypted with it."""
    for key in keys:
        parameters = {
            "id": key.id,
            "owner": key.owner,
            "subject": key.subject,
            "wrapped_by": key.wrapped_by,
            "wrapped": key.wrapped,
            "shared": key.owner is not None and not key.owner.startswith("run-"),
        }
        connection.execute(_INSERT_KEY, parameters)


def erase(connection: sqlite3.Connection, runs: Sequence[str]) -> None:
    """Destroy the runs' texts, keys, idempotency keys and cached answers. SQLite writes zeros over what it deletes."""
    connection.execute("PRAGMA secure_delete=ON")
    names = json.dumps(list(runs))
    refs = json.dumps([ref for (ref,) in connection.execute(_ONLY_THEIRS, (names, names))])
    connection.execute(f"DELETE FROM contents WHERE ref IN {_RUNS}", (refs,))
    connection.execute(f"DELETE FROM content_keys WHERE owner IN {_RUNS} OR owner IN {_RUNS}", (names, refs))
    connection.execute(f"DELETE FROM content_uses WHERE stream IN {_RUNS}", (names,))
    connection.execute(f"DELETE FROM idempotency_keys WHERE run IN {_RUNS}", (names,))
    connection.execute(f"DELETE FROM cached_answers WHERE run IN {_RUNS}", (names,))
    connection.execute(
        "DELETE FROM content_keys WHERE owner IS NULL AND id NOT IN "
        "(SELECT wrapped_by FROM content_keys WHERE owner IS NOT NULL)"
    )
