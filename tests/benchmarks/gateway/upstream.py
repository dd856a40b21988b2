"""The simulated provider of `upstream.c`, compiled and running."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import LOAD_CORE

SOURCE = Path(__file__).with_name("upstream.c")


def compiled(folder: Path) -> Path:
    """The program, in the folder. Raises CalledProcessError where it does not compile."""
    program = folder / "upstream"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE], check=True)
    return program


@contextmanager
def running_upstream(program: Path, *, latency_ms: float = 0, pieces: int = 20) -> Iterator[str]:
    """Its address, while the block runs."""
    options = ["--latency-ms", str(latency_ms), "--pieces", str(pieces)]
    command = ["taskset", "-c", str(LOAD_CORE), str(program), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
