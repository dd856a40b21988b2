"""Every question of the read models has the same answer from a folder as from the log, to the last digit."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_orchestrator.application.cost_reports import CostQuestion, cost_report
from model_orchestrator.application.cost_stats import cost_stats
from model_orchestrator.application.dates import Calendar
from model_orchestrator.application.filters import parse_filters
from model_orchestrator.application.read_models import ReadModels
from model_orchestrator.domain.errors import InvalidRequest, StoreCorrupted
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.filters import CALL_FIELDS, MODEL_FIELDS, RUN_FIELDS, Condition
from model_orchestrator.domain.time_ranges import TimeRange
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.backtest_history import past_runs
from model_orchestrator.infrastructure.history.folder import open_folder
from model_orchestrator.infrastructure.history.folder_read_models import FolderReadModels
from model_orchestrator.infrastructure.history.folder_runs import FolderHistory
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from tests.contracts.store_process import ROOT, environment
from tests.generated_log import END, write_log
from tests.read_models import Event, logs

from .histories import commits, exported, label

NOW = Timestamp(int(END.timestamp()) * 1_000_000)
CALENDAR = Calendar(NOW, UTC)
SPANS = ((0, 2**62), (NOW - 200 * 86_400_000_000, NOW - 3 * 86_400_000_000 + 1), (5, 6))
TEXTS = (
    (),
    ("category = chat",),
    ('category = "code review"', "cost > 0.0001"),
    ("tag:team = core",),
    ("tag:team != core", "tag:customer ~ acme"),
    ("model in (gpt-4o, gpt-4o-mini)", "latency >= 1s"),
    ("cost = unknown",),
    ("category ~ ÄÖ",),
    ("status = lost",),
)
BY: tuple[tuple[str, ...], ...] = ((), ("model",), ("tag:team", "status"), ("purpose", "owner"), ("tag:a", "tag:team"))
COUNTED = ("category", "status", "cached_model", "owner")
Ask = Callable[[ReadModels], object]


def _conditions(texts: tuple[str, ...], fields: Any) -> tuple[Condition, ...]:
    return (parse_filters(texts, fields, CALENDAR),)


def _asking(method: str, *, listed: bool = False, **asked: Any) -> Ask:
    def ask(models: ReadModels) -> object:
        found = getattr(models, method)(**asked)
        return list(found) if listed else found

    return ask


def _questions() -> Iterator[tuple[str, Ask]]:
    for span in SPANS:
        for texts in TEXTS if span is SPANS[0] else TEXTS[:3]:
            name, calls = f"{span} {texts}", _conditions(texts, CALL_FIELDS)
            for by in BY if texts in ((), TEXTS[1]) else BY[:2]:
                yield f"costs {by} {name}", _asking("costs", by=by, ranges=(span, SPANS[0]), conditions=calls)
            yield f"attempts {name}", _asking("attempts", listed=True, span=span, conditions=calls)
            if any(text.startswith(("latency", "status = lost")) for text in texts):
                continue
            runs = _conditions(texts, RUN_FIELDS)
            yield f"runs {name}", _asking("runs", listed=True, span=span, conditions=runs)
            yield f"dearest {name}", _asking("dearest_runs", listed=True, limit=7, span=span, conditions=runs)
            yield f"usage {name}", _asking("observed_usage", bounds=(50, 500), span=span, conditions=runs)
            yield f"cached {name}", _asking("cached_answers", span=span, conditions=runs)
            if "cost" not in str(texts):
                models = _conditions(texts, MODEL_FIELDS)
                yield f"models {name}", _asking("model_stats", span=span, conditions=models)
        yield f"counts {span}", _asking("run_counts", by=COUNTED, ranges=(span,))
        for first in (True, False):
            yield f"first {first} {span}", _asking("runs", listed=True, span=span, limit=1, oldest_first=first)


QUESTIONS = dict(_questions())


def assert_same(url: str, folder: Path, questions: dict[str, Ask]) -> None:
    of_log, of_folder = StoredReadModels(url), FolderReadModels(open_folder(folder))
    for name, ask in questions.items():
        assert ask(of_folder) == ask(of_log), name


@pytest.mark.parametrize("seed", [1, 2])
def test_a_folder_answers_as_the_log_does(seed: int, tmp_path: Path) -> None:
    """Retries, lost and reconciled attempts, late outcomes, labels that came later, every kind of money."""
    url, folder = f"sqlite:///{tmp_path / 'runs.db'}", tmp_path / "history"
    write_log(url, runs=120, seed=seed, days=4)
    exported(url, folder, chunk=400)
    label(url, seed)
    exported(url, folder, chunk=10**6)
    found = {row.money: row for row in StoredReadModels(url).costs()}
    assert found.keys() == {str(money) for money in Money}
    assert any(row.status == "lost" and row.reconciled is not None for row in StoredReadModels(url).attempts())
    assert any(row.retry for row in StoredReadModels(url).attempts())
    assert_same(url, folder, QUESTIONS)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("split", ["daily", "weekly", "monthly"])
def test_reports_by_period_are_the_same(zone: str, split: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Over a year with both changes of the clocks, where days begin at other hours than partitions."""
    url, folder = _a_year(tmp_path_factory)
    question = CostQuestion(now=NOW, zone=ZoneInfo(zone), by=("model",), split=split)
    whole = CostQuestion(now=NOW, zone=ZoneInfo(zone), dates=TimeRange(Timestamp(NOW - 10**13)), by=("tag:team",))
    asked: dict[str, Ask] = {
        "report": lambda models: cost_report(models, question),
        "stats": lambda models: cost_stats(models, question, split),
        "with the time before": lambda models: cost_report(models, whole),
    }
    assert_same(url, folder, asked)


_made: dict[str, tuple[str, Path]] = {}


def _a_year(factory: pytest.TempPathFactory) -> tuple[str, Path]:
    if not _made:
        place = factory.mktemp("year")
        url = f"sqlite:///{place / 'runs.db'}"
        write_log(url, runs=40, seed=5)
        _made["it"] = url, exported(url, place / "history", chunk=10**6)
    return _made["it"]


@settings(max_examples=12)
@given(events=logs(), seed=st.integers(0, 2**32))
def test_facts_in_any_order_come_to_the_same(events: list[Event], seed: int) -> None:
    """Whatever contradicts, however late it comes, and wherever exports and chunks cut the log."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        url, folder = f"sqlite:///{place}/runs.db", Path(place) / "history"
        while events:
            cut = rng.randint(1, len(events))
            commits(url, events[:cut])
            exported(url, folder, chunk=rng.choice((1, 2, 5, 100)))
            events = events[cut:]
        few: dict[str, Ask] = {
            "attempts": lambda models: list(models.attempts()),
            "runs": lambda models: list(models.runs()),
            "costs": lambda models: models.costs(by=("model", "status", "tag:team")),
            "models": lambda models: models.model_stats(),
            "counts": lambda models: models.run_counts(by=("status", "cached_model")),
        }
        assert_same(url, folder, few)


def test_sums_beyond_64_bits_are_exact(tmp_path: Path) -> None:
    """Picodollars of a few large amounts pass 2**63; the last digit is still there."""
    from tests.read_models import of_category
    from tests.scenario import MINI, answered, asked, costed

    url = f"sqlite:///{tmp_path / 'runs.db'}"
    amount = "9000000.000000000001"
    for number in range(4):
        commits(
            url, [(f"run-{number}", one) for one in (of_category("chat"), asked(MINI), answered(1), costed(1, amount))]
        )
    models = FolderReadModels(open_folder(exported(url, tmp_path / "history")))
    (row,) = models.costs()
    assert row.cost == 4 * 9_000_000_000_000_000_001 > 2**63


@pytest.mark.parametrize("name", ["a*", "a?", "a[b]", "it's [!c]*"])
def test_a_folder_is_no_pattern(name: str, tmp_path: Path) -> None:
    """Beside one that its name would match, too."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    write_log(url, runs=3, seed=1, days=1)
    folder = exported(url, tmp_path / name)
    for other in ("ab", "it's d"):
        shutil.copytree(folder, tmp_path / other)
    assert list(FolderReadModels(open_folder(folder)).attempts()) == list(StoredReadModels(url).attempts())
    history = FolderHistory(open_folder(folder))
    played = [run for part in history.parts(None, None) for run in history.runs(part, None, None)]
    assert sorted(played, key=lambda run: run.id) == list(past_runs(url))


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_file_is_told(seed: int, tmp_path: Path) -> None:
    """In whatever words DuckDB says so."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    write_log(url, runs=3, seed=1, days=1)
    folder = exported(url, tmp_path / "history")
    for file in folder.glob("attempts/*/*.parquet"):
        data, rng = bytearray(file.read_bytes()), random.Random(seed)
        data[4 : len(data) // 2] = rng.randbytes(len(data) // 2 - 4)
        file.write_bytes(data)
    with pytest.raises(StoreCorrupted, match=r"a file cannot be read .*: export anew into an empty folder"):
        list(FolderReadModels(open_folder(folder)).attempts())


def test_settings_are_those_of_cursors_too(tmp_path: Path) -> None:
    """And no progress is printed among the rows, though a worker's process has no file that Python began with."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    write_log(url, runs=3, seed=1, days=1)
    program = (
        "import sys; from pathlib import Path; "
        "from model_orchestrator.infrastructure.history.duckdb_tables import history_tables; "
        "from model_orchestrator.infrastructure.history.folder import open_folder; "
        "from model_orchestrator.projections.projection import Names\n"
        "with history_tables(open_folder(Path(sys.argv[1])), Names(1, 0), Names(1, 0)) as tables:\n"
        "  asked = \"SELECT 7 / 2, current_setting('TimeZone'), current_setting('enable_progress_bar')\"\n"
        "  print(tables.execute(asked), list(tables.stream(asked)))"
    )
    command = [sys.executable, "-c", program, str(exported(url, tmp_path / "history"))]
    found = subprocess.run(command, cwd=ROOT, env={**environment(), "TZ": "Asia/Tokyo"}, capture_output=True, text=True)
    assert found.stdout.strip() == "[(3, 'UTC', False)] [(3, 'UTC', False)]", found.stderr


def test_what_a_folder_cannot_answer_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    write_log(url, runs=3, seed=1, days=1)
    models = FolderReadModels(open_folder(exported(url, tmp_path / "history")))
    with pytest.raises(InvalidRequest, match="holds no texts"):
        list(models.runs(conditions=_conditions(("text ~ python",), RUN_FIELDS)))
    with pytest.raises(InvalidRequest, match="as of the last export"):
        models.as_of(NOW)
    for ask in (models.status, models.metered):
        with pytest.raises(InvalidRequest):
            ask()
