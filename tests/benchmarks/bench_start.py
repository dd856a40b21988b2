"""What starting the command line costs: CPU seconds of whole processes, byte code cached. Run: make bench."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 15


def cpu_seconds(arguments: list[str], env: dict[str, str]) -> float:
    """User and system time of one process."""
    before = os.times()
    subprocess.run(arguments, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Print the median of each command, and its ratio to a bare interpreter."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    program = str(Path(sys.executable).parent / "model-orchestrator")
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/bench.db"
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "model-orchestrator --help": [program, "--help"],
            'model-orchestrator run "hi" (simulated, logged)': [
                program, "run", "hi", "--provider", "simulated", "--database", database
            ],
        }  # fmt: skip
        medians = {}
        for name, arguments in commands.items():
            cpu_seconds(arguments, env)  # writes the byte code
            medians[name] = statistics.median(cpu_seconds(arguments, env) for _ in range(ROUNDS))
    bare = medians["python -c pass"]
    print(f"CPU of one start, median of {ROUNDS}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for name, seconds in medians.items():
        print(f"{name:<50}{seconds * 1000:8.0f} ms   x {seconds / bare:.1f}")


if __name__ == "__main__":
    main()
