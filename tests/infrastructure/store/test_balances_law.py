"""The law of budgets: no sequence of holds, settlements and retries gets held + settled above a limit by a hold."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from model_orchestrator.application.ports import (
    Append,
    Appended,
    BalanceChange,
    BalanceSettle,
    EventStore,
    HoldRefused,
)
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.store.memory import MemoryStore
from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from tests.contracts.appends import assert_sound, on_stream
from tests.contracts.event_store_balances import hold, limit

SCOPES = ("a", "b")
Step = tuple[str, int, int]  # what, an amount, a choice
steps = st.lists(
    st.tuples(
        st.sampled_from(["hold", "both", "settle", "release", "limit", "retry"]), st.integers(0, 60), st.integers(0, 99)
    ),
    max_size=25,
)


@dataclass
class Model:
    """What must be in the tables."""

    limits: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SCOPES, 0))
    settled: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SCOPES, 0))
    open_holds: list[tuple[str, int, Timestamp]] = field(default_factory=list)
    done: list[Append] = field(default_factory=list)

    def append(self, step: Step) -> Append | None:
        what, amount, choice = step
        scope = SCOPES[choice % 2]
        match what:
            case "hold":
                return on_stream("run", balances=[hold(amount, scope=scope)])
            case "both":
                return on_stream("run", balances=[hold(amount, scope="b"), hold(amount, scope="a")])
            case "limit":
                return on_stream("run", balances=[limit(amount * 2, scope=scope)])
            case "retry":
                return self.done[choice % len(self.done)] if self.done else None
        if not self.open_holds:
            return None
        scope, held, at = self.open_holds[choice % len(self.open_holds)]
        spent = 0 if what == "release" else min(amount, held)
        settle = BalanceSettle(scope=scope, period="total", money=Money.REAL, held_at=at, held=held, spent=spent)
        return on_stream("run", balances=[settle])

    def expects_refusal(self, changes: tuple[BalanceChange, ...]) -> bool:
        return any(
            self.held[change.scope] + self.settled[change.scope] + change.amount > self.limits[change.scope]
            for change in changes
            if hasattr(change, "amount") and change.scope in self.limits
        )

    def record(self, append: Append, result: Appended) -> None:
        self.done.append(append)
        for change in append.balances:
            if isinstance(change, BalanceSettle):
                self.open_holds.remove((change.scope, change.held, change.held_at))
                self.held[change.scope] -= change.held
                self.settled[change.scope] += change.spent
            elif hasattr(change, "amount"):
                self.open_holds.append((change.scope, change.amount, result.recorded_at))
                self.held[change.scope] += change.amount
            else:
                assert change.limit is not None
                self.limits[change.scope] = change.limit


async def obeys(store: EventStore, sequence: list[Step]) -> None:
    model = Model()
    for step in sequence:
        if (append := model.append(step)) is None:
            continue
        if append in model.done:
            repeated = await store.append(append)
            assert isinstance(repeated, Appended)
            assert repeated.duplicate
        elif model.expects_refusal(append.balances):
            assert isinstance(await store.append(append), HoldRefused)
        else:
            result = await store.append(append)
            assert isinstance(result, Appended)
            model.record(append, result)
        for row in await store.balances():
            assert (row.held, row.settled) == (model.held[row.scope], model.settled[row.scope])
    await assert_sound(store)
    await store.aclose()


@given(steps)
@settings(max_examples=150)
def test_memory_obeys_the_law_of_budgets(sequence: list[Step]) -> None:
    asyncio.run(obeys(MemoryStore(), sequence))


@given(steps)
@settings(max_examples=40)
def test_sqlite_obeys_the_law_of_budgets(sequence: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(obeys(SqliteStore(Path(folder) / "log.db"), sequence))
