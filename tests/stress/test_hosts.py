"""The parts of `make hosts` that need no hosts: it fails here first where the package moved on without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .hosts.balancer import CONFIGURATION
from .hosts.books import most_in_a_minute
from .hosts.next_release import next_release
from .hosts.processes import PYTHON_PATH, ROOT

PROGRAM = """
import sqlite3, sys
from model_orchestrator import run_orchestration
from model_orchestrator.infrastructure.event_codec import decode, encode
from model_orchestrator.infrastructure.event_levels import newest

def types():
    return [row[0] for row in sqlite3.connect(sys.argv[1]).execute("SELECT type FROM events ORDER BY position")]

assert newest() == 2
run_orchestration("What is Python?", database=f"sqlite:///{sys.argv[1]}", provider="simulated")
print(*types())
"""


def test_the_next_release_records_what_this_one_does_not_know(tmp_path: Path) -> None:
    """It is this release with one more event, in a database of its own."""
    path = next_release(tmp_path / "next")
    env = os.environ | {"PYTHONPATH": os.pathsep.join((path, PYTHON_PATH))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "log.db")], cwd=path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("RunNoted") == 1
    assert done.stdout.split()[-1] == "RunCompleted"


def test_the_documented_balancer_is_the_one_that_is_tried() -> None:
    """Word for word, but for the addresses."""
    page = (ROOT / "docs" / "scaling.md").read_text()
    lines = [line.strip() for line in CONFIGURATION.splitlines() if line.strip() and "{" not in line]
    missing = [line for line in lines if line not in page]
    assert not missing


def test_any_minute_counts_whole() -> None:
    """A window may begin anywhere, and a minute later another call may come."""
    assert most_in_a_minute([]) == 0
    assert most_in_a_minute([0.0, 59.9, 60.0, 119.8]) == 3
    assert most_in_a_minute([0.0, 60.0, 120.0]) == 1
