"""Short words for the store suites: events, appends, stores opened and closed around a scenario."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from model_orchestrator.application.ports import (
    Append,
    Appended,
    AppendResult,
    BalanceChange,
    Content,
    EventStore,
    Expected,
    ExpectedVersion,
    NewEvent,
    RecordedEvent,
    StreamAppend,
)
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.store.verify import verify_log

OpenStore = Callable[[], EventStore]


def new_event(payload: str = "{}", *, type: str = "Noted", event_id: bytes | None = None) -> NewEvent:
    return NewEvent(
        event_id=event_id or uuid.uuid4().bytes,
        type=type,
        schema_version=1,
        occurred_at=Timestamp(1_700_000_000_000_000),
        causation_id=None,
        correlation_id="run-1",
        actor="local",
        payload=payload,
    )


def on_stream(
    stream: str,
    *events: NewEvent,
    expected: ExpectedVersion = Expected.ANY,
    contents: Sequence[Content] = (),
    balances: Sequence[BalanceChange] = (),
) -> Append:
    """An append to one stream; without events it brings one."""
    return on_streams(
        StreamAppend(stream, expected, events or (new_event(),)), contents=tuple(contents), balances=tuple(balances)
    )


def on_streams(
    *streams: StreamAppend, contents: tuple[Content, ...] = (), balances: tuple[BalanceChange, ...] = ()
) -> Append:
    return Append(streams=streams, contents=contents, balances=balances)


async def appended(store: EventStore, append: Append) -> Appended:
    """The append's result, which must be a success."""
    return success(await store.append(append))


def success(result: AppendResult | BaseException) -> Appended:
    assert isinstance(result, Appended), result
    return result


async def whole_log(store: EventStore) -> list[RecordedEvent]:
    events: list[RecordedEvent] = []
    while page := await store.read_all(after=len(events)):
        events.extend(page)
    return events


async def assert_sound(store: EventStore) -> None:
    """Positions and versions without gap, time forwards, every hash right."""
    assert await verify_log(store) == []


def with_store(scenario: Callable[[Any, EventStore], Awaitable[None]]) -> Callable[[Any, OpenStore], None]:
    """A test of one open store; afterwards its log must be sound."""

    async def around(suite: object, open_store: OpenStore) -> None:
        store = open_store()
        try:
            await scenario(suite, store)
            if not getattr(scenario, "closes", False):
                await assert_sound(store)
        finally:
            await store.aclose()

    def test(self: object, open_store: OpenStore) -> None:
        asyncio.run(around(self, open_store))

    test.__name__ = test.__qualname__ = getattr(scenario, "__name__", "scenario")
    test.__doc__ = scenario.__doc__
    return test


def closing(scenario: Callable[[Any, EventStore], Awaitable[None]]) -> Callable[[Any, EventStore], Awaitable[None]]:
    """Marks a scenario that closes its store itself."""
    scenario.closes = True  # type: ignore[attr-defined]
    return scenario
