"""How each read model stands: its checkpoint against the log's head."""

from __future__ import annotations

from collections.abc import Sequence

from ...application.read_models import ProjectionStatus
from ...projections.projection import Tables
from .registry import PROJECTIONS, Entry


def lag_of(entries: Sequence[Entry], head: int) -> dict[str, int]:
    """Events of any type that each live read model has not folded; all of them where it was never asked for."""
    known = {one.name: one.checkpoint for one in entries if one.live}
    return {one.name: max(0, head - known.get(one.name, 0)) for one in PROJECTIONS}


def status_of(
    tables: Tables, schema: str, entries: Sequence[Entry], name: str, version: int, head: int
) -> ProjectionStatus:
    """One of them, with the rows of its tables counted."""
    mine = [entry for entry in entries if entry.name == name]
    live = next((entry for entry in mine if entry.live), None)
    building = any(not entry.live for entry in mine)
    if live is None:
        state = "rebuilding" if building else "none"
        return ProjectionStatus(
            name=name,
            version=version,
            state=state,
            checkpoint=0,
            lag=head,
            stopped_at=None,
            stopped_type=None,
            stopped_why=None,
            rows={},
        )
    state = "rebuilding" if building else "behind" if live.checkpoint < head else "live"
    names = live.names(schema)
    counted = {
        table.name: int(tables.execute(f"SELECT count(*) FROM {names(table.name)}")[0][0])
        for table in live.projection.tables
    }
    return ProjectionStatus(
        name=name,
        version=version,
        state="stopped" if live.stopped_at is not None else state,
        checkpoint=live.checkpoint,
        lag=head - live.checkpoint,
        stopped_at=live.stopped_at,
        stopped_type=live.stopped_type,
        stopped_why=live.stopped_why,
        rows=counted,
    )
