"""Processes on the hosts: started in sessions of their own, and always ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import FOREIGN

from .network import inside

ROOT = Path(__file__).parents[3]
PYTHON_PATH = os.pathsep.join(path for path in sys.path if path)
STOP = 60.0  # seconds until a process that was asked to end must have done so


@dataclass(slots=True)
class Processes:
    """Whoever was started on some host; their output is in a file each."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self,
        host: str,
        command: Sequence[str],
        *,
        name: str,
        env: Mapping[str, str] | None = None,
        path: str = PYTHON_PATH,
        cwd: Path = ROOT,
    ) -> subprocess.Popen[bytes]:
        """A process on a host, and whatever it starts in its turn; `path` is where its Python looks for modules."""
        with (self.folder / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(
                inside(host, command),
                cwd=cwd,
                env=bare_environment() | {"PYTHONPATH": path} | dict(env or {}),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(started)
        return started

    def python(
        self, host: str, module: str, *words: str, name: str, clock: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """A module of this checkout."""
        return self.start(host, [*clock, sys.executable, "-m", module, *words], name=name)

    def said(self, name: str) -> str:
        """What a process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")


def bare_environment() -> dict[str, str]:
    """Ours, without what steers the orchestrator; byte code is kept, or each start compiles every module."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def end(process: subprocess.Popen[bytes]) -> int:
    """Ask it to end, and see that it does; its exit code."""
    if process.poll() is None:
        send(process, signal.SIGCONT)
        process.terminate()
    try:
        return process.wait(STOP)
    except subprocess.TimeoutExpired:
        kill(process)
        raise


def kill(process: subprocess.Popen[bytes]) -> None:
    """At once, with all that it started."""
    send(process, signal.SIGKILL)
    process.wait()


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """None is left after the block."""
    all_ = Processes(folder)
    try:
        yield all_
    finally:
        for one in all_.running:
            kill(one)
