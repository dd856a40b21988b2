"""The registry: which generation of which read model is live, how far it is, and why it stands still."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...projections.attempts import Attempts
from ...projections.projection import Names, Projection, Tables
from ...projections.runs import Runs

PROJECTIONS: tuple[Projection, ...] = (Attempts(), Runs())
BY_NAME = {projection.name: projection for projection in PROJECTIONS}
_COLUMNS = "name, version, generation, live, checkpoint, chain, stopped_at, stopped_type, stopped_why"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One generation of a read model's tables."""

    name: str
    version: int
    generation: int
    live: bool
    checkpoint: int  # the last position folded
    chain: bytes  # the log's chain hash there: another log has another
    stopped_at: int | None  # the position it cannot get past
    stopped_type: str | None
    stopped_why: str | None

    @property
    def projection(self) -> Projection:
        """Its fold."""
        return BY_NAME[self.name]

    def names(self, schema: str) -> Names:
        """How its tables are called."""
        return Names(self.version, self.generation, schema)

    @property
    def place(self) -> tuple[str, int, int]:
        """Its key."""
        return self.name, self.version, self.generation


class Registry:
    """The registry's rows, inside a transaction."""

    def __init__(self, tables: Tables, schema: str) -> None:
        self._tables = tables
        self._schema = schema
        self._table = f"{schema}projections"

    def entries(self, *, lock: bool = False) -> list[Entry]:
        """Those of this release's versions; with `lock`, nobody else changes them in this transaction."""
        tail = " FOR UPDATE" if lock and self._tables.dialect == "postgresql" else ""
        rows = self._tables.execute(f"SELECT {_COLUMNS} FROM {self._table} ORDER BY name, version, generation{tail}")
        known = [Entry(**dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]
        return [
            replace(entry, live=bool(entry.live), chain=bytes(entry.chain))
            for entry in known
            if entry.name in BY_NAME and entry.version == entry.projection.version
        ]

    def create(self, projection: Projection, *, live: bool) -> None:
        """Empty tables of the next generation."""
        if self._tables.dialect == "postgresql":
            self._tables.execute(f"LOCK TABLE {self._table} IN SHARE ROW EXCLUSIVE MODE")
        mine = [entry for entry in self.entries() if entry.name == projection.name]
        if any(entry.live is live for entry in mine):
            return  # another process was first
        generation = max((entry.generation for entry in mine), default=0) + 1
        names = Names(projection.version, generation, self._schema)
        for table in projection.tables:
            self._tables.execute(f"DROP TABLE IF EXISTS {names(table.name)}")
            table.create(self._tables, names(table.name))
            if live:
                table.open_to_questions(self._tables, names(table.name))
        self._tables.execute(
            f"INSERT INTO {self._table} ({_COLUMNS}) VALUES (?, ?, ?, ?, 0, ?, NULL, NULL, NULL)",
            (projection.name, projection.version, generation, int(live), b""),
        )

    def advance(self, entry: Entry, checkpoint: int, chain: bytes, stopped: tuple[int, str, str] | None) -> None:
        """Move a checkpoint, and say where the fold stopped, if it did."""
        self._tables.execute(
            f"UPDATE {self._table} SET checkpoint = ?, chain = ?, stopped_at = ?, stopped_type = ?, stopped_why = ? "
            "WHERE name = ? AND version = ? AND generation = ?",
            (checkpoint, chain, *(stopped or (None, None, None)), *entry.place),
        )

    def drop(self, entry: Entry) -> None:
        """Take a generation and its tables away."""
        names = entry.names(self._schema)
        for table in entry.projection.tables:
            self._tables.execute(f"DROP TABLE IF EXISTS {names(table.name)}")
        self._tables.execute(
            f"DELETE FROM {self._table} WHERE name = ? AND version = ? AND generation = ?", entry.place
        )

    def swap(self, built: Entry) -> None:
        """Make a generation the live one; the others go."""
        for entry in self.entries(lock=True):
            if entry.name == built.name and entry.generation != built.generation:
                self.drop(entry)
        names = built.names(self._schema)
        for table in built.projection.tables:
            table.open_to_questions(self._tables, names(table.name))
        self._tables.execute(
            f"UPDATE {self._table} SET live = 1 WHERE name = ? AND version = ? AND generation = ?", built.place
        )
