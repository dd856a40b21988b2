"""An append returns when the disk has it: shown by the system calls of a process, which a killed one cannot show."""

from __future__ import annotations

from pathlib import Path

import pytest

from .system_calls import trace


def acknowledgements(calls: str) -> tuple[int, int]:
    """How many there were, and how many came while the write-ahead log had writes no sync had covered."""
    total = early = 0
    unsynced = False
    for call in calls:
        if call == "a":
            total += 1
            early += unsynced
        else:
            unsynced = call == "w"
    return total, early


def traced(tmp_path: Path, synchronous: str) -> tuple[int, int]:
    calls = trace(tmp_path, "acknowledge", f"sqlite:///{tmp_path / 'log.db'}", synchronous)
    assert "w" in calls
    return acknowledgements(calls)


def test_no_append_is_acknowledged_before_its_log_is_synced(tmp_path: Path) -> None:
    total, early = traced(tmp_path, "FULL")
    assert (total, early) == (41, 0)  # "ready" and 40 acknowledgements


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_the_trace_would_show_a_store_that_does_not_sync(tmp_path: Path, synchronous: str) -> None:
    total, early = traced(tmp_path, synchronous)
    assert total == 41
    assert early >= 40
