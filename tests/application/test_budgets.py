"""Budgets: a new one knows what its scope spent before, and the balances are what the log's events make them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_orchestrator.application.balance_audit import balance_problems
from model_orchestrator.application.budgets import remove_budget, set_budget
from model_orchestrator.application.failures import failure_of
from model_orchestrator.application.ports import Append
from model_orchestrator.application.refusals import standing
from model_orchestrator.domain.errors import ErrorKind, InvalidRequest, OutcomeUnknown
from model_orchestrator.domain.events import (
    AttemptReconciled,
    BudgetChanged,
    Evidence,
    Money,
    OnUnknown,
    Opening,
    StrategySettings,
)
from model_orchestrator.domain.periods import period_key
from model_orchestrator.domain.units import Usd, picodollars, usd

from .world import Stage, answer

CATEGORIES = ("chat", "mail")
SCOPES = (
    "global",
    "category:chat",
    "category:mail",
    "tag:team=a",
    "model:gpt-4o-mini",
    "model:claude-haiku-3.5",
    "key:web",
    "key:local",
)


@dataclass
class Books:
    """Runs and budgets on one log."""

    stage: Stage = field(default_factory=Stage)
    runs: int = 0

    def __post_init__(self) -> None:
        self.stage.store._clock = self.stage.clock.now

    async def run(self, scopes: set[tuple[str, str]] | None = None, **command: Any) -> Usd:
        """A run under these budgets (by default, those that are set); what it spent."""
        self.runs += 1
        known = [(scope, period) for scope, period, _ in await self.stage.store.budgets()]
        self.stage.budgets = tuple(known if scopes is None else scopes)
        finished = await self.stage.loop(run_id=f"run-{self.runs}", **command).run()
        return finished.run.spent

    async def set(self, scope: str = "global", period: str = "total", limit: str = "1", **more: Any) -> Any:
        store, log, clock = self.stage.store, self.stage.log, self.stage.clock
        return await set_budget(store, log, clock, scope=scope, period=period, limit=Usd(limit), **more)

    async def remove(self, scope: str = "global", period: str = "total") -> None:
        await remove_budget(self.stage.store, self.stage.log, scope, period)

    async def row(self, scope: str = "global") -> tuple[int, int]:
        """Held and settled of the scope's only row."""
        (row,) = [one for one in await self.stage.store.balances() if one.scope == scope]
        return row.held, row.settled

    async def agree(self) -> None:
        assert await balance_problems(self.stage.store, self.stage.log) == []


def test_a_new_budget_starts_with_what_each_scope_spent() -> None:
    """Global, category, tag and model, to the last digit; a scope that spent nothing has no row."""

    async def scenario() -> None:
        books = Books()
        first = await books.run(category="chat", tags={"team": "a"})
        second = await books.run(category="mail")
        both = usd(picodollars(first) + picodollars(second))
        spent = {"global": both, "category:chat": first, "tag:team=a": first, "model:gpt-4o-mini": both}
        for scope, amount in spent.items():
            event = await books.set(scope)
            assert event.opening == (Opening(money=Money.REAL, period_key="total", spent=amount),)
            assert await books.row(scope) == (0, picodollars(amount))
        for scope in ("category:other", "tag:team=b", "model:gpt-4"):
            event = await books.set(scope)
            assert event.opening == ()
        assert {row.scope for row in await books.stage.store.balances()} == set(spent)
        await books.agree()

    asyncio.run(scenario())


def test_the_opening_fills_the_budget() -> None:
    """The next run is refused, though it alone would fit."""

    async def scenario() -> None:
        books = Books()
        spent = await books.run()
        await books.set(limit=str(spent))
        assert await books.run() == 0
        assert books.stage.client.calls[1:] == []
        await books.set(limit="1")
        assert await books.run() > 0

    asyncio.run(scenario())


@pytest.mark.parametrize("period", ["day", "week", "month", "total"])
def test_only_the_current_period_counts(period: str) -> None:
    """Six weeks later nothing of it is spent, except in total."""

    async def scenario() -> None:
        books = Books()
        spent = await books.run()
        assert [one.spent for one in (await books.set(period=period)).opening] == [spent]
        await books.remove(period=period)
        books.stage.clock.time += 45 * 86_400 * 1_000_000
        later = await books.run(set())
        key = period_key(period, books.stage.clock.now())
        await books.set(period=period)
        rows = {row.period_key: usd(row.settled) for row in await books.stage.store.balances()}
        assert rows[key] == (later if period != "total" else usd(picodollars(spent) + picodollars(later)))
        await books.agree()

    asyncio.run(scenario())


def test_what_is_billed_while_the_budget_is_being_set_is_in_its_opening() -> None:
    """The figure is read again: nothing is missed, nothing counted twice."""

    async def scenario() -> None:
        books = Books()
        await books.run()

        async def spend_more(append: Append) -> None:
            await books.run(set())

        books.stage.store.before_append = spend_more
        await books.set()
        costs = [picodollars(cost.amount) for cost in await _costs(books)]
        assert len(costs) == 2
        assert await books.row() == (0, sum(costs))
        await books.agree()

    asyncio.run(scenario())


def test_a_budget_that_comes_back_counts_nothing_twice() -> None:
    """What was settled on it before stands in its balance still; what was spent meanwhile is added."""

    async def scenario() -> None:
        books = Books()
        spent = [await books.run()]
        await books.set()
        spent.append(await books.run())
        await books.remove()
        spent.append(await books.run())
        await books.set()
        assert await books.row() == (0, sum(picodollars(one) for one in spent))
        await books.remove()
        event = await books.set()
        assert event.opening == ()
        await books.agree()

    asyncio.run(scenario())


def test_a_lost_attempt_counts_as_what_it_turned_out_to_cost() -> None:
    """Nothing while it is unknown; then the last figure."""

    async def scenario() -> None:
        books = Books(Stage(OutcomeUnknown(ErrorKind.CUT)))
        await books.run(max_cost=Usd("0.01"))
        log, run = books.stage.log, "run-1"
        for amount, evidence in (("0.004", Evidence.ASSUMED), ("0.003", Evidence.RECONCILED)):
            version = len(await books.stage.store.read_stream(run))
            fact = AttemptReconciled(attempt=1, amount=Usd(amount), evidence=evidence, by="test", settles=())
            await log.append(run, expected=version, events=[fact])
        event = await books.set()
        assert event.opening == (Opening(money=Money.REAL, period_key="total", spent=Usd("0.003")),)
        await books.agree()

    asyncio.run(scenario())


def test_a_change_keeps_the_figures_and_the_alerts_that_were_set() -> None:
    """Only what is given is another."""

    async def scenario() -> None:
        books = Books()
        assert (await books.set(alerts=(10, 20))).alerts == (10, 20)
        changed = await books.set(limit="2")
        assert (type(changed), changed.alerts) == (BudgetChanged, (10, 20))
        assert (await books.set(limit="2", alerts=())).alerts == ()
        assert await books.stage.store.budgets() == [("global", "total", picodollars(Usd("2")))]

    asyncio.run(scenario())


def test_only_a_budget_that_is_set_is_removed() -> None:
    async def scenario() -> None:
        books = Books()
        await books.set("category:chat", "day")
        with pytest.raises(InvalidRequest, match=r"no budget category:chat \(week\)"):
            await books.remove("category:chat", "week")
        await books.remove("category:chat", "day")
        with pytest.raises(InvalidRequest, match="no budget"):
            await books.remove("category:chat", "day")
        assert await books.stage.store.budgets() == []

    asyncio.run(scenario())


Step = tuple[str, int]
steps = st.lists(
    st.tuples(st.sampled_from(["run", "lost", "set", "remove"]), st.integers(0, len(SCOPES) - 1)), max_size=14
)


@given(steps)
@settings(max_examples=40)
def test_a_budget_always_knows_all_of_its_scope(sequence: list[Step]) -> None:
    """In any order of runs, sets and removals; and a rebuild from the events gives the same rows."""

    async def scenario() -> None:
        books = Books()
        billed: dict[str, int] = dict.fromkeys(SCOPES, 0)
        for what, number in sequence:
            scope, category = SCOPES[number], CATEGORIES[number % 2]
            if what in ("run", "lost"):
                books.stage.client.reply = OutcomeUnknown(ErrorKind.CUT) if what == "lost" else answer()
                tags = {"team": "a"} if number < 3 else {}
                owner = "web" if number % 3 else "local"
                spent = picodollars(await books.run(category=category, tags=tags, owner=owner, max_cost=Usd("0.5")))
                mine = {"global", f"category:{category}", "model:gpt-4o-mini", f"key:{owner}"}
                mine |= {"tag:team=a"} if tags else set()
                for one in mine:
                    billed[one] += spent
            elif what == "set":
                await books.set(scope, limit="9")
                settled = sum(row.settled for row in await books.stage.store.balances() if row.scope == scope)
                assert settled == billed[scope]
            elif scope in {one for one, _, _ in await books.stage.store.budgets()}:
                await books.remove(scope)
        for scope, _, _ in await books.stage.store.budgets():
            settled = sum(row.settled for row in await books.stage.store.balances() if row.scope == scope)
            assert settled == billed[scope]
        await books.agree()

    asyncio.run(scenario())


async def _costs(books: Books) -> list[Any]:
    return [books.stage.log.decode(one) for one in await books.stage.store.read_all(types=("CostIncurred",))]


def test_a_lost_call_that_has_no_room_to_be_made_again_says_what_would_do() -> None:
    """Its own hold stays beside the next one's: twice the price of a call."""

    async def scenario() -> None:
        books = Books(Stage(OutcomeUnknown(ErrorKind.CUT)))
        await books.set(limit="1")
        await books.run(max_cost=None, settings=StrategySettings(on_unknown=OnUnknown.FAIL))
        price, _ = await books.row()
        await books.set(limit=str(usd(price * 2)))
        books.stage.budgets = (("global", "total"),)
        run = (await books.stage.loop(run_id="run-2").run()).run
        failure = failure_of(run, await standing(books.stage.store, run, books.stage.clock.now()))
        assert failure.kind == ErrorKind.BUDGET.value
        assert failure.details["needed"] == str(usd(price))
        assert failure.details["would_fit"] == str(usd(price * 3))
        await books.agree()

    asyncio.run(scenario())
