"""`serve` as a process of its own: its address, its workers, and its end."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.runs import load_run
from model_orchestrator.domain.run import RunStatus
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings

from ..database import Database
from ..gated_upstream import SECOND, GatedUpstream
from ..gated_upstream import upstream as upstream

WAIT = 60.0  # seconds until a test that waits in vain fails
CHAT = "/v1/chat/completions"


class Served:
    """The process and its port."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def post(self, model: str = "cheapest") -> tuple[int, Any]:
        """Status and body of a completion."""
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "What is Python?"}]})
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)) as connection:
            connection.request("POST", CHAT, body, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def stop(self) -> tuple[int, str]:
        """Ask it to stop; its exit code and what it said on standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=WAIT)
        return self.process.returncode, said


@contextmanager
def served(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`serve` on a free port while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "model_orchestrator", "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, process.communicate(timeout=WAIT)
        yield Served(process, int(address.rpartition(":")[2]))
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("workers", [1, 2])
def test_it_answers_and_ends_in_good_order(database: Database, workers: int) -> None:
    """On both databases, with one process and with several; every run is in the one log."""
    with served("--workers", str(workers), "--database", database.url, "--provider", "simulated") as service:
        for _ in range(6):
            status, body = service.post()
            assert status == 200, body
        code, said = service.stop()
    assert code == 0, said
    assert "Traceback" not in said
    assert database.count("events", "type = 'RunCompleted'") == 6


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_under_way_is_answered_before_the_end(tmp_path: Path, upstream: GatedUpstream, workers: str) -> None:
    """No new one is taken meanwhile."""
    replies: list[tuple[int, Any]] = []
    with served(*place(tmp_path), "--workers", workers, env=keys(upstream)) as service:
        asking = threading.Thread(target=lambda: replies.append(service.post("gpt-4o-mini")))
        asking.start()
        upstream.wait_for_call()
        service.process.send_signal(signal.SIGTERM)
        until_refused(service.port)
        upstream.open()
        code, said = service.stop()
        asking.join(WAIT)
    assert (code, replies[0][0]) == (0, 200), said
    assert SECOND in replies[0][1]["choices"][0]["message"]["content"]


def test_a_run_that_does_not_end_in_time_can_be_resumed(tmp_path: Path, upstream: GatedUpstream) -> None:
    """The process ends all the same; the run is taken up where its log ends."""
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is Python?"}]})
    head = f"POST {CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    with (
        served(*place(tmp_path, "[service]\ngrace = 0.2"), env=keys(upstream)) as service,
        closing(socket.create_connection(("127.0.0.1", service.port))) as line,
    ):
        line.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        upstream.wait_for_call()
        code, said = service.stop()
        answer = line.recv(65536).decode()
    assert code == 0, said
    assert answer.startswith("HTTP/1.1 503 ")
    assert '"run_id":"run-' in answer

    async def resume() -> RunStatus:
        settings = Settings.load(tmp_path / "settings.toml", keys(upstream), database_url=f"sqlite:///{tmp_path}/r.db")
        async with Orchestrator(settings) as orchestrator:
            (started,) = await orchestrator.store.read_all(types=("RunStarted",))
            assert (await load_run(orchestrator.log, started.stream)).run.status is RunStatus.RUNNING
            upstream.open()
            await orchestrator.resume(started.stream)
            return (await load_run(orchestrator.log, started.stream)).run.status

    assert asyncio.run(resume()) is RunStatus.COMPLETED


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        done = run("--port", port, "--database", str(tmp_path / "r.db"))
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


def test_a_setting_that_is_off_is_said(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[service]\nmax_runs = 0")
    done = run("--config", str(file))
    assert done.returncode == 2
    assert "service.max_runs" in done.stderr
    assert "Traceback" not in done.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model_orchestrator", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)


def place(folder: Path, toml: str = "") -> list[str]:
    """A settings file and a database in the folder."""
    file = folder / "settings.toml"
    file.write_text('catalogue = "seed"\n' + toml)
    return ["--config", str(file), "--database", str(folder / "r.db")]


def keys(upstream: GatedUpstream) -> dict[str, str]:
    return {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": upstream.address}


def until_refused(port: int) -> None:
    """Until the service takes no connection any more."""
    for _ in range(10_000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=WAIT).close()
        except OSError:
            return
    raise AssertionError("the service still takes connections")
