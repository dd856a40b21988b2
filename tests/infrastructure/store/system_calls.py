"""What a child process asks of the system: w a write to a write-ahead log, s a sync of it, a a line on stdout."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contracts.store_process import ROOT, command, environment

HINT = "needs a C compiler (cc) or strace: apt-get install gcc, or apt-get install strace"


def shim(folder: Path) -> dict[str, str]:
    """The environment that preloads fsync_shim.c, freshly built."""
    library = folder / "fsync_shim.so"
    source = Path(__file__).with_name("fsync_shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def trace(folder: Path, *words: object) -> str:
    """Run the store command under whatever tool there is."""
    if shutil.which("cc"):
        return _preloaded(folder, *words)
    if shutil.which("strace"):
        return _straced(folder, *words)
    pytest.fail(HINT)


def _run(command: list[str], env: dict[str, str]) -> None:
    subprocess.run(
        command, check=True, text=True, input="go\n", stdout=subprocess.DEVNULL, cwd=ROOT, env=environment() | env
    )


def _preloaded(folder: Path, *words: object) -> str:
    notes = folder / "trace"
    _run(command(*words), shim(folder) | {"STORE_TRACE": str(notes)})
    return notes.read_text()


_CALLS = (
    ("w", re.compile(r"^\d+ +(pwrite64|write)\(\d+<[^>]*-wal>")),
    ("s", re.compile(r"^\d+ +(fdatasync|fsync)\(\d+<[^>]*-wal>\) += 0|(fdatasync|fsync) resumed>\) += 0")),
    ("a", re.compile(r"^\d+ +write\(1<")),
)


def _straced(folder: Path, *words: object) -> str:
    output = folder / "strace"
    calls = "trace=write,pwrite64,fdatasync,fsync"
    _run(["strace", "-f", "-y", "-e", calls, "-o", str(output), *command(*words)], {})
    lines = output.read_text(errors="replace").splitlines()
    return "".join(word for line in lines for word, call in _CALLS if call.search(line))
