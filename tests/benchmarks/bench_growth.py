"""How each cost grows with the log: `python -m tests.benchmarks.bench_growth [--write] [EVENTS ...]`.

Each log (10,000 to 1,000,000 events where no sizes are named) is made anew, in SQLite, and measured alone: appending,
a run, the questions of people, catching up, rebuilding, verifying, starting and memory. What must be flat is shown
against the smallest log. `--write` draws docs/images/growth-*.svg and puts the table into docs/growth.md.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path

from model_orchestrator.application.curve_chart import Axis, Curve, CurveChart, Unit, curve_svg
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.store.log_audit import verify_database
from tests.contracts.appends import appended, new_event, on_stream

from .append_load import PAYLOAD
from .bench_projections import months
from .bench_store import probe_disk
from .filled_log import fill

SIZES = (10_000, 100_000, 1_000_000)
EVENTS_A_RUN = 8.49
TIMES = 21  # of each measurement, the middle one counts
DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True, slots=True)
class Cost:
    """One kind of work; whether it must not depend on the size of the log, and how its figure is written."""

    name: str
    is_flat: bool
    form: str


COSTS = {
    "append": Cost("append of one event, ms", True, ".2f"),
    "run": Cost("a simulated run in the library, ms", True, ".1f"),
    "report": Cost("costs by category and month, ms", True, ".1f"),
    "list": Cost("the newest 20 runs, ms", True, ".1f"),
    "catch_up": Cost("catching up with 100 runs, ms", True, ".0f"),
    "start": Cost("`runs list --limit 1`, whole process, ms", True, ".0f"),
    "memory": Cost("its memory, MB", True, ".0f"),
    "rebuild_memory": Cost("memory of a rebuild, MB a process", True, ".0f"),
    "rebuild": Cost("rebuild of all read models, events a second", False, ",.0f"),
    "verify": Cost("`audit verify --quick`, events a second", False, ",.0f"),
    "bytes": Cost("bytes an event, log", False, ",.0f"),
    "view_bytes": Cost("bytes an event, read models", False, ",.0f"),
}
STARTER = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
Figures = dict[str, float]  # by the key of its cost


def middle(work: Callable[[], object], times: int = TIMES) -> float:
    """Milliseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def sound(url: str) -> None:
    """Raises RuntimeError where the log is not what was written."""
    if problems := verify_database(url).problems:
        raise RuntimeError(problems[0])


def process(*arguments: str) -> tuple[float, float]:
    """Seconds of a command, and the most memory that one of its processes had, in MB."""
    program = str(Path(sys.executable).parent / "model-orchestrator")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # Linux counts what a process was before it became another program, so one that is small starts it.
    said = subprocess.run(
        [sys.executable, "-S", "-c", STARTER, program, *arguments], env=environment, check=True, stdout=subprocess.PIPE
    )
    seconds, kilobytes = said.stdout.split()
    return float(seconds), int(kilobytes) / 1024


async def written(url: str) -> Figures:
    """What appending and running cost."""
    appends, runs = [], []
    async with Orchestrator(Settings.load(env={}, database_url=url, provider="simulated")) as orchestrator:
        for number in range(10 * TIMES):
            began = time.perf_counter()
            await appended(orchestrator.store, on_stream(f"grown-{number}", new_event(PAYLOAD)))
            appends.append(time.perf_counter() - began)
        for _ in range(3 * TIMES):
            began = time.perf_counter()
            await orchestrator.run("What is Python?")
            runs.append(time.perf_counter() - began)
    return {"append": 1000 * statistics.median(appends), "run": 1000 * statistics.median(runs)}


def asked(path: Path) -> Figures:
    """What questions cost, and being told of what is new."""
    models = StoredReadModels(f"sqlite:///{path}")
    models.catch_up()
    found = {
        "report": middle(lambda: models.costs(by=("category",), ranges=months(4))),
        "list": middle(lambda: list(models.runs(limit=20))),
    }
    caught = []
    for _ in range(5):
        fill(path, 100, days=1)
        began = time.perf_counter()
        models.catch_up()
        caught.append(time.perf_counter() - began)
    return found | {"catch_up": 1000 * statistics.median(caught)}


def measure(folder: Path, size: int) -> tuple[int, Figures]:
    """The events there were, and every figure."""
    path = folder / "grown.db"
    url = ("--database", f"sqlite:///{path}")
    events = fill(path, max(1, round(size / EVENTS_A_RUN)))
    found: Figures = {"bytes": path.stat().st_size / events}
    _, found["rebuild_memory"] = process("projections", "rebuild", *url)
    found["rebuild"] = 1000 * events / middle(StoredReadModels(url[1]).rebuild, times=1)
    found["view_bytes"] = path.with_name("grown.state.db").stat().st_size / events
    found["verify"] = 1000 * events / middle(lambda: sound(url[1]), times=3)
    starts = [process("runs", "list", "--limit", "1", *url) for _ in range(5)]
    found["start"] = 1000 * statistics.median(seconds for seconds, _ in starts)
    found["memory"] = max(memory for _, memory in starts)
    found |= asked(path)
    found |= asyncio.run(written(url[1]))
    return events, found


def table(logs: Sequence[tuple[int, Figures]]) -> list[str]:
    """Markdown, a line a cost."""
    heads = [f"{events:,} events" for events, _ in logs]
    lines = [f"| | {' | '.join(heads)} | last : first |", "| --- |" + " --- |" * (len(heads) + 1)]
    for key, cost in COSTS.items():
        figures = [found[key] for _, found in logs]
        cells = " | ".join(format(one, cost.form) for one in figures)
        lines.append(f"| {cost.name} | {cells} | {figures[-1] / figures[0]:.1f} |")
    return lines


def pictures(logs: Sequence[tuple[int, Figures]]) -> dict[str, str]:
    """By the name of the file."""
    x = Axis("events in the log, as a power of ten", Unit.GRADE)

    def curve(key: str, scale: float) -> Curve:
        name = COSTS[key].name.split(",")[0].replace("`", "")
        return Curve(name, [(round(log10(events), 2), found[key] / scale) for events, found in logs])

    first = logs[0][1]
    flat = [curve(key, first[key]) for key, cost in COSTS.items() if cost.is_flat]
    rates = [curve(key, 1000) for key in ("rebuild", "verify")]
    note = "each cost as a multiple of what it is on the smallest log"
    return {
        "growth-flat.svg": curve_svg(
            CurveChart("What does not grow with the log", note, x, Axis("times", Unit.GRADE), flat, ())
        ),
        "growth-rates.svg": curve_svg(
            CurveChart(
                "What goes through the whole log", "the time grows with the log, the rate must not",
                x, Axis("thousand events a second", Unit.GRADE), rates, (),
            )
        ),
    }  # fmt: skip


def put(lines: Sequence[str]) -> None:
    """The table into the page, between its marks."""
    page = DOCS / "growth.md"
    before, _, rest = page.read_text().partition("<!-- measured -->\n")
    _, _, after = rest.partition("<!-- /measured -->\n")
    page.write_text("\n".join((f"{before}<!-- measured -->", *lines, "<!-- /measured -->", after)))


def main(arguments: Sequence[str]) -> None:
    sizes = [int(one.replace("_", "")) for one in arguments if one != "--write"] or list(SIZES)
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores")
    logs: list[tuple[int, Figures]] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            if not logs:
                probe_disk(Path(folder))
            logs.append(measure(Path(folder), size))
        print(f"{logs[-1][0]:,} events measured, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print("\n".join(table(logs)))
    if "--write" in arguments:
        put(table(logs))
        for name, picture in pictures(logs).items():
            (DOCS / "images" / name).write_text(picture)


if __name__ == "__main__":
    main(sys.argv[1:])
