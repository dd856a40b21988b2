"""Read models are exact: in any batches, merged in any order, live or rebuilt, and as domain/run.py has it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from model_orchestrator.domain.filters import (
    CALL_FIELDS,
    EVERYTHING,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Field,
    Kind,
    Not,
    Op,
    Unknown,
)
from model_orchestrator.domain.run import Run, fold
from model_orchestrator.domain.units import picodollars
from model_orchestrator.infrastructure.read_models.catch_up import CatchUp
from model_orchestrator.infrastructure.read_models.folding import fold_range
from model_orchestrator.infrastructure.read_models.registry import PROJECTIONS, Registry
from model_orchestrator.infrastructure.read_models.state import SqliteState
from model_orchestrator.projections.cost_report import costs
from model_orchestrator.projections.model_report import model_report
from model_orchestrator.projections.projection import Row, Tables
from model_orchestrator.projections.run_report import ALWAYS

from ..read_models import BEGIN, Event, ListedLog, logs, rows_of, tables_of
from ..scenario import MINI

NAMES = [one.name for one in PROJECTIONS]
APART = 7 * 3600 * 1_000_000  # microseconds from one event to the next: several days and months in a log


def live(log: ListedLog, stops: Sequence[int], step: int = 3) -> dict[str, list[Row]]:
    """The tables after asking whenever the log was as long as that, and at its end."""
    state = SqliteState(None)
    for stop in sorted({min(stop, log.head()) for stop in stops} | {log.head()}):
        CatchUp(log, state, step=step, upto=stop).live()
    return tables_of(state)


@settings(max_examples=60)
@given(logs(), st.lists(st.integers(1, 40), max_size=4), st.integers(1, 9))
def test_whenever_it_is_asked_the_rows_come_out_the_same(events: list[Event], stops: list[int], step: int) -> None:
    """Live in steps of any length, or in one go."""
    log = ListedLog(rows_of(events, apart=APART))
    assert live(log, stops, step) == live(log, [], 1000)


@settings(max_examples=60)
@given(logs(), st.data())
def test_batches_merge_in_any_order(events: list[Event], data: st.DataObject) -> None:
    """Cut anywhere, folded apart, merged in any order, applied once: the same rows."""
    log = ListedLog(rows_of(events, apart=APART))
    cuts = sorted({0, log.head(), *data.draw(st.lists(st.integers(0, log.head()), max_size=4))})
    ranges = data.draw(st.permutations(list(pairwise(cuts))))
    merged: dict[str, Any] = {one.name: one.zero() for one in PROJECTIONS}
    for after, upto in ranges:
        folded = fold_range(log, NAMES, after, upto)
        for one in PROJECTIONS:
            assert folded[one.name].poison is None
            merged[one.name] = one.merge(merged[one.name], folded[one.name].batch)
    state = SqliteState(None)

    def work(tables: Tables) -> None:
        for one in PROJECTIONS:
            Registry(tables, "").create(one, live=True)
        for entry in Registry(tables, "").entries():
            entry.projection.apply(tables, entry.names(""), merged[entry.name])

    state.write(work)
    assert tables_of(state) == live(log, [], 1000)


@settings(max_examples=60)
@given(logs(), st.integers(1, 9))
def test_rows_say_what_the_domain_says(events: list[Event], step: int) -> None:
    """Status, cost and outcome of every run and attempt, as evolve has them."""
    tables = live(ListedLog(rows_of(events, apart=APART)), [], step)
    by_run: defaultdict[str, list[Any]] = defaultdict(list)
    for run, event in events:
        by_run[run].append(event)
    runs = {run: fold(run, found) for run, found in by_run.items()}
    assert {row[0]: row[10] for row in tables["runs"]} == {run.id: run.status.value for run in runs.values()}
    assert {row[0]: row[4] for row in tables["run_costs"]} == {r.id: cost_of(r) for r in runs.values() if r.attempts}
    labels = {run.id: run.label.value if run.label else None for run in runs.values()}
    assert {row[0]: row[-1] for row in tables["runs"]} == labels
    told = {
        (run.id, one.number): (one.model, one.status.value, one.error, one.spent)
        for run in runs.values()
        for one in run.attempts
    }
    attempts = {(row[0], row[1]): (row[11], row[15], row[17], row[-6]) for row in tables["attempts"]}
    assert attempts == {
        key: (*said[:3], None if said[3] is None else picodollars(said[3])) for key, said in told.items()
    }
    escalations = Counter((row[8], row[9]) for row in tables["escalations"])
    assert escalations == Counter((e.from_model, e.to_model) for run in runs.values() for e in run.escalations)


CHAT, TEAM = Compare(CALL_FIELDS["category"], Op.EQUAL, "chat"), Compare(CALL_FIELDS["tag"], Op.EQUAL, "a", "team")
OF_MINI = Compare(CALL_FIELDS["model"], Op.EQUAL, MINI)
on_models: st.SearchStrategy[Condition] = st.sampled_from([EVERYTHING, OF_MINI, Not(OF_MINI)])
words_only: st.SearchStrategy[Condition] = st.sampled_from([EVERYTHING, CHAT, Not(CHAT)])
some_conditions: st.SearchStrategy[Condition] = st.recursive(
    st.sampled_from([EVERYTHING, CHAT, TEAM, Unknown(CALL_FIELDS["tag"], "team")]),
    lambda inner: st.one_of(inner.map(Not), *(st.lists(inner, max_size=2).map(tuple).map(of) for of in (AllOf, AnyOf))),
    max_leaves=3,
)


@settings(max_examples=100)
@given(logs(), st.data())
def test_roll_ups_and_rows_give_the_same_report(events: list[Event], data: st.DataObject) -> None:
    """Asked of whole hours, days and months or of the attempts themselves; whatever the range and the group."""
    log = ListedLog(rows_of(events, apart=APART))
    state = SqliteState(None)
    CatchUp(log, state).live()
    since, until = sorted(data.draw(st.lists(st.integers(0, log.head() + 1), min_size=2, max_size=2)))
    ranges = [(BEGIN + since * APART, BEGIN + until * APART + data.draw(st.integers(0, 1)))]
    by = data.draw(
        st.sampled_from([(), ("model",), ("category", "status"), ("tag:team",), ("provider", "tag:user"), ("owner",)])
    )
    conditions = [data.draw(some_conditions)]
    plain: list[Condition] = [data.draw(words_only)]
    with state.reading() as tables:
        names = {one.name: one.names("") for one in Registry(tables, "").entries()}
        rolled = costs(tables, names["attempts"], by=by, ranges=ranges, conditions=conditions)
        every = [
            *conditions,
            Compare(Field("number", Kind.COUNT), Op.MORE, 0),
        ]  # no roll-up keeps the number: from the attempts
        assert rolled == costs(tables, names["attempts"], by=by, ranges=ranges, conditions=every)
        stats = model_report(tables, names["attempts"], names["runs"], span=ranges[0], conditions=plain)
        from_rows: list[Condition] = [*plain, Unknown(CALL_FIELDS["tag"], "none")]
        assert stats == model_report(tables, names["attempts"], names["runs"], span=ranges[0], conditions=from_rows)
        of_model: list[Condition] = [data.draw(on_models)]
        stats = model_report(tables, names["attempts"], names["runs"], span=ALWAYS, conditions=of_model)
        from_rows = [*of_model, Unknown(CALL_FIELDS["tag"], "none")]
        assert stats == model_report(tables, names["attempts"], names["runs"], span=ALWAYS, conditions=from_rows)


def cost_of(run: Run) -> int | None:
    return None if run.cost is None else picodollars(run.cost)


@settings(max_examples=40)
@given(logs())
def test_roll_ups_hold_every_attempt_once_in_each_grain(events: list[Event]) -> None:
    """Calls and money of hours, days and months each come to those of the attempts."""
    tables = live(ListedLog(rows_of(events, apart=APART)), [7, 13])
    attempts = tables["attempts"]
    known = sum(row[-6] or 0 for row in attempts)
    for grain in ("hour", "day", "month"):
        rows = [row for row in tables["costs"] if row[0] == grain and row[1] == ""]
        assert sum(row[5] for row in rows) == len(attempts)
        assert sum(row[10] * 10**6 + row[11] for row in rows) == known
