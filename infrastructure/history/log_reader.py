"""The log as an export reads it: every column, a range of positions at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from ..read_models.lean_codec import LogRow
from ..read_models.log_rows import Ask, log_rows

Row = tuple[Any, ...]  # the columns of `events` in schema.py, without the last
COLUMNS = (
    "position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, causation_id, "
    "correlation_id, actor, payload, event_hash, chain_hash"
)
_LEAN = "position, stream, version, type, schema_version, recorded_at, payload"
POSITION, STREAM, VERSION_AT, _EVENT_ID, TYPE, SCHEMA_VERSION, _OCCURRED_AT, RECORDED_AT = range(8)
PAYLOAD, CHAIN = 11, 13
A_QUERY = 500  # streams


class LogReader:
    """Blocking; what is read once never changes."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def head(self) -> int:
        """The last position; 0 for an empty log."""
        return int(next(iter(self._ask("SELECT position FROM log.log_head", ())))[0])

    def chain(self, position: int) -> str:
        """The chain's hash at a position, in hex; empty where there is no such event."""
        found = list(self._ask("SELECT chain_hash FROM log.events WHERE position = ?", (position,)))
        return bytes(found[0][0]).hex() if found else ""

    def rows(self, after: int, upto: int) -> list[Row]:
        """The events at (after, upto]."""
        where = "position > ? AND position <= ? ORDER BY position"
        found = self._ask(f"SELECT {COLUMNS} FROM log.events WHERE {where}", (after, upto))
        return [(*row[:3], str(UUID(bytes=bytes(row[3]))), *row[4:12], bytes(row[12]), bytes(row[13])) for row in found]

    def beginnings(self, streams: Sequence[str]) -> dict[str, int]:
        """The position of each stream's first event."""
        found: dict[str, int] = {}
        for some in _some(streams):
            marks = ", ".join("?" * len(some))
            query = f"SELECT stream, position FROM log.events WHERE stream IN ({marks}) AND version = 1"
            found.update(self._ask(query, tuple(some)))
        return found

    def of_streams(self, streams: Sequence[str], upto: int) -> list[LogRow]:
        """Their events up to a position, in order."""
        found: list[LogRow] = []
        for some in _some(streams):
            marks = ", ".join("?" * len(some))
            query = f"SELECT {_LEAN} FROM log.events WHERE stream IN ({marks}) AND position <= ?"
            found += self._ask(query, (*some, upto))
        return sorted(found)

    def content(self, ref: str) -> str | None:
        """A stored text; None where it is not there."""
        found = list(self._ask("SELECT body FROM log.contents WHERE ref = ?", (ref,)))
        return bytes(found[0][0]).decode() if found else None


@contextmanager
def log_reader(url: str) -> Iterator[LogReader]:
    """The log at an address. Raises InvalidRequest for one in memory, StoreUnavailable."""
    with log_rows(url, "a database in memory cannot be exported: give --database") as ask:
        yield LogReader(ask)


def lean(row: Row) -> LogRow:
    """What a fold takes in."""
    return (row[0], row[1], row[2], row[4], row[5], row[7], row[11])


def _some(streams: Sequence[str]) -> Iterator[Sequence[str]]:
    return (streams[start : start + A_QUERY] for start in range(0, len(streams), A_QUERY))
