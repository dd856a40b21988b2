"""The command that serves simulated models."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from model_orchestrator.cli.simulate import app


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the address it prints."""
    with subprocess.Popen(
        [sys.executable, "-m", "model_orchestrator", "simulate", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_it_prints_its_address_serves_and_stops_cleanly(stop: signal.Signals) -> None:
    """Port 0 picks a free one; a signal ends it without a traceback, also while a call is held."""
    with started("--port", "0", "--as-real") as (process, address):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as held:
            body = b'{"model": "m", "messages": [{"role": "user", "content": "hi [fault:time_out]"}]}'
            held.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
            held.sendall(body)
            while True:
                with urllib.request.urlopen(f"{address}/stats", timeout=5) as response:
                    if json.load(response)["calls"] == 1:
                        break
            process.send_signal(stop)
            assert process.wait(10) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_taken_port_is_a_one_line_error() -> None:
    """Exit 2, saying which."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["--port", str(port)])
    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in result.stderr


@pytest.mark.parametrize("given", ["flood=0.1", "cut", "cut=often", "cut=2", "cut=-1"])
def test_a_bad_rate_is_misuse(given: str) -> None:
    """Exit 2 before anything listens."""
    assert CliRunner().invoke(app, ["--fault", given]).exit_code == 2
