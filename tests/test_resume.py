"""Workers die at every step: each run still ends as it would have, and no answer is paid twice."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.ports import Append, Appended, BudgetLimit, Expected, StreamAppend
from model_orchestrator.application.resume import left_alone, reconcile, settle_assumed, survey
from model_orchestrator.application.runs import LoggedRun
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import AttemptLost, PriceListPublished, RunCancelled
from model_orchestrator.domain.run import AttemptStatus, RunStatus
from model_orchestrator.domain.units import MILLION, Duration, Timestamp, Usd, picodollars
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.simulate.faults import Fault
from model_orchestrator.infrastructure.simulate.server import SimulatorOptions

from .application.world import SetClock
from .cli.command import KEY, command, facts, logged, until
from .simulator import RunningSimulator, running_simulator

BOTH_DATABASES = pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
STRATEGIES: dict[str, dict[str, Any]] = {
    "cheapest": {"strategy": "cheapest"},
    "fallback": {"strategy": "fallback", "chain": "gpt-4o-mini,claude-haiku-3.5", "threshold": 1.0},
    "ensemble": {"strategy": "ensemble", "models": ["gpt-4o-mini", "claude-haiku-3.5"]},
    "judged": {"strategy": "cheapest", "scorer": "judge:claude-haiku-3.5"},
}
LOST = AttemptLost(attempt=1, kind=ErrorKind.CRASH, status=None, detail=None, provider_request_id=None, latency=None)
CALLS = {"cheapest": 1, "fallback": 2, "ensemble": 2, "judged": 2}


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database; SQLite unless the test asks for both."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'runs.db'}"
    postgres_url: str = request.getfixturevalue("postgres_url")
    return postgres_url


@pytest.fixture(autouse=True)
def provider(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A database and a live provider of this test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", database)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_CATALOGUE", "seed")
    with running_simulator() as running:
        for vendor, url in (("OPENAI", running.openai_url), ("ANTHROPIC", running.anthropic_url)):
            monkeypatch.setenv(f"{vendor}_BASE_URL", url)
            monkeypatch.setenv(f"{vendor}_API_KEY", KEY)
        yield running


def worker(**plan: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.dying_worker", json.dumps(plan)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(started: "subprocess.Popen[str]") -> tuple[int, str]:
    out, err = started.communicate(timeout=60)
    assert started.returncode in (0, -signal.SIGKILL), err
    return started.returncode, out.strip()


def the_run() -> LoggedRun:
    return asyncio.run(logged(os.environ["MODEL_ORCHESTRATOR_DATABASE_URL"]))


def lease_is_free() -> None:
    """Wait until the dead worker's lease ran out."""
    run_id = the_run().run.id

    async def why() -> str | None:
        async with Orchestrator() as orchestrator:
            return await left_alone(orchestrator._worlds.opened_leases(), run_id, Timestamp(0))

    until(lambda: asyncio.run(why()) is None)


def resumed() -> LoggedRun:
    lease_is_free()
    done = command("runs", "resume", "--all", "--json")
    assert done.code == 0, done
    return the_run()


@BOTH_DATABASES
def test_of_two_that_resume_a_run_one_wins_and_the_other_says_so(provider: RunningSimulator) -> None:
    """One takes it; both may be asked at the same moment."""
    ended(worker(run=STRATEGIES["cheapest"], after_append=1))
    lease_is_free()
    run_id = the_run().run.id
    said = [ended(one)[1] for one in [worker(resume=run_id, lease=30) for _ in range(2)]]
    refused = [one for one in said if one.startswith("invalid_request: ")]
    assert len(refused) == 1, said
    assert "left alone" in refused[0] or "is completed" in refused[0]
    assert facts(the_run()).count("RunClaimed") == 1
    assert provider.calls == 1


@BOTH_DATABASES
def test_a_living_process_keeps_its_run(provider: RunningSimulator) -> None:
    """Resume takes nothing, and says who works on it."""
    provider.fail(Fault.TIME_OUT)
    living = worker(run=STRATEGIES["cheapest"], lease=30)
    try:
        until(lambda: provider.open == 1)
        done = command("runs", "resume", "--all", "--json").document
        assert [one["status"] for one in done] == ["left_alone"]
        assert "works on it" in done[0]["message"]
        said = command("runs", "resume", "--all").stderr
        assert said.count(done[0]["run_id"]) == 1
        assert "RunClaimed" not in facts(the_run())
    finally:
        living.kill()
        living.communicate()


@BOTH_DATABASES
def test_a_worker_that_slept_past_its_lease_reports_its_outcome_and_starts_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer that it wakes up to is recorded, after the end; only the new owner asked the chain's next model."""
    with running_simulator(SimulatorOptions(hold=1.0)) as slow:
        monkeypatch.setenv("OPENAI_BASE_URL", slow.openai_url)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.anthropic_url)
        slow.fail(Fault.TIME_OUT)
        sleeper = worker(run=STRATEGIES["fallback"], lease=0.3)
        try:
            until(lambda: slow.open == 1)
            sleeper.send_signal(signal.SIGSTOP)
            assert resumed().run.status is RunStatus.COMPLETED
            until(lambda: slow.open == 0)  # the sleeper's answer lies ready
            calls = slow.calls
            sleeper.send_signal(signal.SIGCONT)
            assert ended(sleeper)[0] == 0
        finally:
            sleeper.kill()
        assert slow.calls == calls == 3
    run = the_run()
    assert facts(run)[-3:] == ["RunCompleted", "ModelCalled", "CostIncurred"]
    assert [one.started.epoch for one in run.run.attempts] == [1, 2, 2]
    assert [one.status for one in run.run.attempts] == [AttemptStatus.ANSWERED] * 3
    assert run.run.cost is not None


def test_a_run_without_its_texts_can_only_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As failed, with the reason; its lost attempt can be resolved."""
    monkeypatch.setenv("MODEL_ORCHESTRATOR_STORE_CONTENT", "false")
    ended(worker(run=STRATEGIES["cheapest"], after_append=1))
    assert facts(resumed())[-3:] == ["RunClaimed", "AttemptLost", "RunFailed"]
    (row,) = command("attempts", "list", "--lost", "--json").document
    assert row["cost"] is None
    done = command("attempts", "resolve", "last:1", "--billed", "0.0001", "--by", "alice", "--json").document
    assert (done["cost"], done["evidence"]) == ("0.0001", "reconciled")
    assert command("attempts", "list", "--lost", "--json").document == []
    assert "settled already" in command("attempts", "resolve", "last:1", "--unbilled").complaint


def test_a_run_that_is_resumed_tells_of_the_marks_it_passes() -> None:
    """As one that was never interrupted."""
    command("budgets", "set", "global", "0.01", "--alert", "1")
    command("budgets", "set", "category:orchestration", "0.01", "--period", "day", "--alert", "none")
    ended(worker(run=STRATEGIES["fallback"], after_append=2))
    lease_is_free()
    assert command("runs", "resume", "--all").code == 0
    alerts = [one for one in command("budgets", "history", "--json").document if one["type"] == "BudgetAlerted"]
    assert [(one["scope"], one["percent"]) for one in alerts] == [("global", 1)]


def test_money_of_a_lost_attempt_is_held_until_it_is_known_and_settled_once() -> None:
    """A day later the most it could cost is assumed; a person may put that right."""

    async def scenario() -> list[tuple[int, int]]:
        async with Orchestrator() as orchestrator:
            store, log, seen = orchestrator.store, orchestrator.log, []

            async def look() -> None:
                (row,) = [one for one in await store.balances() if one.scope == "global"]
                seen.append((row.held, row.settled))

            await look()
            run_id = (await survey(store)).lost.popitem()[0]
            day = Duration(24 * 3600 * MILLION)
            in_a_day = Timestamp(orchestrator._clock.now() + day)
            assert await settle_assumed(store, log, orchestrator._clock, by="test", lost_for=day) == []
            assert len(await settle_assumed(store, log, SetClock(in_a_day), by="test", lost_for=day)) == 1
            await look()
            await reconcile(log, run_id, 1, amount=Usd("0.0001"), by="alice")
            await look()
            return seen

    async def limited() -> None:
        async with Orchestrator() as orchestrator:
            limit = BudgetLimit(scope="global", period="total", limit=10**12)
            events = orchestrator.log.new_events("catalogue", [PriceListPublished(catalogue="x", name="x")])
            streams = (StreamAppend("catalogue", Expected.ANY, events),)
            await orchestrator.store.append(Append(streams=streams, balances=(limit,)))

    asyncio.run(limited())
    ended(worker(run=STRATEGIES["cheapest"], after_append=1))
    lease_is_free()
    command("runs", "resume", "--all", "--on-unknown", "fail")
    most = the_run().run.attempts[0].started.max_cost
    assert most is not None
    assert asyncio.run(scenario()) == [(picodollars(most), 0), (0, picodollars(most)), (0, 100_000_000)]


@BOTH_DATABASES
def test_a_run_that_only_a_newer_release_can_read_is_left_to_it(database: str) -> None:
    """The others are resumed; asking the service for it is worth trying again, on a host of that release."""

    async def note(run_id: str, position: int) -> None:
        async with Orchestrator() as orchestrator:
            lost, cancelled = orchestrator.log.new_events(run_id, [LOST, RunCancelled(by="x", cost=None, released=())])
            unknown = replace(cancelled, type="RunNoted", payload="{}")
            streams = (StreamAppend(run_id, position, (lost, unknown)),)
            assert isinstance(await orchestrator.store.append(Append(streams=streams)), Appended)

    ended(worker(run=STRATEGIES["cheapest"], after_append=1))
    theirs = the_run()
    asyncio.run(note(theirs.run.id, theirs.run.version))
    ended(worker(run=STRATEGIES["cheapest"], after_append=1))
    lease_is_free()
    done = command("runs", "resume", "--all", "--json")
    assert done.code == 0
    statuses = {one["run_id"]: one["status"] for one in done.document}
    assert statuses.pop(theirs.run.id) == "left_alone"
    assert list(statuses.values()) == ["completed"]
    assert "does not know" in command("runs", "show", theirs.run.id).complaint
    assert command("attempts", "list", "--lost", "--json").code == 0


@pytest.mark.parametrize(
    "words", [("runs", "resume", "nope"), ("attempts", "resolve", "nope", "--unbilled"), ("runs", "cancel", "nope")]
)
def test_a_run_that_is_not_there_is_said_alike(words: tuple[str, ...], provider: RunningSimulator) -> None:
    """The words are right, the run is not there: 1."""
    command("run", "What is Python?")
    done = command(*words)
    assert done.code == 1
    assert "no run begins with 'nope'" in done.complaint


@pytest.mark.parametrize("name", ["last", "last:x", "last:9"])
def test_an_attempt_that_is_not_there_is_the_callers_mistake(name: str, provider: RunningSimulator) -> None:
    """The run is there: 2."""
    command("run", "What is Python?")
    assert command("attempts", "resolve", name, "--unbilled").code == 2
