"""`runs`: one row a run, as lists show it, and its tags; `run_counts`: how many by UTC day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, itemgetter
from typing import Any

from ..domain.units import MILLION
from . import facts
from .facts import money_of, picos, tags_of, tags_text
from .projection import DAY, Add, Names, Rollup, Row, Sums, Table, Tables, replace_rows, rows_of

_STARTED = (
    ("run_at", "INTEGER"),
    ("strategy", "TEXT"),
    ("category", "TEXT"),
    ("tags", "JSON"),
    ("money", "TEXT"),
    ("provider", "TEXT"),  # live, simulated or recorded:NAME
    ("owner", "TEXT"),
    ("subject", "TEXT"),
    ("catalogue", "TEXT"),  # its hash
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
_FED_BACK = (("feedback", "INTEGER"),)  # millionths, of the run's own answer: what was said last
RUNS = Table(
    "runs",
    (("run", "TEXT"), *_STARTED, *_ENDED, *_CACHED, *_FED_BACK),
    key=("run",),
    lookups=("(run_at, run)", "(owner, run_at, run)", "(status, run_at) WHERE status = 'running'"),
)
RUN_TAGS = Table("run_tags", (("key", "TEXT"), ("value", "TEXT"), ("run", "TEXT")), key=("key", "value", "run"))
GRAINS = ("day",)
KEYS = ("category", "strategy", "money", "status", "cached_model", "owner")
_MEASURES = ("runs", "saved_micros", "saved_rest", "confidence", "scored")
_AT = {name: index for index, name in enumerate(RUNS.names)}
_FIGURES = itemgetter(*(_AT[name] for name in ("run_at", *KEYS, "saved", "confidence")))


def _counts(rows: Sequence[Row]) -> Sums:
    sums: Sums = {}
    for at, category, strategy, money, status, cached_model, owner, saved, confidence in map(_FIGURES, rows):
        micros, rest = (0, 0) if saved is None else divmod(saved, MILLION)
        one = (1, micros, rest, confidence or 0, 0 if confidence is None else 1)
        key = (at - at % DAY, category, strategy, money, status, cached_model or "", owner)
        known = sums.get(key)
        sums[key] = one if known is None else tuple(map(add, known, one))
    return sums


RUN_COUNTS = Rollup(
    Table(
        "run_counts",
        (
            ("at", "INTEGER"),
            *((key, "TEXT") for key in KEYS),
            *((measure, "INTEGER") for measure in _MEASURES),
        ),
        key=("at", *KEYS),
        indexes=("(runs) WHERE runs = 0",),
    ),
    keys=("at", *KEYS),
    measures=_MEASURES,
    sums=_counts,
)

STARTED, ENDED, CACHED, FEEDBACK = range(4)
Slot = tuple[Any, ...]
Slots = list[Slot | None]
_STARTED_AT = slice(1, 1 + len(_STARTED))
_ENDED_AT = slice(_STARTED_AT.stop, _STARTED_AT.stop + len(_ENDED))
_CACHED_AT = slice(_ENDED_AT.stop, _ENDED_AT.stop + len(_CACHED))
_FED_BACK_AT = slice(_CACHED_AT.stop, _CACHED_AT.stop + len(_FED_BACK))
_TAGS_AT = 4
_RUNNING = ("running", *[None] * (len(_ENDED) - 1))
_NOT_CACHED = (None,) * len(_CACHED)
_NOT_FED_BACK = (None,) * len(_FED_BACK)


@dataclass(slots=True)
class RunBatch:
    """Facts of some events, by run: each slot None or (version in the stream, values...)."""

    runs: dict[str, Slots] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)  # finished: of runs that begin here
    tags: list[Row] = field(default_factory=list)
    sums: tuple[Sums, ...] = ()  # of `rows`


class Runs:
    """The fold and the tables."""

    name: str = "runs"
    version: int = 5
    adds: Mapping[str, Add]
    tables: tuple[Table, ...] = (RUNS, RUN_TAGS, RUN_COUNTS.table)

    def zero(self) -> RunBatch:
        """No event."""
        return RunBatch()

    def merge(self, batch: RunBatch, other: RunBatch) -> RunBatch:
        """The facts of both; uses up its arguments."""
        for run, slots in other.runs.items():
            _merge_slots(batch.runs.setdefault(run, slots), slots)
        return batch

    def prepare(self, batch: RunBatch) -> None:
        """The rows of runs that begin here need nothing of the tables."""
        begun = [run for run, slots in batch.runs.items() if (one := slots[STARTED]) is not None and one[0] == 1]
        if batch.rows:
            assert not begun, "a batch that was prepared is not added to"
            return
        batch.rows = [_row(run, batch.runs.pop(run)) for run in begun]
        batch.tags = [tag for row in batch.rows for tag in _tags(row)]
        batch.sums = (RUN_COUNTS.sums(batch.rows),)

    def apply(self, tables: Tables, names: Names, batch: RunBatch) -> None:
        """Rows of runs that began earlier are read, completed and written anew."""
        self.prepare(batch)
        old = rows_of(tables, names(RUNS.name), RUNS.names, "run", sorted(batch.runs))
        new = [_completed_row(row, batch.runs.pop(row[0])) for row in old]
        late = [_row(run, slots) for run, slots in batch.runs.items() if slots[STARTED] is not None]
        replace_rows(tables, names, RUNS, (RUN_COUNTS,), old=old, new=[*new, *late], begun=batch.rows, sums=batch.sums)
        tags = [*batch.tags, *(tag for row in late for tag in _tags(row))]
        tables.insert(names(RUN_TAGS.name), RUN_TAGS.names, tags)


def _tags(row: Row) -> Iterator[Row]:
    if row[_TAGS_AT] != "{}":
        for key, value in tags_of(row[_TAGS_AT]):
            yield key, value, row[0]


def _completed_row(row: Row, found: Slots) -> Row:
    slots = _slots_of(row)
    _merge_slots(slots, found)
    return _row(row[0], slots)


def _merge_slots(slots: Slots, other: Slots) -> None:
    for index, found in enumerate(other):
        known = slots[index]
        if known is None or (found is not None and (found[0] > known[0]) == (index == FEEDBACK)):
            slots[index] = found


def _slots_of(row: Row) -> Slots:
    ended, cached, fed_back = row[_ENDED_AT], row[_CACHED_AT], row[_FED_BACK_AT]
    return [
        (0, *row[_STARTED_AT]),
        None if ended[0] == "running" else (0, *ended),
        None if cached[0] is None else (0, *cached),
        None if fed_back[0] is None else (0, *fed_back),
    ]


def _row(run: str, slots: Slots) -> Row:
    started, ended, cached, fed_back = slots
    assert started is not None
    return (
        run,
        *started[1:],
        *(_RUNNING if ended is None else ended[1:]),
        *(_NOT_CACHED if cached is None else cached[1:]),
        *(_NOT_FED_BACK if fed_back is None else fed_back[1:]),
    )


# ---- what each event adds -------------------------------------------------------------------------------------------


def _learn(batch: RunBatch, run: str, index: int, slot: Slot) -> None:
    """Of two that contradict each other the first stands, of feedback the last."""
    slots = batch.runs.get(run)
    if slots is None:
        slots = batch.runs[run] = [None] * 4
    if slots[index] is None or index == FEEDBACK:
        slots[index] = slot


def _started(batch: RunBatch, run: str, version: int, at: int, e: facts.RunStarted) -> None:
    asked = (e.strategy, e.category, tags_text(e.tags), money_of(e.provider))
    _learn(batch, run, STARTED, (version, at, *asked, e.provider, e.owner, e.subject, e.catalogue))


def _completed(batch: RunBatch, run: str, version: int, at: int, e: facts.RunCompleted) -> None:
    _learn(batch, run, ENDED, (version, "completed", at, e.attempt, e.stop_reason, e.confidence, None, None))


def _failed(batch: RunBatch, run: str, version: int, at: int, e: facts.RunFailed) -> None:
    _learn(batch, run, ENDED, (version, "failed", at, None, None, None, e.kind, None))


def _cancelled(batch: RunBatch, run: str, version: int, at: int, e: facts.RunCancelled) -> None:
    _learn(batch, run, ENDED, (version, "cancelled", at, None, None, None, None, e.by))


def _cached(batch: RunBatch, run: str, version: int, at: int, e: facts.AnsweredFromCache) -> None:
    _learn(batch, run, CACHED, (version, e.model, picos(e.saved)))


def _fed_back(batch: RunBatch, run: str, version: int, at: int, e: facts.FeedbackGiven) -> None:
    if e.attempt is None:
        _learn(batch, run, FEEDBACK, (version, e.value))


Runs.adds = {
    "RunStarted": _started,
    "RunCompleted": _completed,
    "RunFailed": _failed,
    "RunCancelled": _cancelled,
    "AnsweredFromCache": _cached,
    "FeedbackGiven": _fed_back,
}
