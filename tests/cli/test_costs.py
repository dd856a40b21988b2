"""`costs` and `runs list` over a generated log, against what is true of it."""

from __future__ import annotations

import csv
import io
import json
from base64 import b64encode
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from model_orchestrator.domain.events import Money
from tests.generated_log import TrueAttempt, TrueLog, TrueRun, write_log

from .command import Done, command

RUNS = 400
BERLIN = ZoneInfo("Europe/Berlin")
KINDS = ("real", "simulated", "recorded")


@dataclass(frozen=True)
class Written:
    """A database with a generated log, and what is true of it."""

    url: str
    truth: TrueLog

    def command(self, *arguments: str) -> Done:
        return command(*arguments, "--database", self.url)

    def report(self, *arguments: str) -> Any:
        done = self.command("costs", "report", "--json", *arguments)
        assert done.code == 0, done
        return done.document

    def started(self, attempt: TrueAttempt) -> datetime:
        return next(one.started_at for one in self.truth.runs if one.run == attempt.run)


@pytest.fixture(params=["sqlite", "postgresql"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    url = f"sqlite:///{tmp_path / 'log.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return Written(url, write_log(url, runs=RUNS, seed=5, texts=True))


@pytest.fixture
def log(tmp_path: Path) -> Written:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    return Written(url, write_log(url, runs=60, seed=5, days=40, texts=True))


Key = Callable[[TrueAttempt, datetime], Hashable]
GROUPS: list[tuple[tuple[str, ...], Key]] = [
    (("--by", "model"), lambda one, at: one.model),
    (("--by", "category"), lambda one, at: one.category),
    (("--by", "strategy,provider"), lambda one, at: (one.strategy, one.provider)),
    (("--by", "tag:team"), lambda one, at: one.tags.get("team")),
    (("--by", "tag:team,tag:customer"), lambda one, at: (one.tags.get("team"), one.tags.get("customer"))),
    (("--period", "daily"), lambda one, at: f"{at.astimezone(UTC):%Y-%m-%d}"),
    (("--period", "daily", "--tz", "Europe/Berlin"), lambda one, at: f"{at.astimezone(BERLIN):%Y-%m-%d}"),
    (
        ("--period", "monthly", "--tz", "Asia/Kolkata"),
        lambda one, at: f"{at.astimezone(ZoneInfo('Asia/Kolkata')):%Y-%m}",
    ),
    (("--period", "weekly", "--by", "model"), lambda one, at: (f"{at.astimezone(UTC):%G-W%V}", one.model)),
]


def test_reports_come_to_what_is_true(written: Written) -> None:
    """By every group and in every zone, each kind of money apart, to the last digit."""
    began = {one.run: one.started_at for one in written.truth.runs}
    for arguments, key in GROUPS:
        found = written.report(*arguments)
        true: dict[tuple[Money, Hashable], tuple[Decimal, int]] = {}
        for one in written.truth.attempts:
            cost, calls = true.get((one.money, key(one, began[one.run])), (Decimal(0), 0))
            true[one.money, key(one, began[one.run])] = cost + (one.amount or 0), calls + 1
        shown = {}
        for money in Money:
            assert Decimal(found[money]["total"]) == sum(Decimal(row["cost"]) for row in found[money]["rows"])
            for row in found[money]["rows"]:
                labels = tuple(row.values())[:-4]
                shown[money, labels[0] if len(labels) == 1 else labels] = Decimal(row["cost"]), row["calls"]
        assert shown == true, arguments


def test_the_list_of_runs_comes_to_the_report(written: Written) -> None:
    """All rows, newest first, with what is true of each; the sums of what is known are the report's totals."""
    rows = written.command("runs", "list", "--json").document
    assert {row["run_id"]: told(row) for row in rows} == {one.run: true_of(one) for one in written.truth.runs}
    report = written.report()
    for kind in KINDS:
        known = sum(Decimal(row["known_cost"]) for row in rows if row["money"] == kind)
        assert known == Decimal(report[kind]["total"])
    assert all(row["cost"] in (None, row["known_cost"]) for row in rows)
    listed = list(csv.DictReader(io.StringIO(written.command("runs", "list", "--csv").stdout)))
    assert [row["run_id"] for row in listed] == [row["run_id"] for row in rows]
    assert [row["cost"] or None for row in listed] == [row["cost"] for row in rows]


def told(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["status"], row["strategy"], row["category"], row["cost"] and Decimal(row["cost"])


def true_of(run: TrueRun) -> tuple[Any, ...]:
    return run.status.value, run.strategy, run.category, run.cost


def test_runs_are_found_by_what_is_true_of_them(written: Written) -> None:
    """Dates by a zone's clocks, conditions, and words of a request."""
    day = date(2026, 3, 1)
    cases: list[tuple[list[str], Callable[[TrueRun], bool]]] = [
        (["--where", "cost > 0.01"], lambda one: one.cost is not None and one.cost > Decimal("0.01")),
        (["--where", "cost = unknown"], lambda one: one.cost is None),
        (["--where", "tag:team != core"], lambda one: one.tags.get("team") != "core"),
        (["--where", 'tag:customer in ("ACME, Inc.")', "--where", "category = chat"], lambda one: acme_chat(one)),
        (
            ["--since", "2026-03-01", "--tz", "Europe/Berlin"],
            lambda one: one.started_at.astimezone(BERLIN).date() >= day,
        ),
        (["--until", "2026-03"], lambda one: one.started_at < datetime(2026, 4, 1, tzinfo=UTC)),
        (["--where", "status = failed", "--where", "money = real"], lambda one: failed_live(one)),
    ]
    for arguments, true in cases:
        rows = written.command("runs", "list", "--json", *arguments).document
        assert {row["run_id"] for row in rows} == {one.run for one in written.truth.runs if true(one)}, arguments


def acme_chat(run: TrueRun) -> bool:
    return run.tags.get("customer") == "ACME, Inc." and run.category == "chat"


def failed_live(run: TrueRun) -> bool:
    return run.status.value == "failed" and run.money is Money.REAL


def test_words_are_found_in_requests_and_answers(written: Written) -> None:
    """In any case, all of them in one text; what is erased is not found any more."""
    prompts = {row["run_id"]: row for row in written.command("runs", "list", "--json").document}
    found = written.command("runs", "list", "--json", "--where", "text ~ 'GraphQL compare'").document
    some = [row["run_id"] for row in found]
    assert 0 < len(some) < len(prompts)
    for run_id in some[:3]:
        assert "GraphQL" in written.command("runs", "show", run_id, "--json").document["prompt"]
    for word in ("parameters", "parts", '"role'):  # of the form only
        assert written.command("runs", "list", "--json", "--where", f"text ~ '{word}'").document == []
    assert written.command("privacy", "erase", some[0]).code == 0
    left = written.command("runs", "list", "--json", "--where", "text ~ 'compare graphql'").document
    assert [row["run_id"] for row in left] == some[1:]


def test_encrypted_texts_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear line, and the way of misuse."""
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", f"sqlite:///{tmp_path / 'runs.db'}")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_CONTENT_KEY", b64encode(bytes(32)).decode())
    assert command("run", "hello").code == 0
    done = command("runs", "list", "--where", "text ~ hello")
    assert (done.code, done.complaint) == (2, "texts of this database are encrypted, and cannot be searched")


def test_statistics_are_those_of_the_calls(written: Written) -> None:
    """Calls and money of each day; every kind of money apart."""
    found = written.command("costs", "stats", "--period", "daily", "--json").document
    for money in Money:
        attempts = [one for one in written.truth.attempts if one.money is money]
        total = found[money]["total"]
        assert (total["calls"], Decimal(total["cost"])) == (len(attempts), sum(one.amount or 0 for one in attempts))
        assert sum(row["calls"] for row in found[money]["rows"]) == len(attempts)
        assert 0 < float(total["confidence"]) < 1
        assert float(total["latency"]) > 0


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_an_export_has_every_call(written: Written, tmp_path: Path, format: str) -> None:
    """With its cost to the last digit, into a file or stdout."""
    path = tmp_path / "calls.out"
    asked = ("costs", "export", "--format", format, "--category", "chat")
    assert written.command(*asked, "--output", str(path)).code == 0
    text = path.read_bytes().decode()
    assert written.command(*asked).stdout == text
    if format == "csv":
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
    else:
        rows = json.loads(text) if format == "json" else [json.loads(line) for line in text.splitlines()]
    true = {(one.run, str(one.attempt)): one for one in written.truth.attempts if one.category == "chat"}
    assert {(row["run_id"], str(row["attempt"])) for row in rows} == set(true)
    for row in rows:
        one = true[row["run_id"], str(row["attempt"])]
        assert (row["model"], row["status"], row["money"]) == (one.model, one.status, one.money)
        assert (Decimal(row["cost"]) if row["cost"] else None) == one.amount
    assert list(tmp_path.glob("*.part")) == []


def test_a_report_compares_with_the_time_before(log: Written) -> None:
    """Of the whole, and of each period with the one before it."""
    november, october = (
        log.report("--since", "2026-11", "--until", "2026-11"),
        log.report("--since", "2026-10", "--until", "2026-10"),
    )
    for kind in KINDS:
        assert november[kind]["before"] == october[kind]["total"] or not november[kind]["rows"]
    months = log.report("--period", "monthly", "--since", "2026-11", "--until", "2026-11")
    assert [row["before"] for row in months["real"]["rows"]] == [october["real"]["total"]]
    days = ("--since", "2026-11-05", "--until", "2026-11-12")
    assert log.report("--period", "monthly", *days)["real"]["total"] == log.report(*days)["real"]["total"]
    text = log.command("costs", "report", "--since", "2026-11", "--until", "2026-11").stdout
    assert text.startswith("Costs from 2026-11-01 to 2026-12-01 (UTC); change against 2026-10-01 to 2026-11-01")
    assert "\nReal money\n" in text
    assert "\nSimulated: nobody paid this\n" in text


def test_as_of_a_moment_later_runs_are_not_there(log: Written) -> None:
    """The log as it was."""
    half = log.truth.runs[30].started_at
    earlier = [one for one in log.truth.runs if one.started_at <= half]
    rows = log.report("--as-of", half.isoformat(), "--by", "category")
    names = {row["category"] for kind in KINDS for row in rows[kind]["rows"]}
    assert names <= {one.category for one in earlier}
    assert sum(Decimal(rows[kind]["total"]) for kind in KINDS) < sum(
        Decimal(log.report()[kind]["total"]) for kind in KINDS
    )


def test_the_picture_is_drawn(log: Written, tmp_path: Path) -> None:
    """An SVG is of one kind of money, a page has all."""
    svg, page = tmp_path / "costs.svg", tmp_path / "costs.html"
    done = log.command("costs", "report", "--period", "weekly", "--chart", str(svg))
    assert "only of the first kind of money (Real money" in done.stderr
    assert ElementTree.fromstring(svg.read_text()).tag.endswith("svg")
    assert log.command("costs", "report", "--chart", str(page)).code == 0
    assert page.read_text().count("<svg") == 3
    assert log.command("costs", "report", "--chart", "costs.pdf").complaint.startswith("chart 'costs.pdf': expected")


def test_csv_has_the_rows_of_every_kind(log: Written) -> None:
    """One table with the kind of money in front."""
    rows = list(csv.DictReader(io.StringIO(log.command("costs", "report", "--csv", "--by", "category").stdout)))
    report = log.report("--by", "category")
    assert [(row["money"], row["category"], row["cost"]) for row in rows] == [
        (kind, row["category"], row["cost"]) for kind in KINDS for row in report[kind]["rows"]
    ]
    stats = list(csv.DictReader(io.StringIO(log.command("costs", "stats", "--csv").stdout)))
    assert list(stats[0])[:3] == ["money", "period", "calls"]


def test_without_a_log_that_is_said(tmp_path: Path) -> None:
    """A clear line, empty data, and no file is made."""
    nowhere = Written(f"sqlite:///{tmp_path / 'none.db'}", TrueLog())
    done = nowhere.command("costs", "report")
    assert (done.code, done.stdout) == (0, "")
    assert "there is no run yet" in done.stderr
    assert nowhere.report() == {kind: {"total": "0", "before": None, "rows": []} for kind in KINDS}
    assert nowhere.command("costs", "export", "--format", "json").document == []
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--period", "dayly"), "period 'dayly' is not possible: expected daily, weekly, monthly; did you mean daily?"),
        (("--by", "modle"), "by 'modle' is not possible; did you mean model?"),
        (("--where", "attempts > 3"), "filter 'attempts > 3': there is no field 'attempts'"),
        (("--where", "text ~ hi"), "filter 'text ~ hi': there is no field 'text'"),
        (("--tz", "Europe/Berln"), "time zone 'Europe/Berln' is not known"),
        (("--since", "2026-11", "--until", "2026-10"), "range '2026-11..2026-10' is empty"),
    ],
)
def test_misuse_is_told(log: Written, arguments: tuple[str, ...], says: str) -> None:
    """What is wrong and what was meant; a filter that the report cannot answer is refused."""
    done = log.command("costs", "report", *arguments)
    assert done.code == 2
    assert done.complaint.startswith(says)
