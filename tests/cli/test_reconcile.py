"""`costs reconcile`: a provider's export against our calls, on both databases."""

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.events import Evidence
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels

from ..contracts.read_models import add
from ..database import Database
from ..read_models import completed, of_category, reconciled, run_failed
from ..scenario import HAIKU, MINI, answered, asked, costed, failed, lost
from .command import Done, command


@pytest.fixture
def calls(database: Database) -> Database:
    """Two priced answers, a refused call, two lost ones, and a simulated answer."""
    chat, first = of_category("chat"), replace(answered(1), provider_request_id="req_1")
    add(url(database), "run-1", chat, asked(MINI), first, costed(1, "0.01"), completed())
    second = replace(answered(1), provider_request_id="req_2")
    add(url(database), "run-2", chat, asked(MINI), second, costed(1, "0.02"), completed())
    add(url(database), "run-3", chat, asked(HAIKU), failed(1), asked(HAIKU, 2), lost(2), run_failed())
    gone = replace(lost(1), provider_request_id="req_4")
    add(url(database), "run-4", chat, asked("gpt-4o"), gone, run_failed())
    simulated = replace(answered(1), provider_request_id="req_5")
    add(url(database), "run-5", of_category("chat", provider="simulated"), asked(MINI), simulated, completed())
    return database


def url(database: Database) -> str:
    return f"sqlite:///{Path('runs.db').resolve()}" if database.is_file else database.url


def at(database: Database, run: str, number: int = 1, seconds: float = 0) -> str:
    """When an attempt began, give or take."""
    models = StoredReadModels(url(database))
    (row,) = [one for one in models.attempts() if (one.run, one.number) == (run, number)]
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.started_at, seconds=seconds)
    return moment.isoformat()


def export(*rows: dict[str, Any], name: str = "usage.jsonl") -> str:
    Path(name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return name


def reconcile(*arguments: str) -> Any:
    done = command("costs", "reconcile", *arguments, "--json")
    assert done.code == 0, done
    return done.document


def pairs(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["line"], row["attempt"], row["by"], row["difference"]) for row in rows]


def test_request_ids_match_and_differences_are_exact(calls: Database) -> None:
    """A line more for the same call is double; simulated calls are nobody's bill."""
    file = export(
        {"id": "req_2", "cost": 0.02},
        {"request_id": "req_1", "cost_usd": "$0.010000000001"},
        {"request_id": "req_1", "cost_usd": "0.01"},
        {"request_id": "req_5", "cost": "1"},
    )
    done = reconcile(file)
    assert pairs(done["matched"]) == [(1, "run-2:1", "id", "0"), (2, "run-1:1", "id", "0.000000000001")]
    assert pairs(done["mispriced"]) == [(2, "run-1:1", "id", "0.000000000001")]
    assert pairs(done["double"]) == [(3, "run-1:1", "id", "0")]
    assert [(row["line"], row["why"]) for row in done["unmatched"]["theirs"]] == [(4, "there is no such call")]
    assert done["lines"] == 4


def test_time_and_model_match_where_only_one_call_can_be_meant(calls: Database) -> None:
    """Columns of another exporter, times in UTC without a zone, dated and vendor's names of a model."""
    moment = at(calls, "run-3", 2, seconds=20)[:19]
    with Path("usage.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("Timestamp", "Model", "Prompt Tokens", "Cost (USD)", "Cost"))
        rows.writerow((moment, "claude-3-5-haiku-20241022", "12", "", "0.003"))
        rows.writerow((moment, "openai/gpt-4o-2024-08-06", "12", "", "0.004"))
        rows.writerow((moment, "gpt-4o-mini", "99999", "", "0.5"))
        rows.writerow((at(calls, "run-1", seconds=7200), "gpt-4o", "", "", "0.1"))
    done = reconcile("usage.csv")
    matched = [(row["line"], row["attempt"], row["by"], row["theirs"]) for row in done["matched"]]
    assert matched == [(2, "run-3:2", "time", "0.003"), (3, "run-4:1", "time", "0.004")]
    assert [(row["line"], row["why"]) for row in done["unmatched"]["theirs"]] == [
        (4, "there is no such call"),
        (5, "there is no such call"),
    ]


def test_ours_only_are_the_calls_of_the_exports_time(calls: Database) -> None:
    """A refused call is on no bill, and need not be."""
    done = reconcile(export({"id": "req_1", "time": at(calls, "run-1"), "cost": "0.01"}))
    ours = [(row["attempt"], row["status"], row["cost"]) for row in done["unmatched"]["ours"]]
    assert ours == [("run-2:1", "answered", "0.02"), ("run-3:2", "lost", None), ("run-4:1", "lost", None)]
    far = reconcile(export({"id": "x", "time": "2001-01-01T00:00:00Z", "cost": "0.01"}))
    assert far["unmatched"]["ours"] == []
    other = reconcile(export({"id": "req_1", "time": at(calls, "run-1")}), "--provider", "anthropic")
    assert {row["attempt"] for row in other["unmatched"]["ours"]} <= {"run-3:2"}


def test_apply_settles_lost_calls_once(calls: Database) -> None:
    """By request id and by time; what was assumed is found out; a second run finds nothing to do."""
    command("budgets", "set", "global", "5", "--period", "total")
    add(url(calls), "run-6", of_category("chat"), asked("gpt-4"), lost(1), reconciled(1, "0.9", Evidence.ASSUMED))
    file = export(
        {"id": "req_4", "time": at(calls, "run-4"), "model": "gpt-4o", "cost": "0.004"},
        {"id": "req_4", "time": at(calls, "run-4"), "model": "gpt-4o", "cost": "0.004"},
        {"created": at(calls, "run-6"), "model": "gpt-4", "input_tokens": 12, "cost": "0.5"},
    )
    before = calls.count("events")
    planned = reconcile(file)
    assert pairs(planned["to_settle"]) == [(1, "run-4:1", "id", None), (3, "run-6:1", "time", "-0.4")]
    assert (planned["settled"], planned["mispriced"], calls.count("events")) == ([], [], before)
    done = reconcile(file, "--apply", "--by", "finance")
    assert [row["attempt"] for row in done["settled"]] == ["run-4:1", "run-6:1"]
    assert (done["to_settle"], pairs(done["double"])) == ([], [(2, "run-4:1", "id", None)])
    rows = {row["id"]: row for row in command("attempts", "list", "--json").document}
    assert (rows["run-4:1"]["cost"], rows["run-4:1"]["evidence"]) == ("0.004", "reconciled")
    assert (rows["run-6:1"]["cost"], rows["run-6:1"]["evidence"]) == ("0.5", "reconciled")
    assert (
        calls.count("events", "payload::text LIKE '%finance%'" if not calls.is_file else "payload LIKE '%finance%'")
        == 2
    )
    events = calls.count("events")
    again = reconcile(file, "--apply")
    assert (again["settled"], again["to_settle"], again["mispriced"]) == ([], [], [])
    assert pairs(again["matched"]) == [(1, "run-4:1", "id", "0"), (3, "run-6:1", "time", "0")]
    assert calls.count("events") == events
    assert command("audit", "verify").code == 0


def test_two_calls_or_two_lines_are_not_guessed(calls: Database) -> None:
    add(url(calls), "run-6", of_category("chat"), asked("gpt-4"), lost(1))
    one = {"time": at(calls, "run-6"), "model": "gpt-4", "cost": "0.5"}
    done = reconcile(export(one, one), "--apply")
    assert {row["why"] for row in done["unmatched"]["theirs"]} == {"several lines could be the one call"}
    add(url(calls), "run-7", of_category("chat"), asked("gpt-4"), lost(1))
    done = reconcile(export(one), "--apply")
    assert [row["why"] for row in done["unmatched"]["theirs"]] == ["2 calls could be it"]
    assert done["settled"] == []
    late = {**one, "time": at(calls, "run-7", seconds=7200)}
    assert [row["why"] for row in reconcile(export(late))["unmatched"]["theirs"]] == ["there is no such call"]


def test_bad_lines_are_named_and_the_rest_goes_on(calls: Database) -> None:
    Path("usage.jsonl").write_text(
        '{"id": "req_1", "cost": "0.01"}\n\n[]\n{"id": "req_2", "cost": "free"}\n{"id": "req_2", "cost": 1e-13}\n'
        '{"cost": 1}\n{"id": "x", "time": "2026-11-24"}\n{"id": "x", "input_tokens": -1}\n{\n'
        '{"id": "req_2", "cost": 0.02}'
    )
    done = command("costs", "reconcile", "usage.jsonl", "--json")
    assert done.code == 1
    bad = {row["line"]: row["message"] for row in done.document["bad_lines"]}
    assert list(bad) == [3, 4, 5, 6, 7, 8, 9]
    assert bad[4] == "cost: expected USD, 0 or more, such as 0.0042, got 'free'"
    assert "finer than a picodollar" in bad[5]
    assert [row["attempt"] for row in done.document["matched"]] == ["run-1:1", "run-2:1"]
    told = command("costs", "reconcile", "usage.jsonl")
    assert "line 3: it is not a JSON object" in told.stderr
    assert told.stdout.startswith("2 matched: 2 by request id")


def test_the_text_has_every_finding(calls: Database) -> None:
    lost_at = at(calls, "run-4")
    file = export(
        {"id": "req_1", "cost": "1", "time": lost_at},
        {"id": "req_1", "cost": "1"},
        {"id": "no", "cost": "1"},
        {"id": "req_4", "cost": "2"},
    )
    told: Done = command("costs", "reconcile", file)
    for title in ("mispriced: 1", "double in the export: 1", "in the export only: 1", "ours only: 2"):
        assert title in told.stdout, told.stdout
    assert "lost calls that --apply settles: 1" in told.stdout
    assert "lost calls settled: 1" in command("costs", "reconcile", file, "--apply").stdout


@pytest.mark.parametrize(
    ("name", "text", "arguments", "complaint"),
    [
        ("none.jsonl", None, (), "cannot read none.jsonl"),
        ("a.csv", "day,total\n", (), "expected a column request_id, or time and model"),
        ("a.jsonl", "", ("--tolerance", "soon"), "--tolerance"),
        ("a.jsonl", "", ("--provider", "acme"), "expected anthropic or openai"),
        ("a.jsonl", "", ("--by", ""), "by"),
    ],
)
def test_misuse_is_one_line(
    calls: Database, name: str, text: str | None, arguments: tuple[str, ...], complaint: str
) -> None:
    if text is not None:
        Path(name).write_text(text)
    done = command("costs", "reconcile", name, *arguments)
    assert (done.code, complaint in done.complaint) == (2, True), done
