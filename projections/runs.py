"""`runs`: one row a run, as lists show it, and its tags; `run_counts`: how many by UTC day and month."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from .facts import Fact, money_of, picos
from .grains import AT
from .projection import Names, Rollup, Row, Table, Tables, grouped, month_of, replace_rows, rows_of

_STARTED = (
    ("run_at", "INTEGER"),
    ("month", "INTEGER"),
    ("strategy", "TEXT"),
    ("category", "TEXT"),
    ("tags", "JSON"),
    ("money", "TEXT"),
    ("provider", "TEXT"),  # live, simulated or recorded:NAME
    ("owner", "TEXT"),
    ("subject", "TEXT"),
)
_ENDED = (
    ("status", "TEXT"),  # running, completed, failed or cancelled
    ("ended_at", "INTEGER"),
    ("answer_attempt", "INTEGER"),
    ("stop_reason", "TEXT"),
    ("confidence", "INTEGER"),
    ("error", "TEXT"),
    ("cancelled_by", "TEXT"),
)
_CACHED = (
    ("cached_model", "TEXT"),  # whose earlier answer was given; null: it was asked for
    ("saved", "INTEGER"),  # picodollars that asking again would have cost
)
RUNS = Table(
    "runs",
    (("run", "TEXT"), *_STARTED, *_ENDED, *_CACHED),
    key=("run",),
    indexes=("(run_at, run)", "(status, run_at) WHERE status = 'running'"),
)
RUN_TAGS = Table("run_tags", (("key", "TEXT"), ("value", "TEXT"), ("run", "TEXT")), key=("key", "value", "run"))
GRAINS = ("day", "month")
KEYS = ("category", "strategy", "money", "status", "cached_model")
_MEASURES = {
    "runs": "1",
    "saved_micros": "coalesce(s.saved, 0) / 1000000",
    "saved_rest": "coalesce(s.saved, 0) % 1000000",
    "confidence": "coalesce(s.confidence, 0)",
    "scored": "CASE WHEN s.confidence IS NULL THEN 0 ELSE 1 END",
}


def select(grain: str) -> str:
    """The sums of the staged runs by one grain."""
    keys = {key: f"s.{key}" for key in KEYS} | {"cached_model": "coalesce(s.cached_model, '')"}
    return grouped("{staged}", {"grain": f"'{grain}'", "at": AT[grain], **keys}, _MEASURES)


RUN_COUNTS = Rollup(
    Table(
        "run_counts",
        (
            ("grain", "TEXT"),
            ("at", "INTEGER"),
            *((key, "TEXT") for key in KEYS),
            *((measure, "INTEGER") for measure in _MEASURES),
        ),
        key=("grain", "at", *KEYS),
        indexes=("(runs) WHERE runs = 0",),
    ),
    keys=("grain", "at", *KEYS),
    measures=tuple(_MEASURES),
    selects=tuple(select(grain) for grain in GRAINS),
)

STARTED, ENDED, CACHED = range(3)
Slot = tuple[Any, ...]
Slots = list[Slot | None]
_STARTED_AT = slice(1, 1 + len(_STARTED))
_ENDED_AT = slice(_STARTED_AT.stop, _STARTED_AT.stop + len(_ENDED))
_CACHED_AT = slice(_ENDED_AT.stop, _ENDED_AT.stop + len(_CACHED))
_TAGS_AT = 5
_RUNNING = ("running", *[None] * (len(_ENDED) - 1))
_NOT_CACHED = (None,) * len(_CACHED)


RunBatch = dict[str, Slots]  # facts of some events, by run: each slot None or (version in the stream, values...)


class Runs:
    """The fold and the tables."""

    name: str = "runs"
    version: int = 1
    types: tuple[str, ...]
    tables: tuple[Table, ...] = (RUNS, RUN_TAGS, RUN_COUNTS.table)

    def zero(self) -> RunBatch:
        """No event."""
        return {}

    def add(self, batch: RunBatch, fact: Fact) -> None:
        """Take in one event; of two that contradict each other the first stands."""
        index, values = _SAYS[fact.type](fact)
        slots = batch.get(fact.run)
        if slots is None:
            slots = batch[fact.run] = [None] * 3
        if slots[index] is None:
            slots[index] = (fact.version, *values)

    def merge(self, batch: RunBatch, other: RunBatch) -> RunBatch:
        """The facts of both; uses up its arguments."""
        for run, slots in other.items():
            _merge_slots(batch.setdefault(run, slots), slots)
        return batch

    def apply(self, tables: Tables, names: Names, batch: RunBatch) -> None:
        """Rows of runs that began earlier are read, completed and written anew."""
        earlier = sorted(run for run, slots in batch.items() if (one := slots[STARTED]) is None or one[0] != 1)
        old = rows_of(tables, names(RUNS.name), RUNS.names, "run", earlier)
        new = list(_new_rows(batch, old))
        replace_rows(tables, names, RUNS, (RUN_COUNTS,), old=old, new=new)
        tags = [tag for row in new[len(old) :] for tag in _tags(row)]
        tables.insert(names(RUN_TAGS.name), RUN_TAGS.names, tags)


def _tags(row: Row) -> Iterator[Row]:
    if row[_TAGS_AT] != "{}":
        for key, value in json.loads(row[_TAGS_AT]).items():
            yield key, value, row[0]


def _new_rows(batch: dict[str, Slots], old: list[Row]) -> Iterator[Row]:
    for row in old:
        slots = _slots_of(row)
        _merge_slots(slots, batch.pop(row[0]))
        yield _row(row[0], slots)
    for run, slots in batch.items():
        if slots[STARTED] is not None:
            yield _row(run, slots)


def _merge_slots(slots: Slots, other: Slots) -> None:
    for index, found in enumerate(other):
        known = slots[index]
        if known is None or (found is not None and found[0] < known[0]):
            slots[index] = found


def _slots_of(row: Row) -> Slots:
    ended, cached = row[_ENDED_AT], row[_CACHED_AT]
    return [
        (0, *row[_STARTED_AT]),
        None if ended[0] == "running" else (0, *ended),
        None if cached[0] is None else (0, *cached),
    ]


def _row(run: str, slots: Slots) -> Row:
    started, ended, cached = slots
    assert started is not None
    return (
        run,
        *started[1:],
        *(_RUNNING if ended is None else ended[1:]),
        *(_NOT_CACHED if cached is None else cached[1:]),
    )


# ---- what each event says -------------------------------------------------------------------------------------------


def _started(fact: Fact) -> tuple[int, Slot]:
    e, at = fact.event, fact.at
    tags = json.dumps(e.tags, ensure_ascii=False, sort_keys=True) if e.tags else "{}"
    money = money_of(e.provider)
    return STARTED, (at, month_of(at), e.strategy, e.category, tags, money, e.provider, e.owner, e.subject)


def _completed(fact: Fact) -> tuple[int, Slot]:
    e = fact.event
    return ENDED, ("completed", fact.at, e.attempt, e.stop_reason, e.confidence, None, None)


def _failed(fact: Fact) -> tuple[int, Slot]:
    return ENDED, ("failed", fact.at, None, None, None, fact.event.kind, None)


def _cancelled(fact: Fact) -> tuple[int, Slot]:
    return ENDED, ("cancelled", fact.at, None, None, None, None, fact.event.by)


def _cached(fact: Fact) -> tuple[int, Slot]:
    return CACHED, (fact.event.model, picos(fact.event.saved))


_SAYS: dict[str, Callable[[Fact], tuple[int, Slot]]] = {
    "RunStarted": _started,
    "RunCompleted": _completed,
    "RunFailed": _failed,
    "RunCancelled": _cancelled,
    "AnsweredFromCache": _cached,
}
Runs.types = tuple(_SAYS)
