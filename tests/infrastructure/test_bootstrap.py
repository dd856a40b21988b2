"""The library: what a program gets that imports `model_orchestrator`."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import traceback
import typing
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

import model_orchestrator
from model_orchestrator import (
    ModelCapability,
    ModelConfig,
    ModelProvider,
    OrchestrationResult,
    Orchestrator,
    OrchestratorError,
    Settings,
    route_to_model,
    run_orchestration,
    run_orchestration_async,
)
from model_orchestrator.application.ports import RecordedEvent, StoredContent
from model_orchestrator.application.run_options import RunOptions
from model_orchestrator.domain.errors import InvalidRequest, RunFailure
from model_orchestrator.infrastructure import portal
from model_orchestrator.infrastructure.simulate.faults import Fault

from ..cli.command import KEY, PROMPT, ended, facts, in_call, logged, until
from ..simulator import RunningSimulator, running_simulator


@pytest.fixture(autouse=True)
def _own_portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test in a folder and with a portal of its own, as in a fresh process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
    monkeypatch.setattr(portal, "_portal", None)
    yield
    if portal._portal is not None:
        portal._portal.close()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A live provider on loopback, with a key for it in the environment."""
    with running_simulator() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield running


async def run_ids(database: str = "runs.db") -> list[str]:
    """Of every run in a database."""
    async with Orchestrator(Settings.load(env={}, database_url=database)) as orchestrator:
        return [entry.stream for entry in await orchestrator.store.read_all(types=("RunStarted",))]


# ---- run_orchestration ----


def test_a_plain_script_gets_an_answer() -> None:
    """Every field of the result, in its type."""
    result = run_orchestration("What is Python?")
    assert isinstance(result, OrchestrationResult)
    assert "Python is a high-level" in result.response
    assert result.model_used == "gpt-4o-mini"
    assert isinstance(result.cost, Decimal)
    assert result.cost == (result.input_tokens * Decimal("0.15") + result.output_tokens * Decimal("0.60")) / 1_000_000
    assert 0 < result.latency < 60
    assert 0 < result.confidence <= 1
    assert (result.strategy, result.fallback_chain, result.ensemble_models) == ("cheapest", ["gpt-4o-mini"], [])
    assert result.metadata["simulated"] is True
    assert facts(asyncio.run(logged("runs.db", result.run_id)))[-1] == "RunCompleted"


def test_it_works_inside_a_running_loop() -> None:
    """As in a notebook, or by accident in an async web handler."""

    async def cell() -> OrchestrationResult:
        return run_orchestration("hi")

    assert asyncio.run(cell()).response


def test_the_twin_is_awaited_in_any_loop() -> None:
    """Several at once, and again in another loop, on one store."""

    async def several() -> list[OrchestrationResult]:
        return await asyncio.gather(*(run_orchestration_async(f"hi {number}") for number in range(5)))

    ids = {result.run_id for _ in range(2) for result in asyncio.run(several())}
    assert set(asyncio.run(run_ids())) == ids
    assert len(ids) == 10


def test_threads_share_one_store() -> None:
    """All are answered; the process opened the database once."""
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: run_orchestration(f"hi {number}"), range(16)))
    assert len({result.run_id for result in results}) == 16
    assert len(portal.shared_portal()._orchestrators) == 1
    assert [thread.name for thread in threading.enumerate()].count("model-orchestrator") == 1


def test_two_databases_in_one_process() -> None:
    """Each call goes where it says."""
    first = run_orchestration("hi", database="one.db").run_id
    second = run_orchestration("hi", database="sqlite:///two.db").run_id
    assert asyncio.run(run_ids("one.db")) == [first]
    assert asyncio.run(run_ids("two.db")) == [second]
    assert not Path("runs.db").exists()


def test_parent_and_child_both_go_on_after_a_fork() -> None:
    """The child makes its own loop and opens its own connections."""
    before = run_orchestration("hi").run_id
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        signal.alarm(30)
        said = b"failed"
        try:
            said = run_orchestration("hi from the child").run_id.encode()
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    after = run_orchestration("hi from the parent").run_id
    with os.fdopen(reader, "rb") as pipe:
        in_child = pipe.read().decode()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert set(asyncio.run(run_ids())) == {before, after, in_child}
    asyncio.run(logged("runs.db"))


def test_after_the_end_a_new_portal_is_made() -> None:
    """A program's own atexit function may run after ours."""
    run_orchestration("hi")
    portal.shared_portal().close()
    assert asyncio.run(asyncio.wait_for(run_orchestration_async("hi"), 30)).response
    assert len(asyncio.run(run_ids())) == 2


def test_every_option_is_a_keyword() -> None:
    """They reach the run."""
    result = run_orchestration(
        "hi",
        strategy="cheapest",
        model="gpt-4o",
        provider="simulated",
        max_cost=Decimal("0.05"),
        category="chat",
        tags={"team": "a"},
        subject="user-17",
        system="Be brief.",
        max_tokens=20,
        temperature=0.5,
        stop=["END"],
        seed=7,
        timeout=30,
    )
    assert result.model_used == "gpt-4o"
    assert result.output_tokens <= 20
    run = asyncio.run(logged("runs.db")).run
    assert run.started is not None
    assert (run.started.category, run.started.tags, run.started.subject) == ("chat", {"team": "a"}, "user-17")
    assert run.started.max_cost == Decimal("0.05")
    assert run.started.deadline is not None


@pytest.mark.parametrize("function", [run_orchestration, run_orchestration_async, Orchestrator.run, route_to_model])
def test_editors_know_every_option(function: object) -> None:
    """The keywords are typed."""
    hints = typing.get_type_hints(function)
    assert hints["options"] == typing.Unpack[RunOptions]


def test_messages_stand_for_a_prompt() -> None:
    """A chat so far."""
    result = run_orchestration(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}])
    assert result.response
    with pytest.raises(InvalidRequest, match="give either a prompt or messages"):
        run_orchestration("hi", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(InvalidRequest, match="give either a prompt or messages"):
        run_orchestration()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("max_costs", 1, "unknown option 'max_costs': did you mean 'max_cost'?"),
        ("max_tokens", 5.5, "option max_tokens: expected int, got float"),
        ("max_tokens", 0, "max tokens 0 is not possible"),
        ("category", "", "option category is empty"),
        ("subject", "\udcff", "subject '.udcff' is not a label"),
        ("model", "gpt4o", "unknown model 'gpt4o' in the catalogue seed; did you mean gpt-4o"),
        ("provider", "recorded:x", "there is no data set 'x'"),
    ],
)
def test_a_mistake_is_found_before_anything_is_done(name: str, value: object, complaint: str) -> None:
    """By each of the ways in."""
    wrong: RunOptions = {name: value}  # type: ignore[misc]
    with pytest.raises(InvalidRequest, match=complaint):
        run_orchestration("hi", **wrong)
    with pytest.raises(InvalidRequest, match=complaint):
        asyncio.run(run_orchestration_async("hi", **wrong))
    with pytest.raises(InvalidRequest, match=complaint):
        route_to_model("hi", **wrong)
    assert not Path("runs.db").exists()


def test_the_database_is_the_users_alone_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Prompts are in it."""
    monkeypatch.delenv("MODEL_ORCHESTRATOR_DATABASE_URL")
    run_orchestration("hi")
    (path,) = (tmp_path / "user" / "data").rglob("orchestrator.db")
    assert path.stat().st_mode & 0o077 == 0


# ---- interrupted and cancelled ----

SYNC = "run_orchestration('hi')"
ASYNC = "__import__('asyncio').run(model_orchestrator.run_orchestration_async('hi'))"


@pytest.mark.parametrize("call", [SYNC, ASYNC], ids=["blocking", "awaited"])
def test_an_interrupted_program_leaves_a_truthful_log(provider: RunningSimulator, call: str) -> None:
    """Ctrl-C reaches the program once what the call became is recorded, at the latest at its end."""
    provider.fail(Fault.TIME_OUT)
    script = f"import model_orchestrator\nfrom model_orchestrator import run_orchestration\n{call}"
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    in_call(program, provider)
    program.send_signal(signal.SIGINT)
    done = ended(program)
    assert done.code != 0
    assert "\nKeyboardInterrupt\n" in done.stderr
    assert facts(asyncio.run(logged("runs.db")))[-2:] == ["AttemptLost", "RunCancelled"]


def test_an_interrupt_before_the_first_step_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop was busy when the call came in; it is cancelled before it did anything."""
    busy, events = threading.Event(), []

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            events.append(self)
            if len(events) == 1:
                raise KeyboardInterrupt
            busy.set()
            return super().wait(10)

    shared = portal.shared_portal()
    shared._loop.call_soon_threadsafe(busy.wait)
    monkeypatch.setattr(threading, "Event", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_orchestration("hi")
    assert [event.is_set() for event in events] == [True, True]
    assert not Path("runs.db").exists()


def test_cancelling_the_caller_cancels_the_run(provider: RunningSimulator) -> None:
    """A web client that leaves: the provider's call is cut, and recorded as lost."""
    provider.fail(Fault.TIME_OUT)

    async def leave() -> None:
        task = asyncio.create_task(run_orchestration_async("hi"))
        await asyncio.to_thread(until, lambda: provider.open == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    until(lambda: provider.open == 0)
    portal.shared_portal().close()
    cancelled = asyncio.run(logged("runs.db"))
    assert facts(cancelled)[-2:] == ["AttemptLost", "RunCancelled"]
    assert cancelled.run.cost is None


def test_the_end_of_the_program_ends_its_runs(provider: RunningSimulator) -> None:
    """A thread was still waiting: its run is in the log as cancelled."""
    provider.fail(Fault.TIME_OUT)
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            run_orchestration("hi")
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    until(lambda: provider.open == 1)
    portal.shared_portal().close()
    thread.join(10)
    assert [type(error) for error in caught] == [asyncio.CancelledError]
    assert facts(asyncio.run(logged("runs.db")))[-2:] == ["AttemptLost", "RunCancelled"]


# ---- Orchestrator ----


def test_an_orchestrator_is_used_again() -> None:
    """One store, many runs at once; the catalogue is recorded once a database."""

    async def several() -> list[str]:
        async with Orchestrator() as orchestrator:
            first = await orchestrator.run("hi")
            assert await orchestrator.first_run_notice() is None
            more = await asyncio.gather(*(orchestrator.run(f"hi {number}") for number in range(20)))
        async with Orchestrator() as another:
            last = await another.run("hi")
            assert len(await another.store.read_all(types=("PriceListPublished",))) == 1
        return [result.run_id for result in (first, *more, last)]

    ids = asyncio.run(several())
    assert sorted(asyncio.run(run_ids())) == sorted(ids)
    asyncio.run(logged("runs.db"))


def test_of_the_first_runs_at_once_one_brings_the_catalogue() -> None:
    async def several() -> list[RecordedEvent]:
        async with Orchestrator() as orchestrator:
            await asyncio.gather(*(orchestrator.run(f"hi {number}") for number in range(8)))
            return list(await orchestrator.store.read_all(types=("PriceListPublished",)))

    assert len(asyncio.run(several())) == 1


def test_where_the_run_that_was_to_bring_the_catalogue_is_cut_another_does() -> None:
    async def several() -> list[RecordedEvent]:
        async with Orchestrator() as orchestrator:
            await orchestrator.first_run_notice()  # opens the store
            real, asked, cut = orchestrator.store.contents, asyncio.Event(), asyncio.Event()

            async def contents(refs: Sequence[str]) -> dict[str, StoredContent]:
                asked.set()
                await cut.wait()
                return await real(refs)

            orchestrator.store.contents = contents  # type: ignore[method-assign]
            runs = [asyncio.ensure_future(orchestrator.run(f"hi {number}")) for number in range(3)]
            await asked.wait()
            runs[0].cancel()
            cut.set()
            outcomes = await asyncio.gather(*runs, return_exceptions=True)
            assert [type(one) for one in outcomes] == [asyncio.CancelledError, OrchestrationResult, OrchestrationResult]
            return list(await orchestrator.store.read_all(types=("PriceListPublished",)))

    assert len(asyncio.run(several())) == 1


def test_pieces_of_an_answer_are_passed_on(provider: RunningSimulator) -> None:
    """Together they are the answer."""
    pieces: list[str] = []

    async def streamed() -> OrchestrationResult:
        async with Orchestrator() as orchestrator:
            return await orchestrator.run("What is Python?", on_delta=pieces.append)

    assert asyncio.run(streamed()).response == "".join(pieces)
    assert len(pieces) > 1


@pytest.mark.parametrize("name", ["simulated", "live"])
def test_a_caller_who_cannot_take_a_piece_still_pays_and_knows(provider: RunningSimulator, name: str) -> None:
    """Its own error comes back, once the answer is recorded; the provider is not blamed."""
    pieces: list[str] = []

    def full(piece: str) -> None:
        pieces.append(piece)
        raise OSError("the disk is full")

    async def streamed() -> None:
        async with Orchestrator() as orchestrator:
            await orchestrator.run("What is Python?", on_delta=full, provider=name)

    with pytest.raises(OSError, match="the disk is full"):
        asyncio.run(streamed())
    assert len(pieces) == 1
    assert facts(asyncio.run(logged("runs.db")))[-1] == "RunCompleted"


def test_an_error_holds_no_secret(provider: RunningSimulator) -> None:
    """Neither in its words nor in a traceback, with all that caused it."""
    provider.fail(Fault.AUTH)
    with pytest.raises(RunFailure) as caught:
        run_orchestration(PROMPT)
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "sentinel" not in text
    assert caught.value.run_id is not None
    settings = Settings.load()
    assert "sentinel" not in repr(settings) + str(settings) + repr(settings.keys)


# ---- route_to_model and the public names ----


@pytest.mark.parametrize(
    ("prompt", "model"),
    [
        ("What is Python?", "gpt-4o-mini"),
        ("Review this function for bugs: def add(a, b): return a - b", "claude-haiku-3.5"),
        ("Design a distributed system", "claude-opus-3"),
    ],
)
def test_the_cheapest_capable_model_is_named(prompt: str, model: str) -> None:
    """The seed's own examples; nothing is called or stored."""
    assert route_to_model(prompt) == model
    assert not list(Path().iterdir())


def test_a_limit_that_no_model_fits_is_an_error() -> None:
    """With the figure that would do."""
    with pytest.raises(RunFailure) as caught:
        route_to_model("Design a distributed system", max_cost="0.0001")
    fits = caught.value.details["would_fit"]
    assert caught.value.run_id is None
    assert route_to_model("Design a distributed system", max_cost=fits) == "claude-opus-3"


def test_a_model_is_made_from_the_seeds_fields() -> None:
    """Prices a 1,000 tokens, kept a 1,000,000."""
    model = ModelConfig(
        name="gpt-4o-mini",
        provider=ModelProvider.OPENAI,
        cost_per_1k_input_tokens=Decimal("0.00015"),
        cost_per_1k_output_tokens=Decimal("0.0006"),
        max_tokens=16_384,
        capabilities=[ModelCapability.BASIC],
        context_window=128_000,
        supports_streaming=True,
        rate_limit_rpm=50,
    )
    assert model.price is not None
    assert (model.price.input, model.price.output) == (Decimal("0.15"), Decimal("0.60"))


def test_the_result_has_the_documented_fields() -> None:
    """In the documented order."""
    assert [field.name for field in fields(OrchestrationResult)] == [
        "response",
        "model_used",
        "cost",
        "latency",
        "confidence",
        "input_tokens",
        "output_tokens",
        "strategy",
        "fallback_chain",
        "ensemble_models",
        "metadata",
        "timestamp",
        "run_id",
    ]


def test_the_package_is_typed_and_every_error_has_one_root() -> None:
    """`py.typed` is there; whoever catches OrchestratorError catches all of them."""
    assert (Path(model_orchestrator.__file__).parent / "py.typed").is_file()
    assert issubclass(InvalidRequest, OrchestratorError)
    assert issubclass(RunFailure, OrchestratorError)
