"""Keys through the whole program, on both databases: what is a caller's is theirs alone, and their budget holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from model_orchestrator import Orchestrator, RunFailure
from model_orchestrator.application.api_keys import revoke_key
from model_orchestrator.application.balance_audit import balance_problems
from model_orchestrator.application.budget_reports import show_budgets
from model_orchestrator.application.decisions import run_started
from model_orchestrator.application.key_book import caller, visible
from model_orchestrator.application.runs import load_run
from model_orchestrator.application.world import Caller
from model_orchestrator.domain.errors import InvalidRequest, KeyRefused
from model_orchestrator.domain.events import KeyScope, RoutingDecided, RunStarted
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.key_making import make_key

from .cli.command import command, ended, process
from .database import Database

PROMPT = "What is Python?"
WEB, OTHER = Caller(owner="web"), Caller(owner="other")


def played(scenario: Callable[[Orchestrator], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with Orchestrator() as orchestrator:
            await scenario(orchestrator)
            assert await balance_problems(orchestrator.store, orchestrator.log) == []

    asyncio.run(opened())


@pytest.mark.usefixtures("database")
def test_an_idempotency_key_and_a_cached_answer_are_a_callers_own() -> None:
    """The same words by somebody else are another run, which is paid; the caller's own are not."""

    async def scenario(orchestrator: Orchestrator) -> None:
        ids = {
            caller_.owner: [(await orchestrator.run(PROMPT, idempotency_key="k", caller=caller_)).run_id] * 2
            for caller_ in (WEB, OTHER, Caller())
        }
        assert len({run for runs in ids.values() for run in runs}) == 3
        again = await orchestrator.run(PROMPT, idempotency_key="k", caller=WEB)
        assert again.run_id == ids["web"][0]
        paid = [(await orchestrator.run(PROMPT, cache=True, caller=one)).cost for one in (WEB, OTHER, WEB, Caller())]
        assert [cost == 0 for cost in paid] == [False, False, True, False]

    played(scenario)


@pytest.mark.usefixtures("database")
def test_a_keys_budget_stops_its_own_runs_and_nobody_elses() -> None:
    """From its first run on, with the figures; what the name spent before the budget counts."""

    async def scenario(orchestrator: Orchestrator) -> None:
        spent = (await orchestrator.run(PROMPT, caller=WEB)).cost
        await orchestrator.set_budget("key:web", Usd(str(spent)), period="day")
        with pytest.raises(RunFailure) as refused:
            await orchestrator.run(PROMPT, caller=WEB)
        details = refused.value.details
        assert (refused.value.kind, details["scope"], details["period"]) == ("budget", "key:web", "day")
        assert Decimal(details["held"] or 0) == Decimal(details["limit"] or 0) == spent
        assert "the budget key:web (day)" in str(refused.value)
        for one in (OTHER, Caller()):
            assert (await orchestrator.run(PROMPT, caller=one)).cost == spent
        await orchestrator.set_budget("key:web", Usd(details["would_fit"] or "0"), period="day")
        assert (await orchestrator.run(PROMPT, caller=WEB)).cost == spent
        rows = [row for row in await orchestrator.store.balances() if row.scope == "key:web"]
        assert [(row.held, row.settled) for row in rows] == [(0, int(spent * 2 * 10**12))]

    played(scenario)


@pytest.mark.usefixtures("database")
def test_a_refusal_names_a_keys_budget_beside_the_one_that_refused_and_its_marks_are_told() -> None:
    """Of whose key it is; another's, as full as that, is in nobody's way."""

    async def scenario(orchestrator: Orchestrator) -> None:
        spent = [(await orchestrator.run(PROMPT, caller=one)).cost for one in (WEB, OTHER)]
        for scope in ("key:web", "key:other", "global"):
            await orchestrator.set_budget(scope, Usd(str(spent[0])), period="day")
        with pytest.raises(RunFailure) as refused:
            await orchestrator.run(PROMPT, caller=WEB)
        budgets: Any = refused.value.details["budgets"]
        assert [one["scope"] for one in budgets] == ["global", "key:web"]
        (shown,) = await show_budgets(orchestrator.store, orchestrator.log, "key:web")
        assert [one.percent for one in shown.told] == [50, 80, 100]

    played(scenario)


@pytest.mark.usefixtures("database")
def test_a_key_is_made_with_its_budget_and_its_successor_keeps_it() -> None:
    async def scenario(orchestrator: Orchestrator) -> None:
        key, token = await make_key(orchestrator, "web", budget=(Usd("0.000001"), "day"), models=["gpt-4o-mini"])
        assert await orchestrator.store.budgets() == [("key:web", "day", 1_000_000)]
        who = await orchestrator.keys.authenticate(token)
        assert (who, len(token)) == (key, 46)
        with pytest.raises(RunFailure, match="the budget key:web"):
            await orchestrator.run(PROMPT, caller=caller(who))
        types = [one.type for one in await orchestrator.store.read_all()]
        assert types.index("BudgetDefined") < types.index("KeyCreated")  # there was no moment without its budget
        with pytest.raises(InvalidRequest, match="there is a key web already"):
            await make_key(orchestrator, "web", budget=(Usd("9"), "day"))
        assert await orchestrator.store.budgets() == [("key:web", "day", 1_000_000)]  # not changed by who was refused
        await revoke_key(orchestrator.store, orchestrator.log, "web", by="test")
        _, second = await make_key(orchestrator, "web", scopes=[KeyScope.RUN])
        with pytest.raises(RunFailure, match="the budget key:web"):
            await orchestrator.run(PROMPT, caller=caller(await orchestrator.keys.authenticate(second)))

    played(scenario)


@pytest.mark.usefixtures("database")
def test_a_key_that_another_process_revoked_is_refused_here_at_once() -> None:
    async def scenario(orchestrator: Orchestrator) -> None:
        _, token = await make_key(orchestrator, "web")
        assert (await orchestrator.keys.authenticate(token)).name == "web"
        done = ended(process("keys", "revoke", "web"))
        assert done.code == 0, done
        with pytest.raises(KeyRefused, match="was revoked"):
            await orchestrator.keys.authenticate(token)
        made = ended(process("keys", "create", "mobile"))
        assert (await orchestrator.keys.authenticate(made.stdout.strip())).name == "mobile"

    played(scenario)


@pytest.mark.usefixtures("database")
def test_lists_show_a_key_its_own_runs_and_an_admin_all() -> None:
    async def scenario(orchestrator: Orchestrator) -> None:
        runs = {one.owner: (await orchestrator.run(PROMPT, caller=one)).run_id for one in (WEB, OTHER, Caller())}
        reader, _ = await make_key(orchestrator, "web")
        admin, _ = await make_key(orchestrator, "boss", scopes=[KeyScope.ADMIN])
        models = orchestrator.read_models
        assert [row.run for row in models.runs(conditions=visible(reader))] == [runs["web"]]
        assert {row.run for row in models.runs(conditions=visible(admin))} == {*runs.values()}

    played(scenario)
    (listed,) = command("runs", "list", "--where", "owner = web", "--json").document
    assert listed["owner"] == "web"
    assert command("runs", "show", listed["run_id"], "--json").document["owner"] == "web"
    assert ",other," in command("runs", "list", "--csv").stdout


@pytest.mark.usefixtures("database")
def test_a_run_that_has_no_plan_yet_is_resumed_within_what_its_key_allows() -> None:
    """Its worker died before it came to one; the plan is made by who takes it over."""

    async def scenario(orchestrator: Orchestrator) -> None:
        await make_key(orchestrator, "web", models=["claude-haiku-3.5"])
        command, world = orchestrator.prepare(PROMPT, caller=WEB)
        request, contents = await orchestrator.log.keep_request(command.run_id, command.request, None)
        started: RunStarted = run_started(command, world, request, orchestrator.clock.now())
        await orchestrator.log.append(command.run_id, expected=0, events=[started], contents=contents)
        await orchestrator.run("an introduction of the catalogue")
        result = await orchestrator.resume(command.run_id)
        assert result.model_used == "claude-haiku-3.5"
        (decided,) = [
            one.event
            for one in (await load_run(orchestrator.log, command.run_id)).events
            if isinstance(one.event, RoutingDecided)
        ]
        assert decided.usable == ("claude-haiku-3.5",)

    played(scenario)


def test_the_events_of_keys_are_read_by_every_tool(database: Database) -> None:
    """Whoever reads the whole log passes over them, or shows them."""
    for words in (
        ("keys", "create", "web", "--budget", "5/day"),
        ("run", PROMPT),
        ("keys", "revoke", "web"),
        ("audit", "verify"),
        ("audit", "trail", "last"),
        ("runs", "list"),
        ("runs", "list", "--where", "owner = local"),
        ("runs", "replay", "last"),
        ("costs", "report"),
        ("projections", "rebuild"),
        ("projections", "status"),
        ("budgets", "list"),
        ("runs", "resume", "--all"),
    ):
        done = command(*words)
        assert done.code == 0, (words, done)
    types = [row[0] for row in database.rows("SELECT type FROM log.events WHERE stream = 'key-web' ORDER BY version")]
    assert types == ["KeyCreated", "KeyRevoked"]
