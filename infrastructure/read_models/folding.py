"""One range of the log through the folds, without touching a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...projections.projection import Add, Projection
from .lean_codec import LogRow, event_of
from .log_source import LogSource
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
    types = sorted({type_ for fold in folds for type_ in fold.adds})
    batches = {fold.name: fold.zero() for fold in folds}
    poisons = _through(folds, log.rows(after, upto, types), batches)
    return {fold.name: Folded(batches[fold.name], poisons.get(fold.name)) for fold in folds}


def _through(folds: Sequence[Projection], rows: Iterable[LogRow], batches: dict[str, Any]) -> dict[str, Poison]:
    poisons: dict[str, Poison] = {}
    wanted = _wanted(folds, batches)
    for row in rows:
        position, run, version, type_, _, at, _ = row
        adding = wanted.get(type_, ())
        stopped: dict[str, Exception] = {}
        try:
            event = event_of(row)
        except REFUSALS as error:
            stopped = dict.fromkeys((name for name, _, _ in adding), error)
        else:
            for name, add, batch in adding:
                try:
                    add(batch, run, version, at, event)
                except REFUSALS as error:
                    stopped[name] = error
        if stopped:
            for name, why in stopped.items():
                poisons[name] = Poison(position, type_, str(why) or type(why).__name__)
            wanted = _wanted([fold for fold in folds if fold.name not in poisons], batches)
    return poisons


def _wanted(folds: Sequence[Projection], batches: dict[str, Any]) -> dict[str, list[tuple[str, Add, Any]]]:
    """Who takes in an event, by its type: a fold, how, and into what."""
    wanted: dict[str, list[tuple[str, Add, Any]]] = {}
    for fold in folds:
        for type_, add in fold.adds.items():
            wanted.setdefault(type_, []).append((fold.name, add, batches[fold.name]))
    return wanted


def prepared(folded: dict[str, Folded]) -> dict[str, Folded]:
    """The same, with what can be done ahead of the tables."""
    for name, one in folded.items():
        BY_NAME[name].prepare(one.batch)
    return folded
