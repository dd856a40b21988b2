"""Bringing read models up to the log's head, and building them anew beside the live ones.

Any number of processes may do it at once: a step folds without a lock, then looks at the checkpoint inside the
transaction that would move it, and throws its work away where another was first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from ...domain.errors import ProjectionStopped
from ...projections.projection import Projection, Tables
from .folding import Poison
from .in_turns import Here, InTurns, Steps
from .log_source import LogSource
from .registry import PROJECTIONS, Entry, Registry
from .state import State

STEP = 10_000  # positions of the log a transaction takes in
FAR_BEHIND = 50_000  # positions: from here on the lag is told
Progress = Callable[[int, int], None]  # positions done, and to be done


def stopped_text(entry: Entry) -> str:
    """Where and why, and what to do."""
    return (
        f"read model {entry.name} stopped at position {entry.stopped_at} ({entry.stopped_type}): {entry.stopped_why}; "
        f"install a release that can read this event (projections status shows it)"
    )


@dataclass(slots=True)
class CatchUp:
    """Folds what is new. `url` lets other processes open the log, and they the state; None: everything happens here."""

    log: LogSource
    state: State
    url: str | None = None
    processes: int = 0
    step: int = STEP
    upto: int | None = None  # the position to stop at; None: the log's head
    _sizes: dict[str, int] = field(default_factory=dict)  # of steps, where a row was refused

    def live(self, names: Iterable[str] | None = None, progress: Progress | None = None) -> None:
        """Bring the live tables of the named read models, or of all, up to the head. Stops at a poison silently."""
        wanted = _named(names)
        head = self._head()
        found = _chosen(self._own(), wanted, live=True)
        if len(found) < len(wanted) or any(entry.checkpoint < head for entry in found):
            self._advance(wanted, head, live=True, progress=progress)

    def rebuild(self, names: Iterable[str] | None = None, progress: Progress | None = None) -> None:
        """Build the read models anew beside the live ones, or go on with that, then swap.

        Raises ProjectionStopped where an event cannot be folded; the live tables then stay.
        """
        wanted = _named(names)
        head = self._head()
        self._own()
        self._advance(wanted, head, live=False, progress=progress)
        stopped = self.state.write(lambda tables: self._swap(tables, wanted, head), swap=True)
        for entry in stopped:
            raise ProjectionStopped(stopped_text(entry))

    def _swap(self, tables: Tables, wanted: Sequence[Projection], head: int) -> list[Entry]:
        """What is built goes live; what could not be is returned."""
        registry = Registry(tables, self.state.schema)
        built = [one for one in registry.entries(lock=True) if not one.live and one.projection in wanted]
        for entry in built:
            if entry.checkpoint >= head:
                registry.swap(entry)
        return [entry for entry in built if entry.stopped_at is not None]

    def _head(self) -> int:
        return self.log.head() if self.upto is None else self.upto

    def _own(self) -> list[Entry]:
        """The generations folded from this log; others, as of before a backup was restored, are thrown away."""
        with self.state.reading() as tables:
            entries = Registry(tables, self.state.schema).entries()
        chains = {position: self.log.chain(position) for position in {entry.checkpoint for entry in entries} - {0}}
        foreign = [entry for entry in entries if entry.checkpoint and chains[entry.checkpoint] != entry.chain]
        if foreign:
            self.state.write(lambda tables: self._drop(tables, foreign), swap=True)
        return [entry for entry in entries if entry not in foreign]

    def _drop(self, tables: Tables, foreign: Sequence[Entry]) -> None:
        registry = Registry(tables, self.state.schema)
        for entry in registry.entries(lock=True):
            if entry in foreign:
                registry.drop(entry)

    def _entries(self, wanted: Sequence[Projection], *, live: bool) -> list[Entry]:
        """The generations of one kind, made where there is none."""
        with self.state.reading() as tables:
            found = _chosen(Registry(tables, self.state.schema).entries(), wanted, live=live)
        if len(found) == len(wanted):
            return found
        return self.state.write(lambda tables: self._created(tables, wanted, live))

    def _created(self, tables: Tables, wanted: Sequence[Projection], live: bool) -> list[Entry]:
        registry = Registry(tables, self.state.schema)
        for projection in wanted:
            registry.create(projection, live=live)
        return _chosen(registry.entries(), wanted, live=live)

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _advance(self, wanted: Sequence[Projection], head: int, *, live: bool, progress: Progress | None) -> None:
        stuck: set[str] = set()
        with self._steps(head) as steps:
            while True:
                entries = [entry for entry in self._entries(wanted, live=live) if entry.name not in stuck]
                behind = [entry for entry in entries if entry.checkpoint < head]
                if not behind:
                    return
                start = min(entry.checkpoint for entry in behind)
                group = [entry for entry in behind if entry.checkpoint == start]
                size = min(self._sizes.get(entry.name, self.step) for entry in group)
                if size < self.step and len(group) > 1:  # only the one that was refused goes slowly
                    group = [entry for entry in group if self._sizes.get(entry.name) == size]
                upto = min(start + size, head)
                written = steps.take(group, start, upto, head)
                stuck |= written.stuck | self._narrow(group, written.refused, upto)
                if progress is not None:
                    progress(upto, head)

    @contextmanager
    def _steps(self, head: int) -> Iterator[Steps]:
        with ExitStack() as stack:
            if self.url is None or self.processes < 1 or head <= FAR_BEHIND:
                yield Here(self.log, self.state)
            else:
                yield stack.enter_context(InTurns(self.url, self.state, self.processes, self.step))

    def _narrow(self, group: Sequence[Entry], refused: dict[str, str], upto: int) -> set[str]:
        """Halve the steps of those whose rows no table could hold, until it is clear which event it is."""
        stuck = set()
        for entry in group:
            size = upto - entry.checkpoint
            if entry.name not in refused:
                if entry.name in self._sizes:
                    self._sizes[entry.name] = min(self.step, 2 * size)
            elif size > 1:
                self._sizes[entry.name] = max(1, size // 2)
            else:
                self._stop(entry, refused[entry.name], upto)
                stuck.add(entry.name)
        return stuck

    def _stop(self, entry: Entry, why: str, position: int) -> None:
        types = [row[3] for row in self.log.rows(position - 1, position, tuple(entry.projection.adds))]
        poison = Poison(position, types[0] if types else "?", why)

        def work(tables: Tables) -> None:
            registry = Registry(tables, self.state.schema)
            for current in registry.entries(lock=True):
                if current.place == entry.place and current.checkpoint == entry.checkpoint:
                    registry.advance(current, current.checkpoint, current.chain, (poison.position, poison.type, why))

        self.state.write(work)


def _chosen(entries: Iterable[Entry], wanted: Sequence[Projection], *, live: bool) -> list[Entry]:
    return [entry for entry in entries if entry.live is live and entry.projection in wanted]


def _named(names: Iterable[str] | None) -> list[Projection]:
    """The read models of these names, or of tables they own; None: all."""
    if names is None:
        return list(PROJECTIONS)
    asked = set(names)
    return [one for one in PROJECTIONS if one.name in asked or asked & {table.name for table in one.tables}]
