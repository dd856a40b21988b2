"""The access log, around bare ASGI applications."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from model_orchestrator.infrastructure.http.access_log import AccessLog
from model_orchestrator.infrastructure.http.asgi import ASGIApp as App
from model_orchestrator.infrastructure.http.asgi import Message, Receive, Scope, Send
from model_orchestrator.infrastructure.logging import RunLogging

KEY, QUERY, BODY = "sk-sentinel-of-the-key", "prompt=sentinel-of-the-query", b'{"prompt": "sentinel-of-the-body"}'


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer in two pieces, to a client that is known."""
    await receive()
    scope["state"]["client"] = "key-7"
    headers = [(b"content-type", b"text/plain"), (b"x-run-id", b"run-1")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b"sentinel", "more_body": True})
    await send({"type": "http.response.body", "body": b"-of-the-answer"})
    await receive()


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("sentinel-of-the-error")


async def listening(scope: Scope, receive: Receive, send: Send) -> None:
    """Begins an answer, and learns that nobody waits for it."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"1234", "more_body": True})
    await receive()


def served(app: App, *, level: str = "info", path: str = "/v1/chat", gone: bool = False) -> None:
    """Serve one request with the project's logging."""
    incoming: list[Message] = [{"type": "http.request", "body": BODY}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        if gone:
            raise OSError("gone")

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": QUERY.encode(),
        "headers": [(b"authorization", f"Bearer {KEY}".encode())],
    }
    asyncio.run(_call(AccessLog(app, RunLogging(level, "json").served), scope, receive, send))


async def _call(app: AccessLog, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (text,) = capsys.readouterr().err.splitlines()
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_request_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    served(answering)
    told = line(capsys)
    assert told.pop("ms") >= 0
    del told["timestamp"]
    assert told == {
        "event": "Request",
        "level": "info",
        "method": "POST",
        "path": "/v1/chat",
        "status": 201,
        "bytes": len("sentinel-of-the-answer"),
        "client": "key-7",
        "run_id": "run-1",
        "client_left": False,
    }


@pytest.mark.parametrize("app", [answering, failing, listening])
def test_no_body_query_key_or_error_is_in_a_line(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        served(app)
    except RuntimeError:
        assert app is failing
    text = capsys.readouterr().err
    assert '"event": "Request"' in text
    assert "sentinel" not in text


def test_what_the_application_raises_is_a_500_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        served(failing)
    told = line(capsys)
    assert (told["status"], told["client"], told["run_id"]) == (500, None, None)


def test_a_client_that_leaves_before_the_end_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    served(listening)
    told = line(capsys)
    assert (told["client_left"], told["status"], told["bytes"]) == (True, 200, 4)


def test_a_client_that_cannot_be_sent_to_has_left(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="gone"):
        served(answering, gone=True)
    told = line(capsys)
    assert (told["client_left"], told["status"]) == (True, None)


def test_above_info_nothing_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    served(answering, level="warning")
    assert capsys.readouterr().err == ""


def test_a_path_cannot_write_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    served(answering, path="/v1/\nforged\x1b[31m" + "x" * 1000)
    path = line(capsys)["path"]
    assert path.startswith("/v1/%0Aforged%1B%5B31m")
    assert len(path) == 200


def test_what_is_no_request_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    async def starting(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing() -> Message:
        return {}

    async def ignored(message: Message) -> None:
        pass

    asyncio.run(_call(AccessLog(starting, RunLogging("info", "json").served), {"type": "lifespan"}, nothing, ignored))
    assert seen == ["lifespan"]
    assert capsys.readouterr().err == ""
