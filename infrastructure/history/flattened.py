"""Rows of runs, attempts and escalations out of whole runs, by the folds of the read models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from ...domain.errors import ProjectionStopped
from ...projections.attempt_columns import ATTEMPTS as ATTEMPT_TABLE
from ...projections.attempts import ESCALATIONS as ESCALATION_TABLE
from ...projections.costs import RUN_COSTS
from ...projections.runs import RUNS as RUN_TABLE
from ..read_models.folding import REFUSALS
from ..read_models.lean_codec import LogRow, event_of
from ..read_models.registry import BY_NAME
from .schema import ATTEMPTS, ESCALATIONS, RUNS, Column

Row = tuple[Any, ...]
FOLDS = (BY_NAME["attempts"], BY_NAME["runs"])
TYPES = frozenset(type_ for fold in FOLDS for type_ in fold.adds)
_ADDED = ("started", "cost_usd", "stream_position", "upto")
_NO_CALL = (0, 0, 0, 0, None, None)


def _picked(columns: Sequence[Column], names: Sequence[str]) -> itemgetter[Any]:
    """Takes the columns that the folds make out of their row."""
    return itemgetter(*(names.index(one.name) for one in columns if one.name not in _ADDED))


_SUMMED = ("attempts", "open", "lost", "cost", "money", "model")  # of RUN_COSTS; `money` is `charged` in a run's row
_RUN_NAMES = (*RUN_TABLE.names, *("charged" if name == "money" else name for name in _SUMMED))
_OF_RUN, _OF_ATTEMPT = _picked(RUNS, _RUN_NAMES), _picked(ATTEMPTS, ATTEMPT_TABLE.names)
_OF_ESCALATION = _picked(ESCALATIONS, ESCALATION_TABLE.names)
_OF_COSTS = itemgetter(*(RUN_COSTS.names.index(name) for name in _SUMMED))
_RUN_COST, _ATTEMPT_COST = (
    [one.name for one in columns if one.name not in _ADDED].index("cost") for columns in (RUNS, ATTEMPTS)
)
_RUN_AT = 2  # in rows of attempts and escalations


def flattened(rows: Iterable[LogRow], upto: int) -> dict[str, list[Row]]:
    """The rows of the runs that begin among these events, by kind. Raises ProjectionStopped."""
    calls, runs = (fold.zero() for fold in FOLDS)
    begun: dict[str, int] = {}
    for row in rows:
        position, run, version, type_, _, at, _ = row
        if version == 1:
            begun[run] = position
        if type_ not in TYPES:
            continue
        try:
            event = event_of(row)
            for fold, batch in zip(FOLDS, (calls, runs), strict=True):
                if (add := fold.adds.get(type_)) is not None:
                    add(batch, run, version, at, event)
        except REFUSALS as error:
            raise ProjectionStopped(
                f"the event at position {position} ({type_}) cannot be exported: {error}; "
                "install a release that can read it"
            ) from None
    for fold, batch in zip(FOLDS, (calls, runs), strict=True):
        fold.prepare(batch)
    costs = {row[0]: _OF_COSTS(row) for row in calls.run_costs}
    return {
        "runs": [(*row, begun[row[0]], upto) for row in _run_rows(runs.rows, costs)],
        "attempts": [
            (*row, row[_RUN_AT], row[_ATTEMPT_COST], begun[row[0]], upto) for row in map(_OF_ATTEMPT, calls.rows)
        ],
        "escalations": [(*row, begun[row[0]], upto) for row in map(_OF_ESCALATION, calls.escalated)],
    }


def _run_rows(rows: Iterable[Row], costs: dict[str, Row]) -> Iterator[Row]:
    for row in rows:
        picked = _OF_RUN((*row, *costs.get(row[0], _NO_CALL)))
        yield (*picked, picked[1], picked[_RUN_COST])


def run_at(kind: str, row: Row) -> int:
    """When the row's run started, microseconds."""
    return int(row[1 if kind == "runs" else _RUN_AT])
