"""Callers who come together ask once; who comes alone waits for nobody."""

from __future__ import annotations

import asyncio
from functools import partial

from model_orchestrator.infrastructure.store.gathering import TURNS, SharedReads


class Asked:
    """Answers with how often it was asked; fails on its third answer."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> int:
        self.times += 1
        if self.times == 3:
            raise LookupError("the third")
        return self.times


async def turns(many: int) -> None:
    for _ in range(many):
        await asyncio.sleep(0)


def test_a_question_of_several_is_asked_once_and_others_wait_some_turns_for_more() -> None:
    async def scenario() -> None:
        shared, asked, other = SharedReads(), Asked(), Asked()
        first = [asyncio.ensure_future(shared.read("a", asked)) for _ in range(4)]
        assert await asyncio.gather(*first, shared.read("b", other)) == [1, 2, 2, 2, 1]  # the first came alone
        early = asyncio.ensure_future(shared.read("b", other))
        await turns(TURNS // 2)
        late = asyncio.ensure_future(shared.read("b", other))
        assert [await early, await late] == [2, 2]

    asyncio.run(scenario())


def test_who_comes_alone_is_answered_in_the_same_turn() -> None:
    async def scenario() -> None:
        shared, asked = SharedReads(), Asked()
        for times in (1, 2):
            alone = asyncio.ensure_future(shared.read("a", asked))
            await turns(1)
            assert alone.done()
            assert alone.result() == times
            await turns(1)

    asyncio.run(scenario())


def test_what_goes_wrong_is_told_to_all_who_asked_and_still_wait() -> None:
    async def scenario() -> None:
        shared, asked = SharedReads(), Asked()
        assert await asyncio.gather(*(shared.read("a", asked) for _ in range(3))) == [1, 2, 2]
        gone, *others = [asyncio.ensure_future(shared.read("a", asked)) for _ in range(3)]
        await turns(1)
        gone.cancel()
        told = await asyncio.gather(gone, *others, return_exceptions=True)
        assert [type(one) for one in told] == [asyncio.CancelledError, LookupError, LookupError]
        assert await shared.read("a", asked) == 4

    asyncio.run(scenario())


def test_who_asked_is_cancelled_where_asking_is() -> None:
    """Before it began, or while it waits for what was cancelled itself."""

    async def gone() -> int:
        raise asyncio.CancelledError

    async def scenario() -> None:
        shared, asked = SharedReads(), Asked()
        told = await asyncio.wait_for(
            asyncio.gather(*(shared.read("a", gone) for _ in range(3)), return_exceptions=True), 5
        )
        assert [type(one) for one in told] == [asyncio.CancelledError] * 3
        callers = [asyncio.ensure_future(shared.read("a", asked)) for _ in range(3)]
        while not shared._tasks:
            await turns(1)
        shared._tasks.copy().pop().cancel()
        done, waiting = await asyncio.wait(callers, timeout=5)
        assert (len(done), len(waiting), asked.times) == (3, 0, 0)

    asyncio.run(scenario())


def test_nothing_is_asked_for_those_who_all_left() -> None:
    async def scenario() -> None:
        shared, asked = SharedReads(), Asked()
        first = [asyncio.ensure_future(shared.read("a", asked)) for _ in range(3)]
        await turns(1)
        for caller in first[1:]:
            caller.cancel()
        await turns(2 * TURNS)
        assert (await first[0], asked.times) == (1, 1)

    asyncio.run(scenario())


def test_a_loop_that_was_closed_in_the_middle_of_a_turn_keeps_nobody_waiting_later() -> None:
    async def later() -> None:
        await shared.read("a", asked)
        await turns(1)
        alone = asyncio.ensure_future(shared.read("a", asked))
        await turns(1)
        assert alone.done()

    shared, asked = SharedReads(), Asked()
    closed = asyncio.new_event_loop()
    assert shared._gathering.is_alone(closed)
    closed.close()
    asyncio.run(later())


def test_each_question_gets_its_own_answer() -> None:
    async def scenario() -> None:
        shared = SharedReads()

        async def square(number: int) -> int:
            return number * number

        reads = [shared.read(number % 5, partial(square, number % 5)) for number in range(40)]
        answers = list(await asyncio.gather(*reads))
        assert answers == [(number % 5) ** 2 for number in range(40)]

    asyncio.run(scenario())
