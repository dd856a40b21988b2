"""`attempts`: one row an attempt, with every fact that reports ask for; costs and statistics are sums over its rows.

What is true of two facts that contradict each other is what domain/run.py says: the first stands, except that a late
answer replaces a loss, and a reconciliation an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from . import facts
from .attempt_columns import (
    ATTEMPTS,
    CHARGED_COLUMNS,
    CONFIDENCE_COLUMNS,
    OUTCOME_COLUMNS,
    RECONCILED_COLUMNS,
    RUN_COLUMNS,
    STARTED_COLUMNS,
)
from .buckets import bucket_of
from .costs import COSTS, RUN_COSTS
from .dimensions import ATTEMPT_DIMENSIONS, DIMENSIONS, ESCALATION_DIMENSIONS, dim_of
from .facts import money_of, picos, tags_text
from .model_stats import ESCALATION_STATS, MODEL_STATS
from .model_totals import ESCALATION_TOTALS, MODEL_TOTALS
from .projection import Add, Names, Row, Sums, Table, Tables, delete_runs, replace_rows, rows_of

RUNS_WITHOUT = Table("runs_without_attempts", (("run", "TEXT"), *RUN_COLUMNS), key=("run",))
ESCALATIONS = Table(
    "escalations",
    (
        ("run", "TEXT"),
        ("version", "INTEGER"),
        *RUN_COLUMNS,
        ("from_model", "TEXT"),
        ("to_model", "TEXT"),
        ("reason", "TEXT"),
        ("from_dim", "INTEGER"),
        ("to_dim", "INTEGER"),
    ),
    key=("run", "version"),
)

# An attempt's facts are slots, each None or (version in the stream, values...); where a slot's values stand in a row.
STARTED, OUTCOME, LOST, CHARGED, CONFIDENCE, RECONCILED = range(6)
Slot = tuple[Any, ...]
Slots = list[Slot | None]


def _spans() -> Iterator[slice]:
    at = 2
    for columns in (
        RUN_COLUMNS,
        STARTED_COLUMNS,
        OUTCOME_COLUMNS,
        CHARGED_COLUMNS,
        CONFIDENCE_COLUMNS,
        RECONCILED_COLUMNS,
    ):
        yield slice(at, at + len(columns))
        at += len(columns)


_RUN_AT, _STARTED_AT, _OUTCOME_AT, _CHARGED_AT, _CONFIDENCE_AT, _RECONCILED_AT = _spans()
_STATUS, _COST, _CHARGED_MONEY, _MODEL = (
    ATTEMPTS.names.index(one) for one in ("status", "cost", "charged_money", "model")
)
_OPEN: tuple[Any, ...] = ("open", *[None] * (len(OUTCOME_COLUMNS) - 1))
_NO_USAGE = (None,) * 5
_NO_CHARGE = (None,) * len(CHARGED_COLUMNS)
_NO_CONFIDENCE = (None,)
_NOT_RECONCILED = (None,) * len(RECONCILED_COLUMNS)


@dataclass(slots=True)
class AttemptBatch:
    """Facts of some events, by run."""

    runs: dict[str, Slot] = field(default_factory=dict)
    attempts: dict[str, dict[int, Slots]] = field(default_factory=dict)
    escalations: dict[tuple[str, int], tuple[str, str, str]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)  # finished: of runs that begin here
    run_costs: list[Row] = field(default_factory=list)
    escalated: list[Row] = field(default_factory=list)
    sums: tuple[Sums, ...] = ()  # of `rows`, a roll-up each


_ROLLUPS = (ATTEMPT_DIMENSIONS, COSTS, MODEL_STATS, MODEL_TOTALS)


class Attempts:
    """The fold and the tables."""

    name: str = "attempts"
    version: int = 3
    adds: Mapping[str, Add]
    tables: tuple[Table, ...] = (
        ATTEMPTS,
        RUNS_WITHOUT,
        ESCALATIONS,
        DIMENSIONS,
        COSTS.table,
        RUN_COSTS,
        MODEL_STATS.table,
        MODEL_TOTALS.table,
    )

    def zero(self) -> AttemptBatch:
        """No event."""
        return AttemptBatch()

    def merge(self, batch: AttemptBatch, other: AttemptBatch) -> AttemptBatch:
        """The facts of both; uses up its arguments."""
        for run, slot in other.runs.items():
            known = batch.runs.get(run)
            batch.runs[run] = slot if known is None or slot < known else known
        for run, attempts in other.attempts.items():
            mine = batch.attempts.setdefault(run, attempts)
            if mine is not attempts:
                for number, slots in attempts.items():
                    merge_slots(mine.setdefault(number, slots), slots)
        batch.escalations.update(other.escalations)
        return batch

    def prepare(self, batch: AttemptBatch) -> None:
        """The rows of runs that begin here need nothing of the tables."""
        runs = {run: slot[1:] for run, slot in batch.runs.items() if slot[0] == 1}
        begun = [run for run in runs if run in batch.attempts]
        if batch.rows:
            assert not begun, "a batch that was prepared is not added to"
            return
        for run in begun:
            rows = list(_rows_of_run(run, runs[run], batch.attempts.pop(run)))
            if rows:
                batch.rows += rows
                batch.run_costs.append(_run_cost(rows))
                del batch.runs[run]
        batch.sums = tuple(rollup.sums(batch.rows) for rollup in _ROLLUPS)
        for key in [key for key in batch.escalations if key[0] in runs]:
            batch.escalated.append(_escalation(key, runs[key[0]], *batch.escalations.pop(key)))

    def apply(self, tables: Tables, names: Names, batch: AttemptBatch) -> None:
        """Rows of runs that began earlier are read, completed and written anew."""
        self.prepare(batch)
        touched = batch.attempts.keys() | batch.runs.keys() | {run for run, _ in batch.escalations}
        earlier = sorted(run for run in touched if (slot := batch.runs.get(run)) is None or slot[0] != 1)
        old = rows_of(tables, names(ATTEMPTS.name), ATTEMPTS.names, "run", earlier)
        waiting = rows_of(tables, names(RUNS_WITHOUT.name), RUNS_WITHOUT.names, "run", earlier)
        runs = {run: slot[1:] for run, slot in batch.runs.items()}
        runs |= {row[0]: row[1:] for row in waiting} | {row[0]: row[_RUN_AT] for row in old}
        new = list(_new_rows(batch.attempts, old, runs))
        escalated = [
            _escalation(key, runs[key[0]], *models) for key, models in batch.escalations.items() if key[0] in runs
        ]
        replace_rows(tables, names, ATTEMPTS, _ROLLUPS, old=old, new=new, begun=batch.rows, sums=batch.sums)
        rollups = (ESCALATION_DIMENSIONS, ESCALATION_STATS, ESCALATION_TOTALS)
        replace_rows(tables, names, ESCALATIONS, rollups, old=[], new=[*escalated, *batch.escalated])
        delete_runs(tables, names(RUN_COSTS.name), sorted({row[0] for row in old}))
        run_costs = [_run_cost(list(rows)) for _, rows in groupby(new, itemgetter(0))]
        tables.insert(names(RUN_COSTS.name), RUN_COSTS.names, [*run_costs, *batch.run_costs])
        _keep_waiting(tables, names, batch, {row[0] for row in waiting}, {row[0] for row in (*old, *new)})


def _escalation(key: tuple[str, int], of_run: tuple[Any, ...], from_model: str, to_model: str, reason: str) -> Row:
    """A row, with dimensions of its two models: without provider and outcome."""
    _, strategy, category, _, money, owner = of_run
    dims = (dim_of(category, strategy, model, "", money, "", owner) for model in (from_model, to_model))
    return (*key, *of_run, from_model, to_model, reason, *dims)


def _run_cost(rows: Sequence[Row]) -> Row:
    """The sums of one run, of its attempts in order."""
    last = rows[-1]
    if len(rows) == 1:
        status = last[_STATUS]
        return last[0], 1, int(status == "open"), int(status == "lost"), last[_COST], last[_CHARGED_MONEY], last[_MODEL]
    costs = [row[_COST] for row in rows]
    known = None if None in costs else sum(costs)
    money = ",".join(sorted({row[_CHARGED_MONEY] for row in rows if row[_CHARGED_MONEY]})) or None
    statuses = [row[_STATUS] for row in rows]
    return last[0], len(rows), statuses.count("open"), statuses.count("lost"), known, money, last[_MODEL]


def _keep_waiting(tables: Tables, names: Names, batch: AttemptBatch, waiting: set[str], with_attempt: set[str]) -> None:
    """Keep the facts of runs that have no attempt yet: their attempts will need them."""
    table = names(RUNS_WITHOUT.name)
    for run in waiting & with_attempt:
        tables.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
    rows = [(run, *slot[1:]) for run, slot in batch.runs.items() if run not in with_attempt and run not in waiting]
    tables.insert(table, RUNS_WITHOUT.names, rows)


def _new_rows(
    batch: dict[str, dict[int, Slots]], old: Sequence[Row], runs: dict[str, tuple[Any, ...]]
) -> Iterator[Row]:
    """Every attempt of the batch and of the rows read, complete."""
    stored: dict[str, dict[int, Slots]] = {}
    for row in old:
        stored.setdefault(row[0], {})[row[1]] = _slots_of(row)
    for run, attempts in stored.items():
        for number, slots in batch.pop(run, {}).items():
            merge_slots(attempts.setdefault(number, slots), slots)
    for run, attempts in (*stored.items(), *batch.items()):
        if (of_run := runs.get(run)) is not None:
            yield from _rows_of_run(run, of_run, attempts)


def _rows_of_run(run: str, of_run: tuple[Any, ...], attempts: dict[int, Slots]) -> Iterator[Row]:
    """In order, those of attempts that are known to have started, not only that something came of them."""
    calls: set[int] = set()
    for number in sorted(attempts):
        slots = attempts[number]
        if (started := slots[STARTED]) is not None:
            yield _row(run, number, of_run, slots, retry=started[2] in calls)
            calls.add(started[2])


def merge_slots(slots: Slots, other: Slots) -> None:
    """Bring other facts of the same attempt into its slots."""
    if slots is other:
        return
    for index, found in enumerate(other):
        known = slots[index]
        if found is None or known is None:
            slots[index] = known or found
        elif (found[0] > known[0]) is (index == RECONCILED):
            slots[index] = found


def _slots_of(row: Row) -> Slots:
    """The facts a row was made from; version 0, because what is stored came before."""
    outcome = row[_OUTCOME_AT]
    slots: Slots = [(0, *row[_STARTED_AT]), None, None, None, None, None]
    if outcome[0] != "open":
        slots[LOST if outcome[0] == "lost" else OUTCOME] = (0, *outcome)
    for index, span, needed in (
        (CHARGED, _CHARGED_AT, 3),
        (CONFIDENCE, _CONFIDENCE_AT, 0),
        (RECONCILED, _RECONCILED_AT, 1),
    ):
        values = row[span]
        if values[needed] is not None:
            slots[index] = (0, *values)
    return slots


def _row(run: str, number: int, of_run: tuple[Any, ...], slots: Slots, *, retry: bool) -> Row:
    started, outcome, lost, charged, confidence, reconciled = slots
    assert started is not None
    became = outcome or lost
    ended = _OPEN if became is None else became[1:]
    if charged is not None:
        cost = charged[1]
    elif reconciled is not None:
        cost = reconciled[1]
    else:
        cost = 0 if ended[0] == "failed" else None
    latency, first_token = ended[7], ended[8]
    _, strategy, category, _, money, owner = of_run
    if charged is not None:
        money = charged[4]
    return (
        run,
        number,
        *of_run,
        *started[1:],
        *ended,
        *(_NO_CHARGE if charged is None else charged[1:]),
        *(_NO_CONFIDENCE if confidence is None else confidence[1:]),
        *(_NOT_RECONCILED if reconciled is None else reconciled[1:]),
        cost,
        money,
        int(retry),
        None if latency is None else bucket_of(latency),
        None if first_token is None else bucket_of(first_token),
        dim_of(category, strategy, started[4], started[5], money, ended[0], owner),
    )


# ---- what each event adds -------------------------------------------------------------------------------------------


def _run_started(batch: AttemptBatch, run: str, version: int, at: int, e: facts.RunStarted) -> None:
    if run not in batch.runs:
        batch.runs[run] = (version, at, e.strategy, e.category, tags_text(e.tags), money_of(e.provider), e.owner)


def _learn(batch: AttemptBatch, run: str, attempt: int, index: int, slot: Slot) -> None:
    try:
        slots = batch.attempts[run][attempt]
    except KeyError:
        slots = batch.attempts.setdefault(run, {}).setdefault(attempt, [None] * 6)
    if slots[index] is None or index == RECONCILED:
        slots[index] = slot


def _started(batch: AttemptBatch, run: str, version: int, at: int, e: facts.AttemptStarted) -> None:
    slot = (version, at, e.call, e.epoch, e.model, e.provider, e.purpose, picos(e.max_cost))
    _learn(batch, run, e.attempt, STARTED, slot)


def _called(batch: AttemptBatch, run: str, version: int, at: int, e: facts.ModelCalled) -> None:
    u = e.usage
    tokens = _NO_USAGE if u is None else (u.input_uncached, u.cache_read, u.cache_write, u.output, u.reasoning)
    reply = (e.finish_reason, e.response_model, e.provider_request_id, e.latency, e.first_token)
    _learn(batch, run, e.attempt, OUTCOME, (version, "answered", at, None, None, *reply, *tokens))


def _failed(batch: AttemptBatch, run: str, version: int, at: int, e: facts.AttemptFailed) -> None:
    said = (e.kind, e.status, None, None, e.provider_request_id, e.latency)
    _learn(batch, run, e.attempt, OUTCOME, (version, "failed", at, *said, None, *_NO_USAGE))


def _lost(batch: AttemptBatch, run: str, version: int, at: int, e: facts.AttemptLost) -> None:
    said = (e.kind, e.status, None, None, e.provider_request_id, e.latency)
    _learn(batch, run, e.attempt, LOST, (version, "lost", at, *said, None, *_NO_USAGE))


def _charged(batch: AttemptBatch, run: str, version: int, at: int, e: facts.CostIncurred) -> None:
    _learn(batch, run, e.attempt, CHARGED, (version, picos(e.amount), e.price_card, int(e.estimated), e.money))


def _scored(batch: AttemptBatch, run: str, version: int, at: int, e: facts.ConfidenceScored) -> None:
    _learn(batch, run, e.attempt, CONFIDENCE, (version, e.score))


def _reconciled(batch: AttemptBatch, run: str, version: int, at: int, e: facts.AttemptReconciled) -> None:
    _learn(batch, run, e.attempt, RECONCILED, (version, picos(e.amount), e.evidence, e.by))


def _escalated(batch: AttemptBatch, run: str, version: int, at: int, e: facts.Escalated) -> None:
    batch.escalations[run, version] = (e.from_model, e.to_model, e.reason)


Attempts.adds = {
    "RunStarted": _run_started,
    "AttemptStarted": _started,
    "ModelCalled": _called,
    "AttemptFailed": _failed,
    "AttemptLost": _lost,
    "AttemptReconciled": _reconciled,
    "CostIncurred": _charged,
    "ConfidenceScored": _scored,
    "Escalated": _escalated,
}
