"""Asking again: an idempotency key starts one run and no second, and an answer may be given again for nothing."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator import Orchestrator, Settings
from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.application.world import Caching
from model_orchestrator.domain.errors import InvalidRequest, RunFailure
from model_orchestrator.domain.events import AnsweredFromCache, RunCompleted
from model_orchestrator.domain.units import MILLION, Duration, Timestamp
from model_orchestrator.infrastructure.clock import SystemClock
from model_orchestrator.infrastructure.simulate.faults import Fault
from model_orchestrator.infrastructure.simulate.server import SimulatorOptions

from .application.world import Stage, answer
from .cli.command import KEY, command, ended, facts, in_call, logged, process
from .simulator import RunningSimulator, running_simulator

PROMPT = "What is Python?"


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RunningSimulator]:
    """A live provider on loopback that counts its calls, and a folder for each test."""
    monkeypatch.chdir(tmp_path)
    with running_simulator(SimulatorOptions(hold=0.5)) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("MODEL_ORCHESTRATOR_CATALOGUE", "seed")
        monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    return "sqlite:///runs.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def settings(database: str = "sqlite:///runs.db", **overrides: Any) -> Settings:
    return Settings.load(database_url=database, **overrides)


# ---- idempotency keys ----


def test_the_same_key_and_request_is_one_run(database: str, provider: RunningSimulator) -> None:
    """Twenty at once: one call, one run, the same result for each, told as a repeat to all but one."""

    async def ask() -> list[Any]:
        async with Orchestrator(settings(database)) as one, Orchestrator(settings(database)) as other:
            asked = ((one, other)[number % 2].run(PROMPT, idempotency_key="k") for number in range(20))
            return await asyncio.gather(*asked)

    results = asyncio.run(ask())
    assert provider.calls == 1
    assert len({result.run_id for result in results}) == 1
    assert len({(result.response, result.cost, result.confidence) for result in results}) == 1
    assert sorted(result.metadata["repeat"] for result in results) == [False] + [True] * 19


def test_a_repeat_takes_no_negative_time_where_a_clock_is_behind(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts that work on one run need not agree on the time."""

    async def ask() -> Any:
        async with Orchestrator(settings(database)) as one:
            first = await one.run(PROMPT, idempotency_key="k")
        monkeypatch.setattr(SystemClock, "now", lambda clock: Timestamp(time.time_ns() // 1000 - 300 * MILLION))
        async with Orchestrator(settings(database)) as behind:
            await behind.feedback(first.run_id, "good")
            return await behind.run(PROMPT, idempotency_key="k")

    assert 0 <= asyncio.run(ask()).latency < 60


@pytest.mark.parametrize(
    "other", [{"temperature": 0.0}, {"strategy": "fallback"}, {"model": "gpt-4o"}, {"max_tokens": 7}, {"seed": 0}]
)
def test_the_key_of_another_request_is_refused(other: dict[str, Any], provider: RunningSimulator) -> None:
    """It names the run that has the key; nothing is asked."""

    async def ask() -> None:
        async with Orchestrator(settings()) as orchestrator:
            first = await orchestrator.run(PROMPT, idempotency_key="k")
            with pytest.raises(InvalidRequest, match=first.run_id):
                await orchestrator.run(PROMPT, idempotency_key="k", **other)
            again = await orchestrator.run(PROMPT, idempotency_key="k", timeout=7, category="other", max_attempts=1)
            assert again.run_id == first.run_id

    asyncio.run(ask())
    assert provider.calls == 1


def test_the_key_of_a_run_that_failed_gives_its_failure(provider: RunningSimulator) -> None:
    """As often as it is asked; another key asks anew."""

    async def ask() -> None:
        async with Orchestrator(settings()) as orchestrator:
            ids = []
            for _ in range(2):
                with pytest.raises(RunFailure) as caught:
                    await orchestrator.run(PROMPT, idempotency_key="k")
                ids.append(caught.value.run_id)
            assert ids[0] == ids[1]
            assert (await orchestrator.run(PROMPT, idempotency_key="k2")).run_id not in ids

    provider.fail(Fault.BAD_REQUEST)
    asyncio.run(ask())
    assert provider.calls == 2


def test_who_asks_while_the_run_is_under_way_in_another_process_waits_for_it(provider: RunningSimulator) -> None:
    """One call; both print the answer of one run."""
    provider.fail(Fault.TIME_OUT)
    arguments = ("run", PROMPT, "--idempotency-key", "k", "--json")
    first = process(*arguments)
    in_call(first, provider)
    second = json.loads(ended(process(*arguments)).stdout)
    done = json.loads(ended(first).stdout)
    assert provider.calls == 1
    assert (second["run_id"], second["response"]) == (done["run_id"], done["response"])
    assert second["metadata"]["repeat"]


def test_a_waiter_takes_over_a_run_whose_process_is_killed(provider: RunningSimulator) -> None:
    """Once its lease has run out; what was lost is asked once more, in the same run."""
    provider.fail(Fault.TIME_OUT)
    first = process("run", PROMPT, "--idempotency-key", "k")
    in_call(first, provider)
    first.send_signal(signal.SIGKILL)
    first.wait()

    async def ask() -> Any:
        async with Orchestrator(settings()) as orchestrator:
            await _expire_leases(orchestrator)
            return await orchestrator.run(PROMPT, idempotency_key="k")

    result = asyncio.run(ask())
    run = asyncio.run(logged("sqlite:///runs.db"))
    assert run.run.id == result.run_id
    assert facts(run).count("AttemptLost") == 1
    assert facts(run)[-1] == "RunCompleted"
    assert provider.calls == 2


async def _expire_leases(orchestrator: Orchestrator) -> None:
    """As if the dead worker's lease had run out."""
    leases = orchestrator._worlds.opened_leases()
    for entry in await orchestrator.store.read_all(types=("RunStarted",)):
        lease = await leases.holder(entry.stream)
        assert lease is not None
        await leases.renew(lease, ttl=Duration(-1))


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
def test_a_key_that_is_none_is_said(key: str) -> None:
    """Before anything is opened."""
    done = command("run", PROMPT, "--idempotency-key", key)
    assert done.code == 2
    assert "idempotency" in done.complaint
    assert not list(Path().glob("*.db"))


def test_an_answer_that_was_not_stored_cannot_be_given_again(provider: RunningSimulator) -> None:
    """It is not asked again under the same key either."""

    async def ask() -> None:
        async with Orchestrator(settings(store_content=False)) as orchestrator:
            await orchestrator.run(PROMPT, idempotency_key="k")
            with pytest.raises(RunFailure, match="not stored or was erased"):
                await orchestrator.run(PROMPT, idempotency_key="k")

    asyncio.run(ask())
    assert provider.calls == 1


# ---- the answer cache ----


def test_an_answer_is_given_again_for_nothing(database: str, provider: RunningSimulator) -> None:
    """In one commit, as an event of cost 0 that names its source; for the same strategy, in another process too."""

    async def ask(**options: Any) -> Any:
        async with Orchestrator(settings(database)) as orchestrator:
            return await orchestrator.run(PROMPT, cache="1h", **options)

    for options in ({}, {"strategy": "fallback", "chain": "openai"}):
        calls = provider.calls
        first, again = asyncio.run(ask(**options)), asyncio.run(ask(**options))
        assert provider.calls == calls + 1
        assert (again.response, again.model_used, again.confidence, again.strategy) == (
            first.response,
            first.model_used,
            first.confidence,
            first.strategy,
        )
        assert again.cost == 0
        saved = {"run": first.run_id, "attempt": 1, "saved": format(first.cost, "f")}
        assert again.metadata["cached"] == saved
        assert (first.metadata["finish_reason"], again.metadata["finish_reason"]) == ("stop", "stop")
        assert (first.metadata["usage"]["input_tokens"], again.metadata["usage"]) == (first.input_tokens, None)
        run = asyncio.run(logged(database))
        assert facts(run) == ["RunStarted", "AnsweredFromCache", "PromptAssessed", "RoutingDecided", "RunCompleted"]
        assert len({entry.envelope.recorded_at for entry in run.events}) == 1
        assert run.run.cost == 0


def test_an_answer_that_was_cut_says_so_when_it_is_given_again(database: str) -> None:
    """From the cache, and by its idempotency key."""
    options: dict[str, Any] = {"provider": "simulated", "max_tokens": 2, "cache": "1h"}

    async def ask(**more: Any) -> Any:
        async with Orchestrator(settings(database)) as orchestrator:
            return await orchestrator.run(PROMPT, **options, **more)

    first, cached = asyncio.run(ask(idempotency_key="a")), asyncio.run(ask())
    again = asyncio.run(ask(idempotency_key="a"))
    assert cached.metadata["cached"] is not None
    assert again.run_id == first.run_id
    assert [one.metadata["finish_reason"] for one in (first, cached, again)] == ["length"] * 3
    assert again.metadata["usage"] == first.metadata["usage"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"temperature": 0.5}),
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({}, {"model": "gpt-4o"}),
        ({}, {"max_tokens": 7}),
        ({}, {"top_p": 0.5}),
        ({}, {"system": "Be brief."}),
        ({}, {"cache": "off"}),
        ({"cache": False}, {}),
        ({"prompt": "What is Erlang?"}, {}),
    ],
)
def test_only_the_same_request_without_chance_is_answered_so(
    first: dict[str, Any], second: dict[str, Any], provider: RunningSimulator
) -> None:
    """Everything else is asked."""

    async def ask() -> None:
        async with Orchestrator(settings()) as orchestrator:
            for options in (first, second):
                await orchestrator.run(**{"prompt": PROMPT, "cache": "1h", **options})

    asyncio.run(ask())
    assert provider.calls == 2


def test_an_answer_is_not_given_when_it_is_too_old(provider: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither past the time it was kept for, nor past the time that is asked for now."""

    async def ask() -> list[Any]:
        async with Orchestrator(settings()) as orchestrator:
            results = [await orchestrator.run(PROMPT, cache="2h")]
            now = orchestrator.clock.now()
            monkeypatch.setattr(orchestrator.clock, "now", lambda: now + 3_600_000_000 + 1_000_000)
            results += [await orchestrator.run(PROMPT, cache=ttl) for ttl in ("3h", "1h")]
            monkeypatch.setattr(orchestrator.clock, "now", lambda: now + 4 * 3_600_000_000)
            return [*results, await orchestrator.run(PROMPT, cache="30d")]

    results = asyncio.run(ask())
    assert [result.metadata["cached"] is not None for result in results] == [False, True, False, False]


@pytest.mark.parametrize(("timeout", "is_kept"), [(None, True), (3.0, False)])
def test_an_answer_that_came_of_a_lack_is_not_kept(timeout: float | None, is_kept: bool) -> None:
    """The chain stopped for want of time: with more it may answer better."""

    async def reply(call: ModelCall) -> Answer:
        stage.clock.time += 2_000_000
        return answer("I'm not sure, I don't know.")

    stage = Stage(reply)
    caching = Caching(fingerprint=b"f", ttl=Duration(1))
    stage.run(strategy="fallback", timeout=timeout, caching=caching)
    assert (stage.store.appends[-1].cache is not None) == is_kept


def test_a_cached_answer_needs_no_budget_and_no_settings_say_so(provider: RunningSimulator, tmp_path: Path) -> None:
    """A budget that is used up refuses calls, not answers that cost nothing; `cache` in the file is for every run."""
    (tmp_path / "model-orchestrator.toml").write_text('cache = "1h"\n')
    assert command("run", PROMPT, "--json").document["metadata"]["cached"] is None
    assert command("budgets", "set", "global", "0.0000001").code == 0
    again = command("run", PROMPT, "--json").document
    assert again["cost"] == "0"
    assert again["metadata"]["cached"] is not None
    assert command("run", "something else", "--json").error["kind"] == "budget"
    assert command("run", PROMPT, "--cache", "off", "--json").error["kind"] == "budget"
    assert provider.calls == 1


@pytest.mark.parametrize("arguments", [(PROMPT, "--cache"), ("--cache", PROMPT), ("--cache", "2h", PROMPT)])
def test_the_time_may_be_left_out(arguments: tuple[str, ...], provider: RunningSimulator) -> None:
    """A day, then; a prompt that follows is not taken for a time."""
    for _ in range(2):
        done = command("run", *arguments)
    assert "from the cache: the answer of run-" in done.stderr
    assert provider.calls == 1


@pytest.mark.parametrize("ttl", ["0s", "1x", "12", "99999d"])
def test_a_time_that_is_none_is_said(ttl: str) -> None:
    """With what is expected."""
    done = command("run", PROMPT, "--cache", ttl)
    assert done.code == 2
    assert "expected a time such as 90s, 10m, 24h or 7d, or off" in done.complaint


def test_the_result_of_a_cached_run_is_what_its_events_say(provider: RunningSimulator) -> None:
    """`runs show` and `runs list` show the model and the answer; nothing was paid."""
    for _ in range(2):
        command("run", PROMPT, "--cache")
    first, again = reversed(command("runs", "list", "--json").document)
    assert (again["model"], again["cost"], again["money"]) == (first["model"], "0", "real")
    shown = command("runs", "show", "last", "--json").document
    assert shown["response"] == command("runs", "show", first["run_id"], "--json").document["response"]
    run = asyncio.run(logged("sqlite:///runs.db"))
    cached = next(one.event for one in run.events if isinstance(one.event, AnsweredFromCache))
    completed = run.events[-1].event
    assert isinstance(completed, RunCompleted)
    assert (cached.run, completed.answer, completed.cost) == (first["run_id"], cached.answer, Decimal(0))
