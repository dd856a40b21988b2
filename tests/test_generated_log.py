"""The generated log is what the product would have written, and its sums are true."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from model_orchestrator.application.ports import EventStore, RecordedEvent
from model_orchestrator.domain.events import ModelCalled
from model_orchestrator.domain.pricing import cost
from model_orchestrator.domain.run import Run, RunStatus, fold
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.units import usd
from model_orchestrator.infrastructure.event_codec import EVENT_TYPES, decode
from model_orchestrator.infrastructure.store.opening import open_store
from model_orchestrator.infrastructure.store.verify import verify_log
from tests.generated_log import TrueLog, write_log

RUNS = 300
NEVER = {
    "AnsweredFromCache",
    "RetryRefused",
    "RunRescored",
    "FeedbackGiven",
    "ContentErased",
    "LogSealed",
    "KeyCreated",
    "KeyRevoked",
    "PriceListPublished",
    "BudgetChanged",
    "BudgetRemoved",
    "BudgetAlerted",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, TrueLog]:
    url = f"sqlite:///{tmp_path_factory.mktemp('generated') / 'log.db'}"
    return url, write_log(url, runs=RUNS, seed=3, texts=True)


async def everything(store: EventStore) -> list[RecordedEvent]:
    return list(await store.read_all(limit=100_000))


def read(url: str) -> list[RecordedEvent]:
    store = open_store(url)
    try:
        return asyncio.run(everything(store))
    finally:
        asyncio.run(store.aclose())


def test_the_log_is_sound(written: tuple[str, TrueLog]) -> None:
    """Chain, hashes, versions and times hold, and every kind of fact a run can tell is there."""
    store = open_store(written[0])
    assert asyncio.run(verify_log(store)) == []
    asyncio.run(store.aclose())
    events = read(written[0])
    assert len(events) == written[1].events
    assert {event.type for event in events} == set(EVENT_TYPES) - NEVER


def folded(url: str) -> dict[str, Run]:
    streams: dict[str, list[RecordedEvent]] = {}
    for event in read(url):
        if event.stream.startswith("run-"):
            streams.setdefault(event.stream, []).append(event)
    return {
        stream: fold(stream, [decode(one.type, one.schema_version, one.payload) for one in events])
        for stream, events in streams.items()
    }


def test_every_run_has_come_to_its_end(written: tuple[str, TrueLog]) -> None:
    """Folded from what is stored, each run is the one that was simulated, and nothing is due."""
    runs = folded(written[0])
    assert len(runs) == len(written[1].runs) == RUNS
    amounts: dict[str, list[Decimal | None]] = {}
    for one in written[1].attempts:
        amounts.setdefault(one.run, []).append(one.amount)
    for true in written[1].runs:
        run = runs[true.run]
        assert run.status is true.status is not RunStatus.RUNNING
        assert due(run) == ()
        assert run.cost == true.cost
        assert [attempt.spent for attempt in run.attempts] == amounts.get(true.run, [])


def test_costs_are_usage_times_price(written: tuple[str, TrueLog]) -> None:
    """What an answer cost is its card times its usage; without usage the most it could cost, marked so."""
    seen: Counter[str] = Counter()
    for attempt in (one for run in folded(written[0]).values() for one in run.attempts):
        if not isinstance(attempt.outcome, ModelCalled):
            continue
        assert attempt.cost is not None
        card, usage = attempt.started.price_card, attempt.outcome.usage
        if usage is None:
            seen["estimated"] += attempt.cost.estimated
            assert attempt.cost.amount == attempt.started.max_cost
        elif card is not None:
            seen["exact"] += 1
            assert attempt.cost.amount == cost(usage, card)
            assert attempt.started.max_cost is None or attempt.cost.amount <= attempt.started.max_cost
        else:
            seen["unpriced"] += attempt.cost.amount is None
    assert min(seen.values()) > 0
    assert len(seen) == 3


def test_balances_hold_what_was_spent(written: tuple[str, TrueLog]) -> None:
    """The budget over everything, written by the append rules, has settled exactly the true sum of each money."""
    store = open_store(written[0])
    balances = asyncio.run(store.balances())
    asyncio.run(store.aclose())
    settled: dict[str, Decimal] = {}
    for one in balances:
        if one.scope == "global":
            settled[one.money.value] = settled.get(one.money.value, Decimal(0)) + usd(one.settled)
    assert settled == written[1].total(lambda one: one.money.value)


def test_the_same_seed_is_the_same_log_on_both_databases(tmp_path: Path, postgres_url: str) -> None:
    """Events, contents' refs and balances agree, but for what hangs on the database's own secret: nothing here."""
    file = f"sqlite:///{tmp_path / 'log.db'}"
    assert write_log(file, runs=40, seed=9) == write_log(postgres_url, runs=40, seed=9)
    assert read(file) == read(postgres_url)
    stores = [open_store(file), open_store(postgres_url)]
    assert asyncio.run(stores[0].balances()) == asyncio.run(stores[1].balances())
    for store in stores:
        asyncio.run(store.aclose())
