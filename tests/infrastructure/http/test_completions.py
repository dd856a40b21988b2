"""The endpoints that answer: whole, streamed, refused, and left by their client."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.errors import StoreUnavailable
from model_orchestrator.domain.events import RunCancelled, RunCompleted
from model_orchestrator.domain.run import RunStatus
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.http import completions
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.store import opening
from model_orchestrator.infrastructure.store.opening import open_store

from ...gated_upstream import FIRST, SECOND, GatedUpstream
from ...gated_upstream import upstream as upstream
from ...running_service import RunningService, running_service

CHAT = "/v1/chat/completions"


def chat(model: str = "cheapest", prompt: str = "What is Python?", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **more}


@contextmanager
def serving(folder: Path, upstream: GatedUpstream | None = None, toml: str = "") -> Iterator[RunningService]:
    """A service over a database in the folder; simulated, or with the upstream as its only provider."""
    file = folder / "settings.toml"
    file.write_text('catalogue = "seed"\n' + toml)
    env = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": upstream.address} if upstream else {}
    provider = None if upstream else "simulated"
    settings = Settings.load(file, env, database_url=f"sqlite:///{folder}/runs.db", provider=provider)
    with running_service(settings) as running:
        yield running


def ended(folder: Path) -> tuple[str, Any]:
    """Waits until the only run of the database has ended; its id and last event."""

    async def follow() -> tuple[str, Any]:
        settings = Settings.load(env={}, database_url=f"sqlite:///{folder}/runs.db")
        async with Orchestrator(settings) as orchestrator, asyncio.timeout(30):
            async for entry in orchestrator.store.tail():
                if entry.type in ("RunCompleted", "RunFailed", "RunCancelled"):
                    return entry.stream, orchestrator.log.decode(entry)
        raise AssertionError("the log ended")

    return asyncio.run(follow())


def test_an_answer_comes_whole_with_what_it_cost(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        reply = service.post(CHAT, chat())
    assert reply.status == 200
    assert "Python" in reply.json["choices"][0]["message"]["content"]
    assert reply.headers["x-orchestration-money"] == "simulated"
    assert float(reply.headers["x-orchestration-cost"]) > 0
    run_id, last = ended(tmp_path)
    assert reply.headers["x-run-id"] == run_id
    assert isinstance(last, RunCompleted)


@pytest.mark.parametrize(
    ("model", "strategy"),
    [("cheapest", "cheapest"), ("fallback", "fallback"), ("fallback:openai", "fallback"), ("ensemble", "ensemble"),
     ("gpt-4o", "cheapest"), ("gpt-4o-2024-11-20", "cheapest"), ("heuristic", "cheapest")],
)  # fmt: skip
def test_a_model_may_be_a_strategy_a_policy_or_a_model(tmp_path: Path, model: str, strategy: str) -> None:
    with serving(tmp_path, toml='[models."gpt-4o"]\napi_id = "gpt-4o-2024-11-20"') as service:
        reply = service.post(CHAT, chat(model))
    assert reply.status == 200, reply.body
    assert reply.headers["x-orchestration-strategy"] == strategy


def test_every_name_that_is_listed_can_be_asked(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        names = [one["id"] for one in service.get("/v1/models").json["data"]]
        assert {"cheapest", "fallback:mixed", "learned", "claude-haiku-3.5"} <= set(names)
        for name in names:
            assert service.post(CHAT, chat(name)).status == 200, name
            assert service.get(f"/v1/models/{name}").json["id"] == name


def test_an_unknown_model_is_not_found_and_the_nearest_is_named(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        reply = service.post(CHAT, chat("gpt-4o-mimi"))
    assert reply.status == 404
    assert "gpt-4o-mini" in reply.json["error"]["message"]


def test_pieces_are_passed_on_as_they_come(tmp_path: Path, upstream: GatedUpstream) -> None:
    """The first words arrive while the upstream still holds the rest; the end comes once the log has it."""
    with serving(tmp_path, upstream) as service, closing(service.connect()) as line:
        line.sendall(request_bytes(chat("gpt-4o-mini", stream=True)))
        stream = line.makefile("rb")
        read_until(stream, FIRST)
        upstream.open()
        rest = read_until(stream, "[DONE]")
        assert SECOND in rest
        assert isinstance(ended(tmp_path)[1], RunCompleted)


def test_a_stream_that_waits_says_that_it_lives(
    tmp_path: Path, upstream: GatedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain's answer comes in one piece, after comments."""
    monkeypatch.setattr(completions, "ALIVE", 0.01)
    with serving(tmp_path, upstream) as service, closing(service.connect()) as line:
        line.sendall(request_bytes(chat("fallback:openai", stream=True)))
        stream = line.makefile("rb")
        read_until(stream, ": waiting")
        upstream.open()
        assert FIRST + SECOND in read_until(stream, "[DONE]")


def test_a_failure_before_the_first_piece_has_a_status(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        reply = service.post(CHAT, chat(stream=True, prompt="[fault:auth] hello", model="gpt-4o-mini"))
        none_fits = service.post(CHAT, chat(stream=True, model="nothing"))
    assert none_fits.status == 404
    assert reply.status in (200, 502)


def test_a_client_who_leaves_is_still_answered_in_the_log(tmp_path: Path, upstream: GatedUpstream) -> None:
    """The call is read to its end and costed."""
    with serving(tmp_path, upstream) as service:
        with closing(service.connect()) as line:
            line.sendall(request_bytes(chat("gpt-4o-mini")))
            upstream.wait_for_call()
        until_left(service)
        upstream.open()
        run_id, last = ended(tmp_path)
        assert isinstance(last, RunCompleted)
        assert last.cost is not None
        assert upstream.completed == upstream.calls == 1
    assert status_of(tmp_path, run_id) is RunStatus.COMPLETED


def test_a_client_who_leaves_a_stream_cuts_nothing(tmp_path: Path, upstream: GatedUpstream) -> None:
    with serving(tmp_path, upstream) as service:
        with closing(service.connect()) as line:
            line.sendall(request_bytes(chat("gpt-4o-mini", stream=True)))
            read_until(line.makefile("rb"), FIRST)
        until_left(service)
        upstream.open()
        last = ended(tmp_path)[1]
    assert isinstance(last, RunCompleted)
    assert upstream.completed == 1


def test_nothing_new_starts_for_a_client_who_left(tmp_path: Path, upstream: GatedUpstream) -> None:
    """A chain ends after the answer that was under way."""
    with serving(tmp_path, upstream) as service:
        with closing(service.connect()) as line:
            line.sendall(request_bytes(chat("fallback:openai", orchestration={"threshold": 1.0})))
            upstream.wait_for_call()
        until_left(service)
        upstream.open()
        last = ended(tmp_path)[1]
    assert isinstance(last, RunCancelled)
    assert last.by == "client"
    assert upstream.calls == 1


def test_a_client_with_a_key_may_leave_and_come_back(tmp_path: Path, upstream: GatedUpstream) -> None:
    """The run is not ended for it: a balancer cuts connections that no client gave up."""
    body = chat("fallback:openai", orchestration={"threshold": 1.0})
    with serving(tmp_path, upstream) as service:
        for streams in (False, True):
            key = f"mine-{streams}"
            with closing(service.connect()) as line:
                line.sendall(request_bytes(body | {"stream": streams}, key))
                upstream.wait_for_call()
            upstream.open()
            again = service.post(CHAT, body, idempotency_key=key)
            assert again.status == 200
            assert len(again.json["orchestration"]["models_tried"]) > 1, "the chain went on"


def test_what_is_too_much_is_refused_at_once_and_later_admitted(tmp_path: Path, upstream: GatedUpstream) -> None:
    with serving(tmp_path, upstream, toml="[service]\nmax_runs = 1") as service, closing(service.connect()) as line:
        line.sendall(request_bytes(chat("gpt-4o-mini")))
        upstream.wait_for_call()
        refused = service.post(CHAT, chat("gpt-4o-mini"))
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        upstream.open()
        read_until(line.makefile("rb"), SECOND)
        assert service.post(CHAT, chat("gpt-4o-mini")).status == 200


def test_an_idempotency_key_gives_the_first_answer_again(tmp_path: Path, upstream: GatedUpstream) -> None:
    with serving(tmp_path, upstream) as service:
        upstream.open()
        first = service.post(CHAT, chat("gpt-4o-mini"), idempotency_key="once")
        again = service.post(CHAT, chat("gpt-4o-mini"), idempotency_key="once")
        other = service.post(CHAT, chat("gpt-4o-mini", "What is Rust?"), idempotency_key="once")
    assert first.headers["x-run-id"] == again.headers["x-run-id"]
    assert upstream.calls == 1
    assert other.status == 400
    assert "x-run-id" not in other.headers, "there is no such run"


def test_a_failure_that_may_have_been_billed_is_not_to_be_tried_again(tmp_path: Path) -> None:
    """The official SDKs retry a 5xx by themselves, unless they are told."""
    with serving(tmp_path) as service:
        reply = service.post(CHAT, chat("gpt-4o-mini", orchestration={"max_cost": "0.00000001"}))
    assert reply.status == 402
    assert reply.headers["x-should-retry"] == "false"


def test_a_worker_opens_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is folded ahead, in another thread, is of the same one."""
    opened: list[str] = []

    def open_one(*given: Any, **named: Any) -> Any:
        opened.append(threading.current_thread().name)
        return open_store(*given, **named)

    monkeypatch.setattr(opening, "open_store", open_one)
    with serving(tmp_path) as service:
        assert service.post(CHAT, chat()).status == 200
        assert service.get("/runs").status == 200
    assert len(opened) == 1
    assert opened != ["fold-ahead"]


def test_where_the_database_is_stays_in_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever asks is told to come again, before a key was checked as well as after a run was begun."""

    async def fail(*given: Any, **named: Any) -> Any:
        raise StoreUnavailable("postgresql://owner@db.internal: no connection")

    with serving(tmp_path) as service:
        for method in ("append", "head"):
            setattr(service.service.orchestrator.store, method, fail)
            for body in (chat(), chat(stream=True)):
                reply = service.post(CHAT, body)
                assert (reply.status, reply.headers["retry-after"]) == (503, "1"), reply
                assert b"db.internal" not in reply.body
                assert capfd.readouterr().err.count("db.internal") == 1


@pytest.mark.parametrize("streams", [False, True])
def test_a_request_with_a_key_may_be_sent_again_when_the_database_is_back(tmp_path: Path, streams: bool) -> None:
    """It goes on with its run; without a key it would make another, and pay again."""

    async def fail(*given: Any, **named: Any) -> Any:
        raise StoreUnavailable("no connection")

    with serving(tmp_path) as service:
        assert service.post(CHAT, chat()).status == 200
        service.service.orchestrator.store.append = fail  # type: ignore[method-assign]
        without = service.post(CHAT, chat(stream=streams))
        with_key = service.post(CHAT, chat(stream=streams), idempotency_key="mine")
    assert (without.status, without.headers["x-should-retry"]) == (503, "false")
    assert (with_key.status, with_key.headers["retry-after"]) == (503, "1")
    assert "x-should-retry" not in with_key.headers


# ---- how a client sees it ----


def request_bytes(body: dict[str, Any], key: str | None = None) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(data)}"
    named = "" if key is None else f"\r\nidempotency-key: {key}"
    return f"{head}{named}\r\n\r\n".encode() + data


def read_until(stream: Any, text: str) -> str:
    """What came, up to the line with the text."""
    read = ""
    while text not in read:
        line = stream.readline()
        assert line, f"the stream ended without {text!r}: {read}"
        read += line.decode()
    return read


def until_left(service: RunningService) -> None:
    """Until the service knows that the client of its only run is gone."""

    async def look() -> None:
        async with asyncio.timeout(30):
            while not all(one.is_known for one in service.service.runs.departures()):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    asyncio.run(look())


def status_of(folder: Path, run_id: str) -> RunStatus:
    async def read() -> RunStatus:
        from model_orchestrator.application.runs import load_run

        settings = Settings.load(env={}, database_url=f"sqlite:///{folder}/runs.db")
        async with Orchestrator(settings) as orchestrator:
            return (await load_run(orchestrator.log, run_id)).run.status

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("option", "named"),
    [({"provider": "live"}, "provider"), ({"policy": "/etc/hosts.toml"}, "policy"), ({"timeout": -1}, "timeout")],
)
def test_a_client_cannot_choose_what_is_the_services(tmp_path: Path, option: dict[str, Any], named: str) -> None:
    """Another provider would spend the service's keys, and a policy's file would be read."""
    with serving(tmp_path) as service:
        reply = service.post(CHAT, chat(orchestration=option))
    assert reply.status == 400
    assert named in reply.json["error"]["message"]


def test_a_client_may_shorten_its_time_and_not_lengthen_it(tmp_path: Path, upstream: GatedUpstream) -> None:
    with serving(tmp_path, upstream, toml="timeout = 0.3") as service:
        reply = service.post(CHAT, chat("gpt-4o-mini", orchestration={"timeout": 3000}))
    assert reply.status == 408
    assert reply.headers["x-should-retry"] == "false"
