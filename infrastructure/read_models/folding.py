"""One range of the log through the folds, without touching a table: what worker processes do."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...projections.facts import Fact
from ...projections.projection import Projection
from .lean_codec import LogRow, fact_of
from .log_source import LogSource, open_log
from .registry import BY_NAME

REFUSALS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)  # what is wrong with an event


@dataclass(frozen=True, slots=True)
class Poison:
    """An event that cannot be folded."""

    position: int
    type: str
    why: str


@dataclass(frozen=True, slots=True)
class Folded:
    """A range's accumulator; with a poison, of what stands before it."""

    batch: Any
    poison: Poison | None


def fold_range(log: LogSource, names: Sequence[str], after: int, upto: int) -> dict[str, Folded]:
    """The events at (after, upto] through each of the folds."""
    folds = [BY_NAME[name] for name in names]
    types = sorted({type_ for fold in folds for type_ in fold.types})
    rows = list(log.rows(after, upto, types))
    batches = {fold.name: fold.zero() for fold in folds}
    poisons = _through(folds, rows, batches)
    return {fold.name: Folded(batches[fold.name], poisons.get(fold.name)) for fold in folds}


def _through(folds: Sequence[Projection], rows: Iterable[LogRow], batches: dict[str, Any]) -> dict[str, Poison]:
    poisons: dict[str, Poison] = {}
    adds: dict[str, list[Projection]] = {type_: [] for fold in folds for type_ in fold.types}
    for fold in folds:
        for type_ in fold.types:
            adds[type_].append(fold)
    for row in rows:
        wanted = adds.get(row[3])
        if not wanted:
            continue
        try:
            fact: Fact = fact_of(row)
        except REFUSALS as error:
            for fold in tuple(wanted):
                _stop(fold, row, error, adds, poisons)
            continue
        for fold in tuple(wanted):
            try:
                fold.add(batches[fold.name], fact)
            except REFUSALS as error:
                _stop(fold, row, error, adds, poisons)
    return poisons


def _stop(
    fold: Projection, row: LogRow, error: Exception, adds: dict[str, list[Projection]], poisons: dict[str, Poison]
) -> None:
    poisons[fold.name] = Poison(row[0], row[3], str(error) or type(error).__name__)
    for folds in adds.values():
        if fold in folds:
            folds.remove(fold)


_log: LogSource | None = None  # of a worker process


def open_in_worker(url: str) -> None:
    """A worker process opens the log once."""
    global _log
    _log = open_log(url)
    gc.disable()  # accumulators hold no cycles, and live as long as a range


def fold_in_worker(names: Sequence[str], after: int, upto: int) -> dict[str, Folded]:
    """`fold_range` on the worker's log, and what can be done ahead of the tables."""
    assert _log is not None
    folded = fold_range(_log, names, after, upto)
    for name, one in folded.items():
        BY_NAME[name].prepare(one.batch)
    return folded
