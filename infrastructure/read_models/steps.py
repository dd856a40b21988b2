"""A step: what a range of the log came to, brought into the tables in one transaction with the checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...projections.projection import Tables
from .folding import Folded
from .log_source import LogSource
from .registry import Entry, Registry
from .state import State


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a step."""

    stuck: set[str]  # read models that met a poison
    refused: dict[str, str] = field(default_factory=dict)  # those whose rows no table could hold, and why


def write_step(log: LogSource, state: State, group: Sequence[Entry], folded: dict[str, Folded], upto: int) -> Written:
    """Apply the accumulators whose checkpoint is still where they began; they are used up."""
    chains = {upto: log.chain(upto)}
    for one in folded.values():
        if one.poison is not None:
            chains[one.poison.position - 1] = log.chain(one.poison.position - 1)

    def work(tables: Tables) -> Written:
        registry = Registry(tables, state.schema)
        now = {entry.place: entry for entry in registry.entries(lock=True)}
        written = Written(set())
        for entry in group:
            current = now.get(entry.place)
            if current is None or current.checkpoint != entry.checkpoint or current.live != entry.live:
                continue  # another process was first
            one = folded[entry.name]
            checkpoint = upto if one.poison is None else one.poison.position - 1
            if (why := _refusal(tables, state.schema, entry, one)) is not None:
                written.refused[entry.name] = why
                continue
            stopped = None if one.poison is None else (one.poison.position, one.poison.type, one.poison.why)
            registry.advance(entry, checkpoint, chains[checkpoint] if checkpoint else b"", stopped)
            if stopped is not None:
                written.stuck.add(entry.name)
        return written

    return state.write(work)


def _refusal(tables: Tables, schema: str, entry: Entry, one: Folded) -> str | None:
    """Apply one accumulator; why its rows cannot be held, with nothing changed, where they cannot."""
    tables.execute("SAVEPOINT one")
    try:
        entry.projection.apply(tables, entry.names(schema), one.batch)
    except ValueError as error:
        tables.execute("ROLLBACK TO one")
        return str(error)
    finally:
        tables.execute("RELEASE one")
    return None
