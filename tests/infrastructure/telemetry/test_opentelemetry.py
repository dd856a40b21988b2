"""Runs as OpenTelemetry's collectors get them: over loopback, decoded from protobuf."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.events import RunEvent
from model_orchestrator.domain.run import Run
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.logging import RunLogging
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.telemetry import attributes as run_spans
from model_orchestrator.infrastructure.telemetry import observer
from model_orchestrator.infrastructure.telemetry.observer import RunTelemetry
from model_orchestrator.infrastructure.telemetry.parent import child_of
from model_orchestrator.infrastructure.telemetry.signals import signals_of
from tests.read_models import completed, run_failed
from tests.scenario import (
    HAIKU,
    MINI,
    answered,
    asked,
    assessed,
    costed,
    escalated,
    failed,
    lost,
    routed,
    scored,
    started,
)

from .collector import Collector, attributes

AT = 1_795_000_000_000_000
PROMPT = "What is a sentinel-of-the-prompt?"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ESCALATING: list[RunEvent] = [
    started("fallback"),
    assessed(),
    routed(MINI, HAIKU),
    asked(MINI),
    answered(1),
    costed(1, "0.01"),
    scored(0.4),
    escalated(MINI, HAIKU),
    asked(HAIKU, 2, index=1),
    failed(2),
    asked(HAIKU, 3, index=1),
    answered(3),
    costed(3, "0.2"),
    scored(0.9, 3),
    completed(3),
]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector().open() as one:
        yield one


def tell(env: dict[str, str], *runs: list[RunEvent], parent: str | None = None) -> None:
    """Observe runs, an event a second, and close."""

    async def told() -> None:
        telemetry = RunTelemetry(RunLogging("warning", "json"), "1.2.3", env)
        for number, events in enumerate(runs, 1):
            with child_of(parent):
                for second, event in enumerate(events):
                    telemetry.observe(f"run-{number}", event, Timestamp(AT + second * 1_000_000))
        await telemetry.aclose()

    asyncio.run(told())


@pytest.fixture
def to(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that names the collector."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_run_is_a_span_and_each_call_its_child(collector: Collector, to: dict[str, str]) -> None:
    """Names and attributes as the GenAI conventions have them, and ours."""
    tell(to, ESCALATING)
    (run,) = [one for one in collector.spans() if one.name == "invoke_workflow fallback"]
    calls = [one for one in collector.spans() if one is not run and one.parent_span_id == run.span_id]
    assert len(calls) == 3
    assert {one.trace_id for one in calls} == {run.trace_id}
    assert {one.kind for one in calls} == {3}  # client
    assert {one.name.split()[0] for one in calls} == {"chat"}
    told = attributes(run.attributes)
    assert told["gen_ai.operation.name"] == "invoke_workflow"
    assert told["gen_ai.response.finish_reasons"] == ["stop"]
    assert told["model_orchestrator.run.id"] == "run-1"
    assert told["model_orchestrator.confidence"] == 0.9
    assert (told["model_orchestrator.attempts"], told["model_orchestrator.escalations"]) == (3, 1)
    assert told["model_orchestrator.run.status"] == "completed"
    first = attributes(calls[0].attributes)
    usage = answered(1).usage
    assert usage is not None
    assert first["gen_ai.usage.input_tokens"] == usage.input_tokens
    assert first["gen_ai.usage.output_tokens"] == usage.output_tokens
    assert first["gen_ai.provider.name"] == asked(MINI).provider
    assert first["gen_ai.request.model"] == asked(MINI).api_id
    assert (first["model_orchestrator.cost_usd"], first["model_orchestrator.confidence"]) == (0.01, 0.4)
    (moved,) = run.events
    assert (moved.name, attributes(moved.attributes)["model_orchestrator.to_model"]) == ("escalated", HAIKU)
    assert collector.resources()[0]["service.name"] == "model-orchestrator"


def test_spans_have_the_times_of_the_events(collector: Collector, to: dict[str, str]) -> None:
    """Not those of the export."""
    tell(to, ESCALATING)
    spans = {one.name: one for one in collector.spans()}
    run = spans["invoke_workflow fallback"]
    assert run.start_time_unix_nano == AT * 1000
    assert run.end_time_unix_nano == (AT + 14_000_000) * 1000
    (call,) = [one for one in collector.spans() if attributes(one.attributes).get("model_orchestrator.attempt") == 1]
    assert call.end_time_unix_nano == (AT + 4_000_000) * 1000
    assert call.end_time_unix_nano - call.start_time_unix_nano == min(1_000_000, answered(1).latency) * 1000


def test_what_fails_is_an_error_with_its_exception(collector: Collector, to: dict[str, str]) -> None:
    """Of calls and of runs."""
    tell(to, [started(), asked(MINI), failed(1), asked(MINI, 2), lost(2), run_failed()])
    run = next(one for one in collector.spans() if one.name.startswith("invoke_workflow"))
    calls = [one for one in collector.spans() if one is not run and one.name.startswith("chat")]
    assert {one.status.code for one in (run, *calls)} == {2}  # error
    assert attributes(run.attributes)["error.type"] == run_failed().kind.value
    kinds = [attributes(event.attributes)["exception.type"] for one in (*calls, run) for event in one.events]
    assert kinds == ["AttemptFailed", "AttemptLost", "RunFailed"]
    assert [attributes(one.attributes)["error.type"] for one in calls] == [failed(1).kind.value, lost(2).kind.value]


def test_metrics_are_the_conventions_with_kinds_of_money_apart(collector: Collector, to: dict[str, str]) -> None:
    """Tokens and durations as histograms, and our cost."""
    tell(to, ESCALATING)
    metrics = collector.metrics()
    durations = metrics["gen_ai.client.operation.duration"].histogram.data_points
    assert sum(point.count for point in durations) == 3
    assert list(durations[0].explicit_bounds) == pytest.approx([0.01 * 2**power for power in range(14)])
    tokens = metrics["gen_ai.client.token.usage"].histogram.data_points
    usage = answered(1).usage
    assert usage is not None
    by_type = dict.fromkeys(("input", "output"), 0.0)
    for point in tokens:
        by_type[attributes(point.attributes)["gen_ai.token.type"]] += point.sum
    assert by_type == {"input": 2 * usage.input_tokens, "output": 2 * usage.output_tokens}
    cost = metrics["model_orchestrator.cost"].sum.data_points
    assert sum(point.as_double for point in cost) == pytest.approx(0.21)
    assert {attributes(point.attributes)["model_orchestrator.money"] for point in (*cost, *durations)} == {"real"}


def test_a_run_belongs_to_the_trace_it_was_asked_in(collector: Collector, to: dict[str, str]) -> None:
    """`traceparent`; a malformed one is as good as none."""
    tell(to, ESCALATING, parent=PARENT)
    (run,) = [one for one in collector.spans() if one.name.startswith("invoke_workflow")]
    assert (run.trace_id.hex(), run.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
    collector.bodies.clear()
    tell(to, ESCALATING, parent="00-nonsense")
    (run,) = [one for one in collector.spans() if one.name.startswith("invoke_workflow")]
    assert run.parent_span_id == b""


def test_a_run_that_has_not_ended_is_told_at_the_close(collector: Collector, to: dict[str, str]) -> None:
    """As it stands."""
    tell(to, [started(), asked(MINI)])
    (run,) = [one for one in collector.spans() if one.name.startswith("invoke_workflow")]
    assert attributes(run.attributes)["model_orchestrator.run.status"] == "running"


def test_a_real_run_leaves_no_text_in_any_signal(collector: Collector, to: dict[str, str], tmp_path: Path) -> None:
    """Neither prompt, system text, answer nor tag; its trace has the run's id and its parent."""

    async def asked_once() -> tuple[str, str]:
        settings = Settings.load(env={}, database_url=f"sqlite:///{tmp_path / 'log.db'}")
        async with Orchestrator(settings) as one:
            with child_of(PARENT):
                result = await one.run(
                    PROMPT, system="sentinel-of-the-system", provider="simulated", tags={"k": "sentinel-of-a-tag"}
                )
        return result.run_id, result.response

    run_id, response = asyncio.run(asked_once())
    sent = b"".join(body for _, body in collector.bodies)
    assert run_id.encode() in sent
    assert b"sentinel" not in sent
    assert response.encode() not in sent
    (run,) = [one for one in collector.spans() if one.name == "invoke_workflow cheapest"]
    assert run.trace_id.hex() == PARENT.split("-")[1]
    assert attributes(run.attributes)["model_orchestrator.money"] == "simulated"


def test_a_run_that_cannot_be_exported_stops_no_other(
    collector: Collector, to: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told by the kind of error only."""
    names = iter([ValueError("sentinel-of-a-text")])

    def named(run: Run) -> str:
        if (error := next(names, None)) is not None:
            raise error
        return "second"

    monkeypatch.setattr(run_spans, "run_name", named)
    tell(to, ESCALATING, ESCALATING)
    assert [one.name for one in collector.spans() if not one.name.startswith("chat")] == ["second"]
    assert [(line["event"], line["why"]) for line in lines(capsys)] == [("TelemetryNotSent", "ValueError")]


def command(tmp_path: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    database = f"sqlite:///{tmp_path / 'log.db'}"
    return subprocess.run(
        [sys.executable, "-m", "model_orchestrator", *words, "--database", database],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_command_line_sends_before_it_ends(collector: Collector, tmp_path: Path) -> None:
    """A short process too, under the service name it is given."""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "nightly"}
    done = command(tmp_path, "run", PROMPT, "--provider", "simulated", "--json", **env)
    ids = {attributes(one.attributes).get("model_orchestrator.run.id") for one in collector.spans()}
    assert json.loads(done.stdout)["run_id"] in ids
    assert collector.resources()[0]["service.name"] == "nightly"
    assert "gen_ai.client.operation.duration" in collector.metrics()
    assert "Telemetry" not in done.stderr


def test_a_blocking_library_call_is_sent_at_exit(collector: Collector, tmp_path: Path) -> None:
    """By the portal's own end."""
    program = (
        "import sys; from model_orchestrator import run_orchestration; "
        "run_orchestration('hello', database=sys.argv[1], provider='simulated')"
    )
    subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'log.db'}"],
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
        check=True,
        capture_output=True,
    )
    assert any(one.name.startswith("invoke_workflow") for one in collector.spans())


def closed_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://user:secret-of-the-address@127.0.0.1:{one.getsockname()[1]}/secret-of-the-path"


def test_a_collector_that_is_not_there_costs_a_log_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One, without the address; closing does not wait for it."""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": closed_port()}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", env["OTEL_EXPORTER_OTLP_ENDPOINT"])
    began = time.monotonic()
    tell(env, ESCALATING, ESCALATING)
    assert time.monotonic() - began < observer.CLOSING - 1
    errors = capfd.readouterr().err
    (line,) = [json.loads(one) for one in errors.splitlines()]
    assert (line["event"], line["level"]) == ("TelemetryNotSent", "warning")
    assert "secret" not in errors


def test_a_collector_that_does_not_answer_is_waited_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It takes the connection and says nothing."""
    monkeypatch.setattr(observer, "CLOSING", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        began = time.monotonic()
        tell({"OTEL_EXPORTER_OTLP_ENDPOINT": url}, ESCALATING)
        assert time.monotonic() - began < 3
    assert [line["event"] for line in lines(capsys)] == ["TelemetryNotSent"]


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
        },
        {"OTEL_SERVICE_NAME": "alone"},
    ],
)
def test_off_means_that_the_sdk_is_not_imported(tmp_path: Path, env: dict[str, str]) -> None:
    """And that no thread is started."""
    program = f"""
import asyncio, sys, threading
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
async def main():
    async with Orchestrator(Settings.load(env={{}}, database_url="sqlite:///{tmp_path / "log.db"}")) as one:
        await one.run("hello", provider="simulated")
        assert not [thread for thread in threading.enumerate() if "telemetry" in thread.name]
asyncio.run(main())
assert not [name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf", "requests"))]
"""
    subprocess.run([sys.executable, "-c", program], env=os.environ | env, check=True)


def test_without_the_extra_one_line_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many events there are."""
    monkeypatch.setattr(observer, "is_installed", lambda: False)
    tell({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, ESCALATING)
    (line,) = lines(capsys)
    assert line["event"] == "TelemetryOff"
    assert "model-orchestrator[otel]" in line["why"]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
    ],
)
def test_what_cannot_be_served_is_told(env: dict[str, str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Once, with what to do; runs go on."""
    tell(env, ESCALATING)
    (line,) = lines(capsys)
    assert expected in line["why"]


def test_each_signal_can_be_left_out() -> None:
    """By its own variables, which go before the common ones."""
    base = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}
    found = signals_of(base | {"OTEL_METRICS_EXPORTER": "none"})
    assert found is not None
    assert (found.traces, found.metrics) == ("otlp", None)
    found = signals_of({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x"})
    assert found is not None
    assert (found.traces, found.metrics) == (None, "otlp")
    found = signals_of({"OTEL_TRACES_EXPORTER": "console"})
    assert found is not None
    assert (found.traces, found.metrics) == ("console", None)
