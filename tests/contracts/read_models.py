"""What read models must do on every database; each subclass brings `url`, the address of an empty log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.dates import Calendar
from model_orchestrator.application.filters import parse_filters
from model_orchestrator.application.read_models import ReadModels
from model_orchestrator.domain.errors import InvalidRequest, ProjectionStopped
from model_orchestrator.domain.events import Evidence, Money, RunEvent
from model_orchestrator.domain.filters import CALL_FIELDS, RUN_FIELDS, Compare, Condition, Op
from model_orchestrator.domain.units import Timestamp, picodollars
from model_orchestrator.infrastructure.event_codec import encode
from model_orchestrator.infrastructure.read_models.catch_up import CatchUp
from model_orchestrator.infrastructure.read_models.log_source import open_log
from model_orchestrator.infrastructure.read_models.registry import Registry
from model_orchestrator.infrastructure.read_models.state import State, open_state
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.store.opening import open_store
from model_orchestrator.projections import dear_runs

from ..read_models import cancelled, completed, from_cache, of_category, reconciled, run_failed, tables_of
from ..scenario import HAIKU, MINI, answered, asked, costed, escalated, failed, lost, scored
from .appends import appended, new_event, on_stream
from .store_process import ROOT, environment

PICO = 10**12
CALENDAR = Calendar(Timestamp(0), UTC)


def called(*texts: str) -> list[Condition]:
    return [parse_filters(texts, CALL_FIELDS, CALENDAR)]


def add(url: str, run: str, *events: RunEvent) -> None:
    """Append events to a run, in one commit."""
    new = [new_event(payload, type=type_) for type_, _, payload in map(encode, events)]
    asyncio.run(_append(url, run, new))


def add_raw(url: str, run: str, type_: str, payload: str) -> None:
    asyncio.run(_append(url, run, [new_event(payload, type=type_)]))


async def _append(url: str, run: str, new: Sequence[Any]) -> None:
    store = open_store(url)
    try:
        await appended(store, on_stream(run, *new))
    finally:
        await store.aclose()


def usd(amount: str) -> int:
    from model_orchestrator.domain.units import Usd

    return picodollars(Usd(amount))


def fill(url: str) -> None:
    """A chat run that escalated, a code run that failed, one that lost a call, and a simulated one."""
    add(url, "run-1", of_category("chat", tags={"team": "search"}), asked(MINI))
    add(url, "run-1", answered(1), costed(1, "0.01"), scored(0.4), escalated(MINI, HAIKU), asked(HAIKU, 2, index=1))
    add(url, "run-1", answered(2), costed(2, "0.2"), scored(0.9, 2), completed(2))
    add(url, "run-2", of_category("code"), asked(MINI), failed(1), asked(MINI, 2), failed(2), run_failed())
    add(url, "run-3", of_category("code", tags={"team": "web"}), asked(HAIKU), lost(1), cancelled())
    simulated = replace(costed(1, "5"), money=Money.SIMULATED)
    add(url, "run-4", of_category("chat", provider="simulated"), asked(MINI), answered(1), simulated, completed())


def processes(url: str, *words: object, count: int = 1) -> list[subprocess.Popen[str]]:
    """Processes that catch up or rebuild; each waits for a line on stdin."""
    command = [sys.executable, "-m", "tests.contracts.read_model_process", url, *map(str, words)]
    return [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment())
        for _ in range(count)
    ]


class ReadModelsContract:
    """Every question, on a database of its own."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def models(self, url: str) -> StoredReadModels:
        port: ReadModels = StoredReadModels(url)  # it has all of the port
        assert isinstance(port, StoredReadModels)
        return port

    @pytest.fixture
    def state(self, url: str) -> State:
        return open_state(url)

    def test_an_empty_log_has_no_rows(self, url: str, models: ReadModels) -> None:
        asyncio.run(open_store(url).aclose())
        assert models.costs(by=("category",)) == []
        assert list(models.runs()) == []
        assert models.model_stats() == []
        assert models.time_of_runs() is None
        assert [one.state for one in models.status()] == ["live", "live"]

    def test_costs_keep_kinds_of_money_apart(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        rows = models.costs(by=("category",))
        assert [(row.money, row.group, row.calls, row.cost, row.unpriced) for row in rows] == [
            ("real", ("chat",), 2, usd("0.21"), 0),
            ("real", ("code",), 3, 0, 1),
            ("simulated", ("chat",), 1, usd("5"), 0),
        ]

    def test_runs_are_listed_newest_first_with_what_they_cost(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        told = [(row.run, row.status, row.category, row.cost, row.model, row.attempts) for row in models.runs()]
        assert told == [
            ("run-4", "completed", "chat", usd("5"), MINI, 1),
            ("run-3", "cancelled", "code", None, HAIKU, 1),
            ("run-2", "failed", "code", 0, MINI, 2),
            ("run-1", "completed", "chat", usd("0.21"), HAIKU, 2),
        ]
        assert [row.run for row in models.runs(limit=1)] == ["run-4"]
        assert [row.run for row in models.runs(limit=1, oldest_first=True)] == ["run-1"]
        last, *_, first = (row.started_at for row in models.runs())
        assert models.time_of_runs() == (first, last)
        assert models.time_of_runs((first, last)) == (first, max(row.started_at for row in models.runs(span=(0, last))))
        assert models.time_of_runs((0, first)) is None

    def test_dearest_runs_come_first_and_go_on_behind_any_of_them(self, url: str, models: StoredReadModels) -> None:
        """Those that called a model and whose whole cost is known: a lost call leaves a run out."""
        fill(url)
        dearest = list(models.dearest_runs(limit=9))
        assert [(row.run, row.cost) for row in dearest] == [
            ("run-4", usd("5")),
            ("run-1", usd("0.21")),
            ("run-2", 0),
        ]
        assert [row.run for row in models.dearest_runs(limit=1, after=(usd("5"), "run-4"))] == ["run-1"]
        assert [row.run for row in models.dearest_runs(limit=9, after=(0, "run-2"))] == []

    def test_pages_go_on_behind_the_last_run_of_the_one_before(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        everything = list(models.runs())
        for last, behind in zip(everything, range(1, 5), strict=True):
            place = last.started_at, last.run
            assert list(models.runs(after=place)) == everything[behind:]
            assert list(models.runs(after=place, limit=1)) == everything[behind : behind + 1]
            assert list(models.runs(after=place, oldest_first=True)) == everything[: behind - 1][::-1]
        same_time = everything[0].started_at, "run-zzz"
        assert next(models.runs(after=same_time)) == everything[0]

    def test_costs_runs_and_statistics_of_one_owner_are_theirs_alone(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        add(url, "run-5", of_category("chat", owner="web"), asked(MINI), answered(1), costed(1, "0.3"), scored(0.5))
        add(url, "run-5", escalated(MINI, HAIKU), completed())
        add(url, "run-6", of_category("chat", owner="web"), from_cache("0.1"), completed(None))
        web = [Compare(RUN_FIELDS["owner"], Op.EQUAL, "web")]
        assert [row.run for row in models.runs(conditions=web)] == ["run-6", "run-5"]
        assert [(row.group, row.cost) for row in models.costs(by=("owner",), conditions=web)] == [
            (("web",), usd("0.3"))
        ]
        assert [row.run for row in models.attempts(conditions=web)] == ["run-5"]
        stats = {one.model: one for one in models.model_stats(conditions=web)}
        assert (stats[MINI].calls, stats[MINI].cost, stats[MINI].cache_hits) == (1, usd("0.3"), 1)
        assert stats[MINI].escalated_to == {HAIKU: 1}
        assert [row.runs for row in models.run_counts(by=("owner",), conditions=web)] == [2]

    def test_a_late_fact_corrects_every_sum(self, url: str, models: StoredReadModels) -> None:
        """A lost call is assumed, then reconciled, then its answer comes after all, each asked for in between."""
        fill(url)
        for late, cost in (
            (reconciled(1, "0.5", Evidence.ASSUMED), "0.5"),
            (reconciled(1, "0.3"), "0.3"),
            (answered(1), "0.3"),
            (costed(1, "0.25"), "0.25"),
            (costed(1, "9"), "0.25"),
        ):
            models.costs()
            add(url, "run-3", late)
            (real, _) = models.costs()
            assert (real.cost, real.unpriced, real.calls) == (usd("0.21") + usd(cost), 0, 5)
            assert sum(row.cost or 0 for row in models.runs()) == real.cost + usd("5")
        (row,) = models.attempts(conditions=called("run = run-3"))
        assert (row.status, row.cost, row.evidence) == ("answered", usd("0.25"), "reconciled")

    def test_costs_by_tag_come_to_the_total(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        rows = models.costs(by=("tag:team",))
        assert [(row.money, row.group, row.calls, row.cost) for row in rows] == [
            ("real", ("search",), 2, usd("0.21")),
            ("real", ("web",), 1, 0),
            ("real", (None,), 2, 0),
            ("simulated", (None,), 1, usd("5")),
        ]
        only = models.costs(by=("model",), conditions=called("tag:team = search"))
        assert [(row.group, row.cost) for row in only] == [((HAIKU,), usd("0.2")), ((MINI,), usd("0.01"))]

    def test_any_field_can_be_asked_for(self, url: str, models: StoredReadModels) -> None:
        """What no roll-up keeps comes from the attempts: the same figures, the same shape."""
        fill(url)
        by_purpose = models.costs(by=("purpose",), conditions=called("category in (chat, code)"))
        assert [(row.money, row.group, row.calls) for row in by_purpose] == [
            ("real", ("answer",), 5),
            ("simulated", ("answer",), 1),
        ]
        two = models.costs(by=("tag:team", "tag:none"), conditions=called("cost > 0.1"))
        assert [(row.group, row.cost) for row in two] == [(("search", None), usd("0.2")), ((None, None), usd("5"))]
        with pytest.raises(InvalidRequest, match="nothing"):
            models.costs(by=("nothing",))

    def test_ranges_are_half_open_to_the_microsecond(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        starts = sorted(row.started_at for row in models.runs())
        ranges = [(0, starts[0]), (starts[0], starts[1]), (starts[1], starts[3]), (starts[3], 2**62)]
        rows = models.costs(ranges=ranges)
        assert [(row.period, row.money, row.calls) for row in rows] == [
            (1, "real", 2),
            (2, "real", 3),
            (3, "simulated", 1),
        ]
        assert [row.run for row in models.runs(span=ranges[1])] == ["run-1"]
        assert [one.runs for one in models.run_counts(ranges=[ranges[2]])] == [2]
        stats = models.model_stats(span=ranges[1])
        assert [(one.model, one.calls, one.latency(0.5) is not None) for one in stats] == [
            (HAIKU, 1, True),
            (MINI, 1, True),
        ]

    def test_model_stats_say_how_a_model_does(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        add(url, "run-5", of_category("chat"), from_cache("0.003"), completed(None))
        haiku, mini, simulated = models.model_stats()
        assert (haiku.model, haiku.calls, haiku.answered, haiku.lost, haiku.unpriced) == (HAIKU, 2, 1, 1, 1)
        assert haiku.escalated_from == {MINI: 1}
        assert haiku.errors == {"cut": 1}
        assert (mini.calls, mini.answered, mini.failed, mini.retries) == (3, 1, 2, 1)
        assert mini.escalated_to == {HAIKU: 1}
        assert mini.errors == {"rate_limited": 2}
        assert (mini.cache_hits, mini.saved) == (1, usd("0.003"))
        assert mini.confidences == {8: 1}
        assert (simulated.model, simulated.money, simulated.cost) == (MINI, "simulated", usd("5"))
        half = mini.latency(0.5)
        assert half is not None
        assert abs(half - 200_000) < 200_000 / 16

    def test_models_are_not_asked_by_what_escalations_do_not_know(self, url: str, models: StoredReadModels) -> None:
        """A figure that passed the condition over would be wrong."""
        fill(url)
        with pytest.raises(InvalidRequest, match="models cannot be asked for by 'provider'"):
            models.model_stats(conditions=called("provider = openai"))

    def test_attempts_say_where_a_chain_went(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        rows = models.attempts(conditions=called("run = run-1"))
        assert [(row.number, row.model, row.escalated_to, row.escalated_from) for row in rows] == [
            (1, MINI, HAIKU, None),
            (2, HAIKU, None, MINI),
        ]

    def test_conditions_on_runs(self, url: str, models: StoredReadModels) -> None:
        fill(url)

        def found(*texts: str) -> list[str]:
            return sorted(row.run for row in models.runs(conditions=[parse_filters(texts, RUN_FIELDS, CALENDAR)]))

        assert found("cost > 1") == ["run-4"]
        assert found("cost = unknown") == ["run-3"]
        assert found("tag:team = web") == ["run-3"]
        assert found("tag:team in (web, search)") == ["run-1", "run-3"]
        assert found("tag:team != web") == ["run-1", "run-2", "run-4"]
        assert found("tag:team = unknown") == ["run-2", "run-4"]
        assert found("category ~ HA") == ["run-1", "run-4"]
        assert found("status in (failed, cancelled)") == ["run-2", "run-3"]
        assert found("status in (failed, cancelled)", "tag:team = web") == ["run-3"]
        assert found("provider = unknown") == []

    def test_runs_of_a_cost_are_the_same_however_few_they_are(
        self, url: str, models: StoredReadModels, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By the index of costs or by time: in the same order, and pages go on at the same run."""
        fill(url)

        def found(*texts: str, **asked: Any) -> list[str]:
            conditions = [parse_filters(texts, RUN_FIELDS, CALENDAR)]
            return [row.run for row in models.runs(conditions=conditions, **asked)]

        def every() -> list[list[str]]:
            (newest, *_) = models.runs(conditions=[parse_filters(["cost > 0.1"], RUN_FIELDS, CALENDAR)])
            return [
                found("cost > 0.1"),
                found("cost >= 0.21", oldest_first=True),
                found("cost > 0.1", limit=1),
                found("cost > 0.1", after=(newest.started_at, newest.run)),
                found("cost = 0.21", "category = chat"),
                found("cost > 0.1", "cost < 1"),
            ]

        few = every()
        assert few == [["run-4", "run-1"], ["run-1", "run-4"], ["run-4"], ["run-1"], ["run-1"], ["run-1"]]
        monkeypatch.setattr(dear_runs, "FEW", 0)
        assert every() == few

    def test_no_tag_is_mistaken_for_sql(self, url: str, models: StoredReadModels) -> None:
        value = """a'b"c?%s\\"""
        add(url, "run-1", of_category("chat", tags={"k'?%": value}), asked(MINI), answered(1), costed(1, "1"))
        (row,) = models.costs(by=("tag:k'?%",))
        assert row.group == (value,)
        assert [one.run for one in models.runs(conditions=[Compare(RUN_FIELDS["tag"], Op.EQUAL, value, "k'?%")])] == [
            "run-1"
        ]
        assert json.loads(next(models.runs()).tags) == {"k'?%": value}

    def test_as_of_a_moment_nothing_later_is_known(self, url: str, models: StoredReadModels) -> None:
        add(url, "run-1", of_category("chat"), asked(MINI), lost(1))
        (before,) = models.runs()
        add(url, "run-1", reconciled(1, "0.5"))
        then = models.as_of(Timestamp(before.started_at))
        assert [row.unpriced for row in then.costs()] == [1]
        assert [row.cost for row in models.costs()] == [usd("0.5")]

    def test_without_the_state_the_same_rows_come_again(self, url: str, models: StoredReadModels, state: State) -> None:
        fill(url)
        models.catch_up()
        before = tables_of(state)
        self.delete_state(url)
        StoredReadModels(url).catch_up()
        assert tables_of(open_state(url)) == before

    def delete_state(self, url: str) -> None:
        raise NotImplementedError

    def test_a_rebuild_gives_the_same_rows(self, url: str, models: StoredReadModels, state: State) -> None:
        fill(url)
        models.catch_up()
        before = tables_of(state)
        seen: list[tuple[int, int]] = []
        models.rebuild(progress=lambda done, total: seen.append((done, total)))
        assert tables_of(state) == before
        assert seen[-1][0] == seen[-1][1] > 0
        with state.reading() as tables:
            assert [entry.generation for entry in Registry(tables, state.schema).entries()] == [2, 2]

    def test_a_question_is_answered_while_a_rebuild_swaps(self, url: str, models: StoredReadModels) -> None:
        """A reader keeps its snapshot, and the next one finds the new tables."""
        fill(url)
        rows = models.runs()
        first = next(rows)
        with closing(open_log(url)) as log:
            rebuild = CatchUp(log, open_state(url))
            self.while_reading(rebuild.rebuild, lambda: [first, *rows])
        assert len(list(models.runs())) == 4

    def while_reading(self, swap: Callable[[], None], read: Callable[[], list[Any]]) -> None:
        """Swap while a read is under way, as far as the database lets one."""
        swap()
        assert len(read()) == 4

    def test_an_unreadable_event_stops_its_projection_only(self, url: str, models: StoredReadModels) -> None:
        add(url, "run-1", of_category("chat"), asked(MINI))
        add_raw(url, "run-1", "CostIncurred", '{"attempt":1,"amount":7}')
        add(url, "run-1", answered(1), completed())
        for _ in range(2):
            with pytest.raises(ProjectionStopped, match="position 3 \\(CostIncurred\\)"):
                models.costs()
        models.run_counts()
        attempts, runs = models.status()
        assert (attempts.state, attempts.checkpoint, attempts.stopped_at) == ("stopped", 2, 3)
        assert attempts.stopped_type == "CostIncurred"
        assert "amount" in (attempts.stopped_why or "")
        assert (runs.state, runs.checkpoint, runs.lag) == ("live", 5, 0)
        assert [one.group for one in models.run_counts(by=("status",))] == [("completed",)]
        with pytest.raises(ProjectionStopped):
            models.rebuild()
        assert models.status()[1].state == "live"

    def test_what_is_metered_is_what_the_reports_say(self, url: str, models: StoredReadModels) -> None:
        fill(url)
        found = models.metered()
        assert found.calls == models.costs(by=("provider", "model", "status"))
        assert found.runs == models.run_counts(by=("strategy", "status", "cached_model"))
        for one in models.model_stats():
            mine = [total for total in found.totals if (total.model, total.money) == (one.model, one.money)]
            counts = {(total.measure, total.label): total.count for total in mine}
            assert counts == {
                **{("latency", str(bucket)): count for bucket, count in one.latencies.items()},
                **{("first_token", str(bucket)): count for bucket, count in one.first_tokens.items()},
                **{("error", error): count for error, count in one.errors.items()},
                **{("escalated_to", model): count for model, count in one.escalated_to.items()},
            }
        assert (found.events, found.lag) == (26, {"attempts": 26, "runs": 26})
        add(url, "run-5", of_category("chat"))
        assert models.metered().lag == {"attempts": 1, "runs": 1}
        assert models.metered().lag == {"attempts": 0, "runs": 0}

    def test_a_stopped_read_model_is_metered_as_it_was(self, url: str, models: StoredReadModels) -> None:
        add(url, "run-1", of_category("chat"), asked(MINI))
        add_raw(url, "run-1", "CostIncurred", '{"attempt":1,"amount":7}')
        add(url, "run-1", answered(1), completed())
        models.metered()
        found = models.metered()
        assert (found.stopped, found.lag) == (frozenset({"attempts"}), {"attempts": 3, "runs": 0})
        assert [(row.group[2], row.calls) for row in found.calls] == [("open", 1)]
        assert [row.group[1] for row in found.runs] == ["completed"]

    def test_a_row_no_table_can_hold_stops_its_projection_at_that_event(
        self, url: str, models: StoredReadModels
    ) -> None:
        add(url, "run-1", of_category("chat"), asked(MINI), answered(1), costed(1, "1"))
        add(url, "run-2", of_category("chat"), asked(MINI), costed(1, "99999999999999"), completed())
        add(url, "run-3", of_category("chat"), asked(MINI), answered(1), completed())
        with pytest.raises(ProjectionStopped, match="position 7 \\(CostIncurred\\)"):
            models.costs()
        models.run_counts()
        attempts, runs = models.status()
        assert (attempts.checkpoint, runs.state, runs.lag) == (6, "live", 0)

    def test_another_log_in_its_place_is_folded_anew(self, url: str, models: StoredReadModels, state: State) -> None:
        fill(url)
        models.catch_up()
        table = f"{state.schema}projections"
        state.write(lambda tables: tables.execute(f"UPDATE {table} SET chain = ?", (b"another",)))
        assert len(list(models.runs())) == 4
        with state.reading() as tables:
            assert [entry.generation for entry in Registry(tables, state.schema).entries()] == [1, 1]

    def test_processes_that_catch_up_at_once_count_nothing_twice(self, url: str, state: State, tmp_path: Path) -> None:
        for _ in range(6):
            fill_more(url)
        started = processes(url, "catch-up", 3, count=3)
        for one in started:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        assert [one.wait(120) for one in started] == [0, 0, 0]
        assert tables_of(state) == fresh(url)

    @pytest.mark.parametrize("what", ["catch-up", "rebuild"])
    def test_killed_in_the_middle_it_goes_on_from_there(self, url: str, state: State, what: str) -> None:
        for _ in range(4):
            fill_more(url)
        if what == "rebuild":
            StoredReadModels(url).catch_up()
        (one,) = processes(url, what, 2, "slow")
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write("go\n")
        one.stdin.flush()
        steps = [int(one.stdout.readline()) for _ in range(5)]
        os.kill(one.pid, signal.SIGKILL)
        one.wait(60)
        with state.reading() as tables:
            entries = Registry(tables, state.schema).entries()
            reached = min(entry.checkpoint for entry in entries if entry.live is (what == "catch-up"))
        assert reached >= steps[-1] > 0
        if what == "rebuild":
            assert len(list(StoredReadModels(url).runs())) > 0  # the live tables are there all the time
            seen: list[int] = []
            StoredReadModels(url).rebuild(progress=lambda done, total: seen.append(done))
            assert seen[0] > steps[-1]
        else:
            StoredReadModels(url).catch_up()
        assert tables_of(state) == fresh(url)


def fill_more(url: str) -> None:
    """A few more runs with names of their own."""
    from uuid import uuid4

    for events in (
        (of_category("chat", tags={"team": "a"}), asked(MINI), answered(1), costed(1, "0.1"), scored(0.5), completed()),
        (of_category("code"), asked(HAIKU), lost(1), reconciled(1, "0.2"), run_failed()),
    ):
        add(url, f"run-{uuid4()}", *events)


def fresh(url: str) -> dict[str, list[Any]]:
    """The tables of a fold of the whole log into an empty state."""
    from model_orchestrator.infrastructure.read_models.state import SqliteState

    state = SqliteState(None)
    with closing(open_log(url)) as log:
        CatchUp(log, state).live()
    found = tables_of(state)
    if not url.startswith("sqlite:"):
        return {name: normalised(rows) for name, rows in found.items()}
    return found


def normalised(rows: list[Any]) -> list[Any]:
    """JSON as PostgreSQL writes it."""
    return sorted(
        (
            tuple(json.dumps(json.loads(v)) if isinstance(v, str) and v.startswith("{") else v for v in row)
            for row in rows
        ),
        key=repr,
    )
