"""What every event store must do with money: holds that never pass a limit, settlements, what a retry must not do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from model_orchestrator.application.ports import (
    Appended,
    Balance,
    BalanceChange,
    BalanceHold,
    BalanceSettle,
    BudgetLimit,
    EventStore,
    HoldRefused,
    VersionConflict,
)
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.units import PICODOLLARS, Timestamp

from .appends import OpenStore, appended, new_event, on_stream, success, with_store

MOST = 9_000_000 * PICODOLLARS


def hold(amount: int, *, scope: str = "global", period: str = "total", money: Money = Money.REAL) -> BalanceHold:
    return BalanceHold(scope=scope, period=period, money=money, amount=amount)


def settle(held: int, spent: int, at: Timestamp, *, scope: str = "global", period: str = "total") -> BalanceSettle:
    return BalanceSettle(scope=scope, period=period, money=Money.REAL, held_at=at, held=held, spent=spent)


def limit(amount: int | None, *, scope: str = "global", period: str = "total") -> BudgetLimit:
    return BudgetLimit(scope=scope, period=period, limit=amount)


async def change(store: EventStore, *changes: BalanceChange) -> Appended:
    return await appended(store, on_stream("money", balances=changes))


async def figures(store: EventStore) -> list[tuple[str, str, int | None, int, int]]:
    """(scope, period, limit, held, settled) of each row."""
    return [(row.scope, row.period, row.limit, row.held, row.settled) for row in await store.balances()]


class BalancesContract:
    """The part of the event store's suite about balances."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError

    @with_store
    async def test_a_hold_without_a_budget_is_kept_and_never_refused(self, store: EventStore) -> None:
        await change(store, hold(5), hold(7))
        assert await figures(store) == [("global", "total", None, 12, 0)]

    @with_store
    async def test_holds_fill_a_budget_to_the_last_picodollar_and_no_further(self, store: EventStore) -> None:
        await change(store, limit(100))
        await change(store, hold(60))
        before = await store.head()
        refused = await store.append(on_stream("money", balances=[hold(41)]))
        assert refused == HoldRefused(scope="global", period="total", limit=100, held=60, settled=0, needed=41)
        assert await store.head() == before
        await change(store, hold(40))
        assert await figures(store) == [("global", "total", 100, 100, 0)]

    @with_store
    async def test_a_refused_hold_takes_nothing_on_the_other_budgets(self, store: EventStore) -> None:
        await change(store, limit(100, scope="b"), hold(1, scope="a"))
        changes: list[BalanceChange] = [
            hold(5, scope="a"),
            hold(101, scope="b"),
            hold(5, scope="c"),
            limit(9, scope="c"),
        ]
        refused = await store.append(on_stream("money", balances=changes))
        assert isinstance(refused, HoldRefused)
        assert (refused.scope, refused.needed) == ("b", 101)
        assert await figures(store) == [("a", "total", None, 1, 0)]
        await change(store, hold(20, scope="c"))

    @with_store
    async def test_settling_moves_money_from_held_to_settled(self, store: EventStore) -> None:
        await change(store, limit(100))
        at = (await change(store, hold(60))).recorded_at
        await change(store, settle(60, 25, at))
        assert await figures(store) == [("global", "total", 100, 0, 25)]
        await change(store, hold(75))
        assert isinstance(await store.append(on_stream("money", balances=[hold(1)])), HoldRefused)

    @with_store
    async def test_settling_is_never_refused_and_may_be_corrected_down(self, store: EventStore) -> None:
        await change(store, limit(10))
        at = (await change(store, hold(10))).recorded_at
        await change(store, settle(10, 50, at))
        await change(store, settle(0, -45, at))
        assert await figures(store) == [("global", "total", 10, 0, 5)]

    @with_store
    async def test_an_append_sees_its_own_limit_and_release_before_its_holds(self, store: EventStore) -> None:
        at = (await change(store, limit(100), hold(100))).recorded_at
        await change(store, hold(130), settle(100, 20, at), limit(150))
        assert await figures(store) == [("global", "total", 150, 130, 20)]

    @with_store
    async def test_two_holds_of_one_append_count_together(self, store: EventStore) -> None:
        await change(store, limit(100))
        assert isinstance(await store.append(on_stream("money", balances=[hold(60), hold(60)])), HoldRefused)
        assert await figures(store) == []

    @with_store
    async def test_a_removed_limit_no_longer_refuses(self, store: EventStore) -> None:
        await change(store, limit(1))
        await change(store, limit(None))
        await change(store, hold(50))
        assert await figures(store) == [("global", "total", None, 50, 0)]

    @with_store
    async def test_a_retry_holds_nothing_again(self, store: EventStore) -> None:
        await change(store, limit(100))
        append = on_stream("run-1", balances=[hold(60)])
        first = await appended(store, append)
        assert await appended(store, append) == replace(first, duplicate=True)
        assert await figures(store) == [("global", "total", 100, 60, 0)]

    @with_store
    async def test_a_conflict_holds_nothing(self, store: EventStore) -> None:
        result = await store.append(on_stream("run-1", expected=4, balances=[hold(60)]))
        assert isinstance(result, VersionConflict)
        assert await figures(store) == []

    @with_store
    async def test_parallel_holds_never_pass_the_limit(self, store: EventStore) -> None:
        await change(store, limit(100))
        results = await asyncio.gather(
            *(store.append(on_stream(f"run-{n}", new_event(), balances=[hold(9)])) for n in range(40))
        )
        assert sum(isinstance(result, Appended) for result in results) == 11
        assert await figures(store) == [("global", "total", 100, 99, 0)]

    @with_store
    async def test_a_hold_counts_in_the_period_of_its_recording(self, store: EventStore) -> None:
        holds = [hold(1, period=period) for period in ("day", "week", "month", "total")]
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=(await change(store, *holds)).recorded_at)
        year, week, _ = at.isocalendar()
        keys = {row.period: row.period_key for row in await store.balances()}
        assert keys == {
            "day": f"{at:%Y-%m-%d}",
            "week": f"{year}-W{week:02}",
            "month": f"{at:%Y-%m}",
            "total": "total",
        }

    @pytest.mark.parametrize(
        ("at", "day", "week", "month"),
        [
            (datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=UTC), "2026-11-24", "2026-W48", "2026-11"),
            (datetime(2027, 1, 1, tzinfo=UTC), "2027-01-01", "2026-W53", "2027-01"),
            (datetime(2024, 12, 30, tzinfo=UTC), "2024-12-30", "2025-W01", "2024-12"),
        ],
    )
    def test_a_settlement_goes_to_the_period_of_its_hold(
        self, open_store: OpenStore, at: datetime, day: str, week: str, month: str
    ) -> None:
        held_at = Timestamp((at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))

        async def scenario() -> None:
            store = open_store()
            await change(store, *(settle(0, 3, held_at, period=period) for period in ("day", "week", "month")))
            rows = [(row.period, row.period_key, row.settled) for row in await store.balances()]
            assert rows == [("day", day, 3), ("month", month, 3), ("week", week, 3)]
            await store.aclose()

        asyncio.run(scenario())

    @with_store
    async def test_each_kind_of_money_has_its_own_row_and_order_is_fixed(self, store: EventStore) -> None:
        await change(store, limit(10, scope="b"))
        await change(store, hold(10, scope="b"), hold(10, scope="b", money=Money.SIMULATED), hold(1, scope="a"))
        assert [(row.scope, row.money, row.held) for row in await store.balances()] == [
            ("a", Money.REAL, 1),
            ("b", Money.REAL, 10),
            ("b", Money.SIMULATED, 10),
        ]
        assert isinstance((await store.balances())[0], Balance)

    @with_store
    async def test_limits_and_amounts_beyond_9_million_dollars_are_refused(self, store: EventStore) -> None:
        for bad in (limit(MOST + 1), limit(-1), hold(MOST + 1), hold(-1), settle(0, MOST + 1, Timestamp(0))):
            with pytest.raises(InvalidRequest, match="9,000,000"):
                await store.append(on_stream("money", balances=[bad]))
        with pytest.raises(InvalidRequest, match="period"):
            await store.append(on_stream("money", balances=[hold(1, period="fortnight")]))
        assert await store.head() == 0
        await change(store, limit(MOST), hold(MOST))
        success(await store.append(on_stream("money")))
        assert isinstance(await store.append(on_stream("money", balances=[hold(1)])), HoldRefused)
