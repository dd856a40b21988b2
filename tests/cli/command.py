"""The command line as a user meets it: in this process where speed matters, in one of its own where signals do."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from model_orchestrator.application.runs import LoggedRun, find_run, load_run
from model_orchestrator.cli.main import main
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.store.verify import verify_log

from ..simulator import RunningSimulator

KEY = "sk-sentinel-of-the-key"
PROMPT = "What is a sentinel-of-the-prompt?"


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it wrote."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.stdout)

    @property
    def error(self) -> Any:
        """The `error` object on standard output."""
        return self.document["error"]

    @property
    def complaint(self) -> str:
        """The one line that a failed command says, without the program's name."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("model-orchestrator: ")]
        assert self.code in (1, 2), self
        assert len(lines) == 1, self
        assert "Traceback" not in self.stderr
        assert self.stderr.endswith(lines[0] + "\n"), self
        return lines[0].removeprefix("model-orchestrator: ")


def command(*arguments: str, encoding: str = "utf-8", **env: str) -> Done:
    """Run the command line in this process, in the working folder, with nothing to read."""
    return piped(b"", *arguments, encoding=encoding, **env)


def piped(stdin: bytes | io.BytesIO, /, *arguments: str, encoding: str = "utf-8", **env: str) -> Done:
    """As `command`, with standard input."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        given = io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin
        patch.setattr(sys, "stdin", io.TextIOWrapper(given, encoding="utf-8"))
        patch.setattr(sys, "argv", ["model-orchestrator", *arguments])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        for name, value in env.items():
            patch.setenv(name, value)
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int), code
    return Done(code, _text(out, encoding), _text(err, encoding))


def _text(stream: io.TextIOWrapper, encoding: str) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(encoding)


def process(*arguments: str, stdout: int | IO[bytes] = subprocess.PIPE, **env: str) -> "subprocess.Popen[bytes]":
    """Start the command line in a process of its own, in the working folder; its output is buffered, as a user's is."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", "model_orchestrator", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**given, **env},
    )


def ended(started: "subprocess.Popen[bytes]") -> Done:
    """What a process left, once it ended; one that does not end is killed."""
    try:
        out, err = started.communicate(timeout=60)
    finally:
        started.kill()
    return Done(started.returncode, (out or b"").decode(), err.decode())


def until(true: Callable[[], bool], *, seconds: float = 60) -> None:
    """Return as soon as it is true. Raises AssertionError where it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def in_call(started: "subprocess.Popen[bytes]", provider: RunningSimulator) -> None:
    """Return once the process waits for an answer of the provider. Raises AssertionError where it ended instead."""
    until(lambda: provider.open == 1 or started.poll() is not None)
    assert started.poll() is None, ended(started)


async def logged(database: str | Path, run: str = "last") -> LoggedRun:
    """A run with its events; the whole log is checked on the way."""
    async with Orchestrator(Settings.load(env={}, database_url=str(database))) as orchestrator:
        assert await verify_log(orchestrator.store) == []
        return await load_run(orchestrator.log, await find_run(orchestrator.store, run))


def facts(run: LoggedRun) -> list[str]:
    """The names of a run's events, in order."""
    return [entry.envelope.type for entry in run.events]
