"""How fast a history folder is asked: `python -m tests.benchmarks.bench_history [RUNS] [WITH_EVENTS]`.

A day of runs is written and exported as the product does it; further days are copies of its files with other ids, times
and positions, until there are RUNS (default 10,000,000). Of WITH_EVENTS runs (default 1,000,000), in a folder of their
own, the events are copied too, for the backtest; those of the others have the right number and no content, which no
report reads. Processor seconds are of all threads and processes, memory the most that one process took.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute as compute
import pyarrow.parquet as parquet

from model_orchestrator.application.cost_reports import CostQuestion, cost_report
from model_orchestrator.application.cost_stats import cost_stats
from model_orchestrator.domain.time_ranges import TimeRange
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.backtest import Asked
from model_orchestrator.infrastructure.history.exporting import export_history
from model_orchestrator.infrastructure.history.folder import Chunk, Folder, note_of, open_folder
from model_orchestrator.infrastructure.history.folder_backtest import backtest_folder
from model_orchestrator.infrastructure.history.folder_read_models import FolderReadModels
from model_orchestrator.infrastructure.history.layout import MARK, FileName, day_of
from model_orchestrator.infrastructure.history.schema import KINDS, Kind, arrow_schema
from model_orchestrator.infrastructure.settings import Settings

A_DAY = 27_000  # runs
DAY = 86_400_000_000
TIMES = ("run_at", "started_at", "outcome_at", "ended_at", "started", "occurred_at", "recorded_at")
POSITIONS = ("position", "stream_position", "upto")
IDS = {"run": 4, "stream": 4, "correlation_id": 4, "event_id": 0}  # where the uuid begins


def write(folder: Path) -> None:
    from tests.generated_log import write_log

    url = f"sqlite:///{folder / 'log.db'}"
    write_log(url, runs=A_DAY, seed=A_DAY, budgets=False, days=1, end=datetime(2025, 12, 31, 23, tzinfo=UTC))
    with _measured(f"export of a log of {A_DAY:,} runs"):
        export_history(url, folder / "base")


def multiply(base: Path, into: Path, runs: int, *, events: bool) -> None:
    """Copies of the base folder's chunks, a day apart."""
    whole = open_folder(base)
    into.mkdir()
    (into / MARK).write_bytes((base / MARK).read_bytes())
    chain, made, copy = "", 0, 0
    own = sum(
        parquet.read_metadata(file).num_rows for file in whole.files("runs") if file not in whole.late_files("runs")
    )
    while made < runs:
        for chunk in whole.chunks:
            chain = _copy_chunk(whole, chunk, into, copy, chain, events=events)
        made, copy = made + own, copy + 1
    print(f"{made:,} runs on {copy} days, {whole.last * copy:,} events, {_size(into) / 1e9:.2f} GB", flush=True)


def _copy_chunk(whole: Folder, chunk: Chunk, into: Path, copy: int, before: str, *, events: bool) -> str:
    offset, later = copy * whole.last, copy * DAY
    first, last = chunk.first + offset, chunk.last + offset
    files = {}
    for name, (rows, _) in chunk.files.items():
        known = FileName.of(name)
        assert known is not None
        day = _later_day(known.day, copy)
        to = str(FileName(first, last, known.kind, day, known.is_late))
        table = _moved(parquet.read_table(whole.path / name, partitioning=None), copy, offset, later)
        files[to] = (rows, _write(table, into / to, {}))
    chain = f"{chunk.chain[:-8]}{copy:08x}"
    copied = Chunk(
        schema=chunk.schema,
        first=first,
        last=last,
        day=_later_day(chunk.day, copy),
        began_at=chunk.began_at + later,
        ended_at=chunk.ended_at + later,
        before=before,
        chain=chain,
        goes_on=tuple(one + offset for one in chunk.goes_on),
        files=files,
    )
    table = parquet.read_table(whole.path / chunk.events, partitioning=None) if events else _empty(last - first + 1)
    _write(_moved(table, copy, offset, later) if events else table, into / copied.events, note_of(copied))
    return chain


def _moved(table: Any, copy: int, offset: int, later: int) -> Any:
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if field.name in POSITIONS:
            column = compute.add(column, offset)
        elif field.name in TIMES:
            shift = pyarrow.scalar(later, pyarrow.int64())
            column = compute.add(column.cast(pyarrow.int64()), shift).cast(field.type)
        elif field.name in IDS:
            start = IDS[field.name]
            column = compute.utf8_replace_slice(column, start, start + 8, f"{copy:08x}")
        table = table.set_column(index, field, column)
    return table


def _empty(rows: int) -> Any:
    """Events without content."""
    zero = {Kind.TEXT: "", Kind.INTEGER: 0, Kind.TIME: 0, Kind.HASH: b""}
    schema = arrow_schema(KINDS["events"])
    arrays = [
        pyarrow.repeat(pyarrow.scalar(zero[column.kind], field.type), rows)
        for column, field in zip(KINDS["events"], schema, strict=True)
    ]
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def _write(table: Any, path: Path, notes: Any) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with parquet.ParquetWriter(path, table.schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(table)
        if notes:
            writer.add_key_value_metadata(dict(notes))
    return path.stat().st_size


def _later_day(day: str, copy: int) -> str:
    return day_of(int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000 + copy * DAY)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


# ---- measuring: each step is a process of its own ----------------------------------------------------------------


class _measured:
    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._began, self._worked = time.perf_counter(), _processors()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._began
        worked = _processors() - self._worked
        memory = max(one.ru_maxrss for one in _used()) / 1024
        load = os.getloadavg()[0]
        print(
            f"{self._what}: {seconds:.1f} s, {worked:.1f} s of processors, {memory:.0f} MB, load {load:.1f}", flush=True
        )


def _processors() -> float:
    """Seconds of them that this process and its children took."""
    return sum(one.ru_utime + one.ru_stime for one in _used())


def _used() -> list[resource.struct_rusage]:
    return [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def _question(**asked: Any) -> CostQuestion:
    now = Timestamp(int(datetime(2027, 1, 10, tzinfo=UTC).timestamp()) * 1_000_000)
    return CostQuestion(now=now, zone=UTC, dates=TimeRange(), **asked)


REPORTS: dict[str, Callable[[FolderReadModels], object]] = {
    "costs report --by model": lambda models: cost_report(models, _question(by=("model",))),
    "costs report --by tag:team,category": lambda models: cost_report(models, _question(by=("tag:team", "category"))),
    "costs report --period weekly": lambda models: cost_report(models, _question(split="weekly")),
    "costs stats --period daily": lambda models: cost_stats(models, _question(), "daily"),
    "models stats": lambda models: models.model_stats(),
}


def report(folder: Path, name: str) -> None:
    with _measured(name):
        assert REPORTS[name](FolderReadModels(open_folder(folder)))


def backtest(folder: Path) -> None:
    settings = Settings.load(None, env={"MODEL_ORCHESTRATOR_CATALOGUE": "seed"})
    with _measured("backtest of two policies"):
        found = backtest_folder(settings, open_folder(folder), [Asked.of("heuristic"), Asked.of("heuristic:fallback")])
    print(f"{sum(one.policies[0].counts['runs'] for one in found):,} runs")


def main() -> None:
    match sys.argv[1:]:
        case ["write", folder]:
            write(Path(folder))
        case ["multiply", base, into, runs, events]:
            multiply(Path(base), Path(into), int(runs), events=events == "events")
        case ["report", folder, name]:
            report(Path(folder), name)
        case ["backtest", folder]:
            backtest(Path(folder))
        case given:
            many = int(given[0]) if given else 10_000_000
            with_events = int(given[1]) if len(given) > 1 else 1_000_000
            with tempfile.TemporaryDirectory() as place:
                compare(Path(place), many, with_events)


def compare(folder: Path, runs: int, with_events: int) -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores", flush=True)
    base, flat, full = str(folder / "base"), str(folder / "flat"), str(folder / "full")
    _step("write", str(folder))
    _step("multiply", base, flat, str(runs), "rows")
    for name in REPORTS:
        _step("report", flat, name)
    _step("multiply", base, full, str(with_events), "events")
    _step("backtest", full)


def _step(*words: str) -> None:
    subprocess.run([sys.executable, "-m", __spec__.name, *words], check=True)


if __name__ == "__main__":
    main()
