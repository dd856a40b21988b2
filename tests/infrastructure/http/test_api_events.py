"""The log in pages and live: every event once, in order, for as long as somebody listens."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.ports import RecordedEvent
from model_orchestrator.domain.errors import StoreUnavailable
from model_orchestrator.infrastructure.http.api import events
from model_orchestrator.infrastructure.settings import Settings

from ...benchmarks.filled_log import fill
from ...database import Database
from ...running_service import WAIT, RunningService, running_service
from .recorded_runs import believe, record


@pytest.fixture
def service(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningService]:
    believe(monkeypatch)
    with running_service(Settings.load(env={}, database_url=database.url, provider="simulated")) as running:
        yield running


class Listener:
    """One open stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response

    def block(self) -> dict[str, str]:
        """The next block: its fields, and a comment under an empty name."""
        found: dict[str, str] = {}
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            found[name] = value
        return found

    def event(self) -> tuple[int, Any]:
        """The next event: its id and document."""
        while "data" not in (block := self.block()):
            assert block, "the stream ended"
        return int(block["id"]), json.loads(block["data"])


@contextmanager
def listening(service: RunningService, query: str = "", **headers: str) -> Iterator[Listener]:
    """A stream whose first comment has come: what happens from now on is on it."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WAIT)
    with closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", f"/events/stream{query}", headers=named)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.getheader("content-type") == "text/event-stream; charset=utf-8"
        listener = Listener(response)
        assert listener.block()[""] == "alive"
        yield listener


def started(service: RunningService) -> str:
    return str(service.post("/runs", {"prompt": "What is Python?"}).json["run_id"])


def test_pages_give_every_event_once_in_order(service: RunningService) -> None:
    started(service)
    started(service)
    found: list[int] = []
    after = 0
    while page := service.get(f"/events?limit=7&after={after}").json["events"]:
        found += [one["position"] for one in page]
        after = found[-1]
    assert found == list(range(1, len(found) + 1))
    assert service.get(f"/events?after={after}").json == {"events": [], "next": after}
    only = service.get("/events?types=RunStarted,RunCompleted&types=CostIncurred").json["events"]
    assert {one["type"] for one in only} == {"RunStarted", "RunCompleted", "CostIncurred"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("after=-1", "after '-1' is not possible"),
        ("after=99999999999999999999", "after '99999999999999999999'"),
        ("limit=1001", "from 1 to 1,000"),
        ("types=RunStarded", "did you mean 'RunStarted'"),
        ("types=", "parameter types"),
        ("before=1", "unknown parameter 'before'"),
    ],
)
def test_a_query_that_is_off_says_what_to_do(service: RunningService, query: str, message: str) -> None:
    reply = service.get(f"/events?{query}")
    assert reply.status == 400
    assert message in reply.json["error"]["message"]


def test_a_live_stream_gives_what_is_committed_from_now_on(service: RunningService) -> None:
    started(service)
    with listening(service) as live:
        run_id = started(service)
        heard = [live.event() for _ in service.get(f"/runs/{run_id}/events").json["events"]]
    assert [document for _, document in heard] == service.get(f"/runs/{run_id}/events").json["events"]
    assert all(position == document["position"] for position, document in heard)


def test_a_stream_goes_on_where_the_one_before_ended(service: RunningService) -> None:
    started(service)
    everything = service.get("/events").json["events"]
    with listening(service, "?after=0") as live:
        assert [live.event()[1] for _ in everything[:3]] == everything[:3]
    with listening(service, "?after=0", last_event_id="3") as live:  # as a browser does
        assert live.event()[1] == everything[3]
    refused = service.request("GET", "/events/stream", None, {"last-event-id": "x"})
    assert refused.status == 400


def test_a_stream_of_some_types_or_one_owner_has_nothing_else(database: Database, service: RunningService) -> None:
    with listening(service, "?types=RunCompleted", x_owner="web") as live:
        record(database.url, 1, "batch")
        run_id = record(database.url, 2, "web")
        _, document = live.event()
    assert (document["type"], document["correlation_id"]) == ("RunCompleted", run_id)


def test_a_silent_stream_says_that_it_lives_and_how_far_it_read(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ALIVE", 0.05)
    assert started(service)
    head = service.get("/events?limit=1000").json["next"]
    with listening(service, "?after=0&types=BudgetDefined") as live:
        blocks = [live.block()]
        while blocks[-1]["id"] != str(head):
            blocks.append(live.block())
    assert {block[""] for block in blocks} == {"alive"}


STREAM = b"GET /events/stream HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


def read_to_comment(line: socket.socket) -> None:
    """Until the stream is open."""
    read = b""
    while b"alive" not in read or not read.endswith(b"\n\r\n"):
        read += line.recv(65536)


def watched(service: RunningService) -> threading.Event:
    """Set once the store's next tail has ended."""
    ended, store = threading.Event(), service.service.orchestrator.store
    tail = store.tail

    async def watch(*, after: int = 0) -> AsyncIterator[RecordedEvent]:
        try:
            async for event in tail(after=after):
                yield event
        finally:
            ended.set()

    store.tail = watch  # type: ignore[method-assign]
    return ended


def test_a_client_that_leaves_ends_its_tail(service: RunningService) -> None:
    ended = watched(service)
    with listening(service):
        assert not ended.is_set()
    assert ended.wait(WAIT)


def test_a_client_that_asked_for_more_meanwhile_may_leave_too(service: RunningService) -> None:
    ended = watched(service)
    with closing(service.connect()) as line:
        line.sendall(STREAM + b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        read_to_comment(line)
    assert ended.wait(WAIT)


def test_what_is_no_http_is_not_answered_within_a_stream(service: RunningService) -> None:
    ended = watched(service)
    with closing(service.connect()) as line:
        line.sendall(STREAM)
        read_to_comment(line)
        line.sendall(b"nonsense\r\n\r\n")
        assert line.recv(65536) == b""
    assert ended.wait(WAIT)


def test_a_client_that_takes_nothing_is_let_go_and_holds_up_nobody(tmp_path: Path) -> None:
    fill(tmp_path / "runs.db", 3_000)
    file = tmp_path / "settings.toml"
    file.write_text("[service]\nwrite_timeout = 0.3")
    settings = Settings.load(file, {}, database_url=f"sqlite:///{tmp_path}/runs.db", provider="simulated")
    with running_service(settings) as service:
        ended = watched(service)
        with closing(socket.socket()) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", service.port))
            deaf.sendall(b"GET /events/stream?after=0 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            assert started(service)
            assert ended.wait(WAIT)


@pytest.mark.parametrize("failure", [ValueError, StoreUnavailable])
def test_a_stream_that_fails_is_cut_and_its_failure_not_told(
    service: RunningService,
    failure: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client sees that it is no end in good order; the text of a defect may hold a prompt."""

    async def fail(*given: Any) -> bool:
        raise failure("What is Python?")

    with listening(service) as live:
        monkeypatch.setattr(events.Seen, "has", fail)
        started(service)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            live.response.read()
    said = capfd.readouterr().err
    assert not caplog.records, "the server knows nothing of it"
    assert ("What is Python?" in said) == (failure is StoreUnavailable)


def test_streams_end_when_the_service_stops(database: Database) -> None:
    settings = Settings.load(env={}, database_url=database.url, provider="simulated")
    with running_service(settings) as service, listening(service) as live:
        service.ask_to_stop()
        assert live.block() == {}, "the end of the stream"
