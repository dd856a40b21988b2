"""`monitor`: what is going on, on both databases, on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from model_orchestrator.application.monitor import Frame, Happened
from model_orchestrator.cli.monitor_screen import PIPED, drawn
from model_orchestrator.domain.breaker import BreakerState, BreakerStatus
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.projections.overview import Overview

from ..contracts.read_models import add, fill
from ..database import Database, database
from ..read_models import completed, of_category
from ..scenario import MINI, answered, asked, costed, failed
from .command import PROMPT, command, ended, process

__all__ = ["database"]


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database.url)
    return database


def frame(**changes: Any) -> Frame:
    empty: dict[str, Any] = {
        "at": Timestamp(1_795_000_000_000_000),
        "position": 0,
        "runs": Overview(today=(), running=(), running_count=0, last=()),
        "calls_a_minute": 0,
        "failures_a_minute": {},
        "budgets": (),
        "breakers": {},
        "latest": (),
    }
    return Frame(**(empty | changes))


def text_of(one: Frame, width: int = PIPED, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=width).print(drawn(one, width))
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    return file.buffer.getvalue().decode(encoding)


def test_one_frame_says_how_everything_stands(filled: Database) -> None:
    """Each kind of money apart; unknown costs are counted, not taken for nothing."""
    done = command("monitor", "--once", "--json").document
    assert done["today"]["real"] == {
        "cost": "0.21", "unknown": 1, "calls": 5, "answered": 2, "failed": 2, "lost": 1, "open": 0,
    }  # fmt: skip
    assert (done["today"]["simulated"]["cost"], "recorded" in done["today"]) == ("5", False)
    assert (done["calls_a_minute"], sum(done["failures_a_minute"].values())) == (6, 3)
    assert [run["run_id"] for run in done["last"]] == ["run-4", "run-3", "run-2", "run-1"]
    assert [run["cost"] for run in done["last"]] == ["5", None, "0", "0.21"]
    assert (done["running"], done["budgets"], done["breakers"]) == ({"count": 0, "runs": []}, [], {})
    assert done["latest"][0]["type"] == "RunCompleted"
    assert done["position"] == done["latest"][0]["position"]


def test_what_is_under_way_is_shown(database: Database) -> None:
    add(database.url, "run-1", of_category("chat"), asked(MINI))
    done = command("monitor", "--once", "--json").document
    assert (done["running"]["count"], done["running"]["runs"][0]["run_id"]) == (1, "run-1")
    assert done["today"]["real"]["open"] == 1
    assert "Under way: 1" in command("monitor", "--once").stdout


def test_spending_stands_against_the_budgets(database: Database) -> None:
    """The current period's; one that nothing was spent of is there too."""
    assert command("budgets", "set", "global", "0.001", "--period", "day").code == 0
    assert command("budgets", "set", "category:chat", "2", "--period", "month").code == 0
    assert command("run", "hi").code == 0
    chat, everything = command("monitor", "--once", "--json").document["budgets"]
    assert chat == {
        "scope": "category:chat", "period": "month", "money": None, "limit": "2", "spent": "0", "held": "0",
    }  # fmt: skip
    assert (everything["scope"], everything["money"], everything["limit"]) == ("global", "simulated", "0.001")
    assert everything["spent"] == command("runs", "show", "last", "--json").document["cost"]
    text = command("monitor", "--once").stdout
    assert "category:chat   month" in text
    assert "$0.001" in text


def test_no_text_is_ever_shown(database: Database) -> None:
    answer = command("run", PROMPT, "--json").document["response"]
    for options in ((), ("--json",)):
        shown = command("monitor", "--once", *options).stdout
        assert "RunCompleted" in shown
        assert "sentinel" not in shown
        assert answer not in shown


@pytest.fixture
def watching(filled: Database) -> Iterator[subprocess.Popen[bytes]]:
    started = process("monitor", "--json", "--interval", "0.5")
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def next_frame(started: subprocess.Popen[bytes]) -> Any:
    assert started.stdout is not None
    return json.loads(started.stdout.readline())


def test_a_new_event_is_a_new_frame(watching: subprocess.Popen[bytes], filled: Database) -> None:
    """Another process's commit is seen; Ctrl-C ends it with 130 and no complaint."""
    first = next_frame(watching)
    add(filled.url, "run-9", of_category("chat"), asked(MINI), failed(1), asked(MINI, 2), answered(2), costed(2, "0.5"))
    add(filled.url, "run-9", completed(2))
    while (shown := next_frame(watching))["position"] < first["position"] + 7:
        pass
    assert shown["last"][0]["run_id"] == "run-9"
    assert (shown["last"][0]["status"], shown["last"][0]["cost"]) == ("completed", "0.5")
    assert shown["today"]["real"]["cost"] == "0.71"
    assert shown["calls_a_minute"] == first["calls_a_minute"] + 2
    watching.send_signal(signal.SIGINT)
    done = ended(watching)
    assert (done.code, done.stderr) == (130, "")


def test_nothing_is_printed_where_nothing_changed(watching: subprocess.Popen[bytes]) -> None:
    next_frame(watching)
    watching.send_signal(signal.SIGTERM)
    done = ended(watching)
    assert (done.code, done.stdout, done.stderr) == (143, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
def test_a_terminal_is_given_back_as_it_was(filled: Database) -> None:
    """It draws on the other screen, and leaves it when it is told to end."""
    import pty

    leader, follower = pty.openpty()
    started = subprocess.Popen(
        [sys.executable, "-m", "model_orchestrator", "monitor"],
        stdin=subprocess.DEVNULL, stdout=follower, stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    try:
        while b"RunCompleted" not in shown:
            shown += os.read(leader, 65_536)
        started.send_signal(signal.SIGINT)
        code = started.wait(60)
        while b"\x1b[?1049l" not in shown:
            shown += os.read(leader, 65_536)
    finally:
        started.kill()
        started.communicate()
        os.close(leader)
    assert code == 130
    assert shown.index(b"\x1b[?1049h") < shown.index(b"RunCompleted") < shown.rindex(b"\x1b[?1049l")


def test_a_breaker_that_is_open_is_told() -> None:
    state = BreakerState(status=BreakerStatus.OPEN, failures=5, retry_at=Timestamp(1_795_000_000_000_000))
    assert f"{MINI}: breaker open until 2026-11-18T" in text_of(frame(breakers={MINI: state}))
    assert "No breaker is open" in text_of(frame())


@pytest.mark.parametrize("width", [20, 80, PIPED, 200])
def test_no_frame_is_wider_than_the_terminal_or_sends_it_commands(width: int) -> None:
    happened = Happened(7, Timestamp(1_795_000_000_000_000), "run-1", "CostIncurred", "\x1b[2J" + "long " * 60)
    text = text_of(frame(latest=(happened,)), width)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_terminal_of_ascii_gets_ascii() -> None:
    assert text_of(frame(), encoding="ascii").isascii()


def test_what_makes_no_sense_is_refused(database: Database) -> None:
    assert (
        command("monitor", "--interval", "0").complaint == "interval 0 is not possible: expected 0.05 to 3600 seconds"
    )
    if database.is_file:
        assert command("monitor", "--once").complaint.startswith("there is no run yet")
