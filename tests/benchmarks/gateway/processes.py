"""The processes of a measurement: each on one core, watched with its children, and stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE = CORES[0]
LOAD_CORE = CORES[-1]  # of the load, the upstream and this program; the same one where there is but one
STOP = 10.0  # seconds a process has to end
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(
    command: Sequence[str], core: int, *, output: IO[str] | None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The command, running on that core while the block does; `output` takes both its streams, None drops them."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command], env=environment, text=True,
        stdout=subprocess.DEVNULL if output is None else output, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        _stop(process)


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children[parent]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time the family has taken, without what ended children took."""
    return sum(int(fields[11]) + int(fields[12]) for one in family(pid) if (fields := _stat(one))) / _TICKS


def memory_mb(pid: int) -> float:
    """The family's memory in MB, each shared page divided by those who share it (PSS)."""
    kilobytes = 0
    for one in family(pid):
        with suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text(), re.MULTILINE)
            kilobytes += int(found[1]) if found else 0
    return kilobytes / 1024


def _stat(pid: int) -> list[str]:
    """The fields after the process's name; none where it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _stop(process: subprocess.Popen[str]) -> None:
    children = family(process.pid)[1:]
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
