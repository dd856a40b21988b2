"""`budgets`: set, listed, shown, removed, on both databases; what is off is refused in a line, and nothing written."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.balance_audit import balance_problems
from model_orchestrator.domain.events import BudgetDefined, CostIncurred
from model_orchestrator.domain.units import Usd, picodollars, plain
from model_orchestrator.infrastructure.bootstrap import Orchestrator

from .command import Done, command

SCOPES = {
    "global": "month",
    "category:chat": "day",
    "tag:team=a": "week",
    "model:gpt-4o-mini": "total",
}
SIMULATED = ("--provider", "simulated")


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of each kind."""
    if request.param == "postgresql":
        monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", request.getfixturevalue("postgres_url"))


def budgets(*words: str) -> Any:
    """The JSON of a command that succeeds."""
    done = command("budgets", *words, "--json")
    assert done.code == 0, done
    return done.document


def ask(*words: str) -> Done:
    return command("run", "hi there", *SIMULATED, "--category", "chat", "--tag", "team=a", *words, "--json")


def verified() -> list[str]:
    async def verify() -> list[str]:
        async with Orchestrator() as orchestrator:
            return await balance_problems(orchestrator.store, orchestrator.log)

    return asyncio.run(verify())


@pytest.mark.usefixtures("database")
def test_several_scopes_from_the_first_setting_to_the_last_removal() -> None:
    """Each counts what was spent before it and after it, to the last digit."""
    before = Decimal(ask().document["cost"])
    for scope, period in SCOPES.items():
        set_ = budgets("set", scope, "1", "--period", period, "--alert", "90,50")
        assert (set_["limit"], set_["alerts"], set_["told"]) == ("1", [50, 90], [])
        assert [one["spent"] for one in set_["balances"]] == [plain(before)]
    spent = plain(before + Decimal(ask().document["cost"]))
    listed = {one["scope"]: one for one in budgets("list")}
    assert {scope: one["period"] for scope, one in listed.items()} == SCOPES
    for scope, period in SCOPES.items():
        (balance,) = listed[scope]["balances"]
        left = plain(Decimal(1) - Decimal(spent))
        assert balance | {"period": ""} == {
            "period": "",
            "money": "simulated",
            "held": "0",
            "spent": spent,
            "left": left,
        }
        assert budgets("show", scope) == budgets("show", scope, "--period", period)
        assert budgets("show", scope) == [listed[scope]]
        assert (listed[scope]["alerts"], listed[scope]["told"]) == ([50, 90], [])
    low = {scope: budgets("set", scope, spent, "--period", SCOPES[scope]) for scope in SCOPES}
    assert [(one["percent"], one["spent"]) for one in low["global"]["told"]] == [(50, spent), (90, spent)]
    assert low["global"]["alerts"] == [50, 90]
    assert {one["scope"]: one["told"] for one in budgets("list")} == {scope: one["told"] for scope, one in low.items()}
    error = ask().error
    assert [one["scope"] for one in error["budgets"]] == [
        "category:chat",
        "global",
        "tag:team=a",
    ]  # another model is free
    for one in error["budgets"]:
        budgets("set", one["scope"], one["would_fit"], "--period", one["period"])
    assert ask().code == 0
    for scope, period in SCOPES.items():
        removed = {"scope": scope, "period": period, "removed": True}
        assert budgets("remove", scope, "--period", period) == removed
        history = [one["type"] for one in budgets("history", scope)]
        assert (history[0], history[-1]) == ("BudgetDefined", "BudgetRemoved")
        assert "BudgetAlerted" in history
        assert command("budgets", "show", scope).complaint.startswith(f"there is no budget {scope}: ")
    assert budgets("list") == []
    whole = budgets("history")
    assert {one["actor"] for one in whole} == {"local"}
    assert whole == sorted(whole, key=lambda one: str(one["recorded_at"]))
    assert [one["scope"] for one in budgets("history", "--period", "week")] == ["tag:team=a"] * len(
        budgets("history", "tag:team=a")
    )
    assert verified() == []


def test_people_read_the_same_figures() -> None:
    """Talk on stderr, tables on stdout."""
    cost = ask().document["cost"]
    done = command("budgets", "set", "global", "5", "--period", "total", "--alert", "1")
    assert (done.stdout, done.stderr) == (
        "",
        f"global may spend $5 (total)\nin total it has spent ${cost} (simulated) so far\n",
    )
    command("budgets", "set", "global", cost, "--period", "total")
    assert command("budgets", "show", "global").stdout == (
        f"global (total)\nlimit   ${cost}\nalerts  1 %\ntold    1 % in total: ${cost} of ${cost} (simulated)\n"
        f"period  money      held  spent      left\ntotal   simulated  0     {cost}  0\n"
    )
    assert command("budgets", "list").stdout.splitlines()[1].split() == [
        *("global", "total", cost, "simulated", "0", cost, "0")
    ]
    done = command("budgets", "remove", "global", "--period", "total")
    assert (done.stdout, done.stderr) == ("", "global (total) has no budget any more\n")
    says = [line.split("  ")[-1].strip() for line in command("budgets", "history").stdout.splitlines()[1:]]
    assert says == [
        f"set to $5, alerts 1 %; ${cost} (simulated) spent before",
        f"changed to ${cost}, alerts 1 %",
        f"passed 1 % in total: ${cost} of ${cost} (simulated)",
        "removed",
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["global", "9000000.000000000001"],
            "budget 9000000.000000000001 is not possible: expected US dollars above 0",
        ),
        (["global", "1e400"], "budget 1e400 is not possible"),
        (["global", "-5"], "budget -5 is not possible"),
        (["global", "NaN"], "budget NaN is not possible"),
        (["global", "inf"], "budget inf is not possible"),
        (["global", "0"], "budget 0 is not possible: expected US dollars above 0"),
        (["global", "-0.0"], "budget -0.0 is not possible"),
        (["global", "0.0000000000001"], "budget 0.0000000000001 is not possible"),
        (["global", "abc"], "budget 'abc' is not an amount of US dollars"),
        (["global", ""], "budget '' is not an amount of US dollars"),
        (
            ["everything", "1"],
            "budget scope 'everything': expected global, category:NAME, tag:KEY=VALUE, model:NAME or key:NAME",
        ),
        (["", "1"], "budget scope ''"),
        (["category:", "1"], "budget scope 'category:'"),
        (["tag:team", "1"], "budget scope 'tag:team'"),
        (["tag:=a", "1"], "budget scope 'tag:=a'"),
        (["model:a\nb", "1"], "budget scope 'model:a\\nb'"),
        (["category:" + "x" * 200, "1"], "budget scope 'category:xxx"),
        (["global", "1", "--period", "year"], "budget period 'year': expected day, week, month, total"),
        (["global", "1", "--alert", "0"], "alerts '0': expected per cents from 1 to 1000, such as 50,80,100, or none"),
        (["global", "1", "--alert", "50,,80"], "alerts '50,,80'"),
        (["global", "1", "--alert", "-50"], "alerts '-50'"),
        (["global", "1", "--alert", "1001"], "alerts '1001'"),
        (["global", "1", "--alert", "half"], "alerts 'half'"),
        (["global", "1", "--alert", "9" * 5000], "alerts '999"),
    ],
)
def test_what_is_off_is_refused_and_nothing_is_written(arguments: list[str], complaint: str) -> None:
    """With what was expected; as an object under --json."""
    done = command("budgets", "set", *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert done.complaint.startswith(complaint)
    assert command("budgets", "set", *arguments, "--json").error["kind"] == "invalid_request"
    assert not list(Path().iterdir())


@pytest.mark.parametrize("words", [["list"], ["history"], ["history", "global"]])
def test_without_a_database_there_is_nothing_to_read(words: list[str]) -> None:
    """No file is made for it."""
    assert budgets(*words) == []
    assert not list(Path().iterdir())


@pytest.mark.parametrize("words", [["show", "global"], ["show", "global", "--period", "day"], ["remove", "global"]])
def test_a_budget_that_is_not_set_is_told(words: list[str]) -> None:
    """Without a database, and with one."""
    for _ in range(2):
        done = command("budgets", *words)
        assert (done.code, done.stdout) == (2, "")
        assert done.complaint.startswith("there is no budget global")
        command("budgets", "set", "category:chat", "1", "--period", "day")


@pytest.mark.parametrize("words", [["show", "x"], ["history", "x"], ["remove", "x"], ["history", "--period", "year"]])
def test_a_scope_or_period_that_is_none_is_told(words: list[str]) -> None:
    assert command("budgets", *words).complaint.startswith(("budget scope 'x'", "budget period 'year'"))
    assert not list(Path().iterdir())


def test_the_largest_budget_is_nine_million_dollars() -> None:
    """And the finest is a picodollar."""
    for amount in ("9000000", "0.000000000001"):
        assert budgets("set", "global", amount)["limit"] == amount


@pytest.mark.usefixtures("database")
def test_a_budget_set_in_the_middle_of_runs_opens_with_exactly_what_the_log_says_before_it() -> None:
    """Not a run more, not one less, however many end meanwhile."""

    async def scenario() -> None:
        async with Orchestrator() as orchestrator:

            async def ask_again_and_again() -> None:
                for _ in range(5):
                    await orchestrator.run("hi there", provider="simulated")

            async def set_budgets() -> None:
                for period in ("day", "week", "month", "total"):
                    await orchestrator.run("hi there", provider="simulated")
                    await orchestrator.set_budget("global", Usd("5"), period=period)

            await asyncio.gather(set_budgets(), *(ask_again_and_again() for _ in range(5)))
            spent, openings = 0, []
            for entry in await orchestrator.store.read_all(limit=100_000):
                event = orchestrator.log.decode(entry)
                if isinstance(event, CostIncurred) and event.amount is not None:
                    spent += picodollars(event.amount)
                if isinstance(event, BudgetDefined):
                    openings.append((sum(picodollars(one.spent) for one in event.opening), spent))
            assert len(openings) == 4
            assert all(opened == before for opened, before in openings)
            assert await balance_problems(orchestrator.store, orchestrator.log) == []

    asyncio.run(scenario())
