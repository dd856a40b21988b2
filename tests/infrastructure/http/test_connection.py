"""What a client may not do to a connection: endless heads, slow ones, too many at once, bodies without measure."""

from __future__ import annotations

import http.client
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.settings import Settings

from ...running_service import RunningService, running_service

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
LIMITS = """
[service]
max_body = 2000
max_headers = 2000
max_prompt = 100
max_connections = 4
read_timeout = 0.2
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """One with small limits."""
    file = tmp_path / "settings.toml"
    file.write_text(LIMITS)
    settings = Settings.load(file, {}, database_url=f"sqlite:///{tmp_path}/runs.db", provider="simulated")
    with running_service(settings) as running:
        yield running


def answer(line: socket.socket) -> bytes:
    """All that comes until the service closes the connection."""
    read = b""
    while piece := line.recv(65536):
        read += piece
    return read


def test_a_head_without_an_end_is_refused(service: RunningService) -> None:
    """Also where no line of it ever ends."""
    for endless in (b"x-filler: " + b"x" * 4000, b"x: y\r\n" * 1000):
        with closing(service.connect()) as line:
            line.sendall(HEAD + endless)
            assert answer(line).startswith(b"HTTP/1.1 431 ")


def test_a_whole_head_that_is_too_large_is_refused(service: RunningService) -> None:
    reply = service.get("/healthz", filler="x" * 3000)
    assert reply.status == 431


def test_an_address_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """Also where heads may be longer than the parser's longest address."""
    for number, limit in enumerate((2000, 70_000)):
        file = tmp_path / f"{number}.toml"
        file.write_text(f"[service]\nmax_headers = {limit}\n")
        settings = Settings.load(file, {}, database_url=f"sqlite:///{tmp_path}/{number}.db", provider="simulated")
        with running_service(settings) as running:
            assert running.get(f"/runs?where={'x' * min(limit, 65_600)}").status == 431


def test_a_head_that_does_not_come_is_not_waited_for(service: RunningService) -> None:
    """Neither a connection that says nothing, nor one that stops half-way."""
    for begun in (b"", HEAD):
        with closing(service.connect()) as line:
            line.sendall(begun)
            assert answer(line).startswith(b"HTTP/1.1 408 ")


def test_a_connection_may_rest_between_requests(service: RunningService) -> None:
    """Longer than a head may take."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    with closing(connection):
        for pause in (0.5, 0.0):
            connection.request("GET", "/healthz")
            with connection.getresponse() as response:
                assert response.status == 200
                response.read()
            assert connection.sock is not None
            assert not select.select([connection.sock], [], [], pause)[0]  # not closed by the service


def test_a_body_that_does_not_come_is_not_waited_for(service: RunningService) -> None:
    with closing(service.connect()) as line:
        line.sendall(HEAD + b"content-length: 100\r\nconnection: close\r\n\r\n{")
        assert answer(line).startswith(b"HTTP/1.1 408 ")


def test_a_body_of_which_nothing_comes_is_not_waited_for(service: RunningService) -> None:
    with closing(service.connect()) as line:
        line.sendall(HEAD + b"content-length: 100\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_the_rest_of_a_request_that_was_answered_is_not_waited_for(service: RunningService) -> None:
    """Refused by its head, it may not keep the connection by sending on without an end."""
    with closing(service.connect()) as line:
        line.sendall(HEAD + b"origin: http://evil.example\r\ncontent-length: 2000\r\n\r\n")
        for _ in range(200):
            try:
                line.sendall(b"x")
            except ConnectionError:
                return
            select.select([], [], [], 0.02)
    pytest.fail("the connection is still open")


def test_a_request_whose_rest_comes_in_time_keeps_its_connection(service: RunningService) -> None:
    with closing(service.connect()) as line:
        line.sendall(HEAD + b"origin: http://evil.example\r\ncontent-length: 1000\r\n\r\n")
        said = b""
        while not said.endswith(b"}}"):
            said += line.recv(65536)
        assert said.startswith(b"HTTP/1.1 403 ")
        line.sendall(b"x" * 1000)
        assert not select.select([line], [], [], 0.5)[0]
        line.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("endless", ["0\r\n" + "x: y\r\n" * 1000, "1;" + "x" * 4000], ids=["headers", "notes"])
def test_what_surrounds_a_chunked_body_is_measured_too(service: RunningService, endless: str) -> None:
    """Headers behind it, and notes on its chunks."""
    with closing(service.connect()) as line:
        line.sendall(HEAD + b"transfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 100 ")
        line.sendall(endless.encode())
        assert answer(line).startswith(b"HTTP/1.1 431 ")


def test_a_body_is_measured_as_it_comes(service: RunningService) -> None:
    """By its length where it says one, by what came where it is chunked."""
    with closing(service.connect()) as line:
        line.sendall(HEAD + b"content-length: 2001\r\nconnection: close\r\n\r\n")
        assert answer(line).startswith(b"HTTP/1.1 413 ")
    with closing(service.connect()) as line:
        line.sendall(HEAD + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n")
        line.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n")
        assert answer(line).startswith(b"HTTP/1.1 413 ")


def test_a_prompt_has_a_length_too(service: RunningService) -> None:
    messages = [{"role": "user", "content": "x" * 101}]
    reply = service.post("/v1/chat/completions", {"model": "cheapest", "messages": messages})
    assert reply.status == 413
    assert "max_prompt" in reply.json["error"]["message"]


def test_one_connection_too_many_is_told_to_come_again(service: RunningService) -> None:
    """And is admitted once another has gone."""
    with ExitStack() as several:
        for _ in range(4):
            line = several.enter_context(closing(service.connect()))
            line.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 200 ")
        with closing(service.connect()) as fifth:
            said = answer(fifth)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in said
    assert service.get("/healthz").status == 200


@pytest.mark.parametrize("wanted", ["h2c", "websocket"])
def test_a_request_that_would_rather_speak_another_protocol_is_served_in_this_one(
    service: RunningService, wanted: str
) -> None:
    """As Java's own client asks of every server; also where its head comes in pieces, and twice."""
    body = b'{"model": "cheapest", "messages": [{"role": "user", "content": "What is Python?"}]}'
    asks = f"connection: Upgrade, HTTP2-Settings\r\nupgrade: {wanted}\r\nhttp2-settings: AAMAAABk\r\n"
    head = HEAD + asks.encode() + b"content-length: %d\r\n\r\n" % len(body)
    with closing(service.connect()) as line:
        for pieces in ((head + body,), (head[:150], head[150:], body)):
            for piece in pieces:
                line.sendall(piece)
            with closing(http.client.HTTPResponse(line)) as response:
                response.begin()
                assert response.status == 200, response.read()
                assert b"Python" in response.read()


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_is_refused(service: RunningService, noise: bytes) -> None:
    with closing(service.connect()) as line:
        line.sendall(noise)
        assert answer(line)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 408")
    assert service.get("/healthz").status == 200
