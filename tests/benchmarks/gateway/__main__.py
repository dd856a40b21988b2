"""Measure the service, and peers with `--peers`: each round starts every gateway once, and medians count.

A gateway has a core of its own; the load, the upstream and PostgreSQL share the other. What is added is the difference
to `direct` in the same round. The service makes two commits a request; the peers keep nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ..bench_store import probe_disk
from .gateways import POSTGRES, SQLITE, Gateway, Upstreams, direct, litellm, ours, portkey, postgres_databases
from .gateways import sqlite_file as sqlite
from .load import Load
from .measuring import Measured, measure
from .processes import LOAD_CORE
from .table import broken, table
from .upstream import compiled, running_upstream


def main(arguments: Sequence[str]) -> None:
    """Print the machine, each round as it ends, and the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each load")
    parser.add_argument(
        "--peers", action="store_true", help="LiteLLM and Portkey too, as the make target installs them"
    )
    given = parser.parse_args(arguments)
    os.sched_setaffinity(0, {LOAD_CORE})  # what is started from here inherits it, PostgreSQL's server too
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER"))))
        program = compiled(folder)
        upstreams = Upstreams(
            stack.enter_context(running_upstream(program)),
            stack.enter_context(running_upstream(program, latency_ms=50)),
        )
        databases = stack.enter_context(postgres_databases())
        gateways = [direct(), ours(SQLITE, upstreams, sqlite), ours(POSTGRES, upstreams, databases)]
        gateways += [litellm(upstreams), portkey(upstreams)] if given.peers else []
        print(machine(), flush=True)
        probe_disk(folder)
        rounds = measure_all(gateways, upstreams, folder, given.rounds, given.seconds)
        probe_disk(folder)
    print(f"\nMedians of {given.rounds} rounds of {given.seconds} s; load {os.getloadavg()[0]:.1f}\n\n{table(rounds)}")
    for line in broken(rounds):
        print(f"No result: {line}")


def measure_all(
    gateways: Sequence[Gateway], upstreams: Upstreams, folder: Path, count: int, seconds: int
) -> dict[str, list[Measured]]:
    """The rounds of every gateway."""
    rounds: dict[str, list[Measured]] = {gateway.name: [] for gateway in gateways}
    for number in range(1, count + 1):
        for gateway in gateways:
            found = measure(gateway, upstreams, folder, seconds)
            rounds[gateway.name].append(found)
            said = ", ".join(f"{case} {_said(load)}" for case, load in found.loads.items())
            print(f"round {number}, {gateway.name:<18}{said}; load {os.getloadavg()[0]:.1f}", flush=True)
    return rounds


def machine() -> str:
    """What it runs on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    processor = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{processor}, {os.cpu_count()} CPUs, {platform.platform()}, {versions}, load {os.getloadavg()[0]:.1f}"


def _said(load: Load) -> str:
    failed = f" ({load.errors} errors)" if load.errors else ""
    return f"{load.rate:,.0f}/s p50 {load.p50_ms:.2f} p99 {load.p99_ms:.2f} ms{failed}"


if __name__ == "__main__":
    main(sys.argv[1:])
