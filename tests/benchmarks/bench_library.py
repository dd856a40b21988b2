"""A call in the library, durable, beside the bare openai SDK: `python -m tests.benchmarks.bench_library [--peers]`.

Each library runs in a process of its own on one core, the upstream on the other; rounds are interleaved, medians count.
With `--peers` litellm too, from the environment that `make bench-gateway ARGS=--peers` installs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .bench_store import probe_disk
from .gateway.__main__ import machine
from .gateway.gateways import PEERS, environment
from .gateway.processes import GATEWAY_CORE, LOAD_CORE
from .gateway.upstream import compiled, running_upstream

ROUNDS = 3
SCRIPT = Path(__file__).parent / "gateway" / "library_call.py"
COLUMNS = {  # key: title, digits
    "p50_ms": ("c1 p50 ms", 2),
    "cpu_ms": ("CPU ms a call", 2),
    "calls_a_second": ("calls/s, 32 at once", 0),
    "import_s": ("import s", 2),
    "peak_mb": ("peak memory MB", 0),
}


def measured(library: str, upstream: str, folder: Path) -> dict[str, float]:
    """The figures of one process. Raises CalledProcessError where it fails."""
    python = str(PEERS / "litellm" / "bin" / "python") if library == "litellm" else sys.executable
    with tempfile.TemporaryDirectory(dir=folder) as own:
        done = subprocess.run(
            ["taskset", "-c", str(GATEWAY_CORE), python, "-P", str(SCRIPT), library, upstream, own],
            env=environment(), stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main(arguments: Sequence[str]) -> None:
    """Print the medians of each library."""
    libraries = ["ours", "openai", *(["litellm"] if "--peers" in arguments else [])]
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as scratch:
        folder = Path(scratch)
        print(machine(), flush=True)
        probe_disk(folder)
        with running_upstream(compiled(folder)) as upstream:
            rounds = [{name: measured(name, upstream, folder) for name in libraries} for _ in range(ROUNDS)]
    print(f"\nMedians of {ROUNDS} rounds; load {os.getloadavg()[0]:.1f}\n")
    print(f"| library | {' | '.join(title for title, _ in COLUMNS.values())} |")
    print(f"| --- |{' ---: |' * len(COLUMNS)}")
    for name in libraries:
        medians = {key: statistics.median(one[name][key] for one in rounds) for key in COLUMNS}
        print(f"| {name} | {' | '.join(f'{medians[key]:,.{digits}f}' for key, (_, digits) in COLUMNS.items())} |")


if __name__ == "__main__":
    main(sys.argv[1:])
