"""Group commit by itself, with an engine the test holds back and lets go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from model_orchestrator.application.ports import Appended
from model_orchestrator.domain.errors import EventIdReused, StoreUnavailable
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.store.append_rules import Outcome
from model_orchestrator.infrastructure.store.commit_pace import ALONE, LIMIT, MOST, PROBE, SLOW, CommitPace, Stopwatch
from model_orchestrator.infrastructure.store.gathering import TURNS
from model_orchestrator.infrastructure.store.group_commit import GroupCommit, Upkeep


class Engine:
    """Numbers what it is given; waits while `held`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.held = threading.Event()
        self.held.set()
        self.threads: set[str] = set()

    def append_batch(self, appends: Sequence[int]) -> list[Outcome]:
        self.begun.set()
        assert self.held.wait(10)
        self.threads.add(threading.current_thread().name)
        self.batches.append(list(appends))
        return [outcome(append) for append in appends]


def outcome(number: int) -> Outcome:
    if number < 0:
        return EventIdReused(f"{number}")
    return Appended(first_position=number, last_position=number, versions=(1,), recorded_at=Timestamp(0))


def position(result: object) -> int:
    assert isinstance(result, Appended)
    return result.first_position


async def begun(engine: Engine) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, engine.begun.wait, 10)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_waits_during_a_commit_becomes_the_next_batch() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch)
        engine.held.clear()
        first = asyncio.ensure_future(group.append(0))
        await begun(engine)
        others = [asyncio.ensure_future(group.append(n)) for n in range(1, 11)]
        await turns()
        engine.held.set()
        assert [position(result) for result in await asyncio.gather(first, *others)] == list(range(11))
        assert engine.batches == [[0], list(range(1, 11))]
        await group.aclose()

    asyncio.run(scenario())


def test_where_callers_come_together_a_commit_waits_some_turns_for_more() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch, append_inline=engine.append_batch)
        await asyncio.gather(group.append(0), group.append(1))
        early = asyncio.ensure_future(group.append(2))
        await turns(TURNS // 2)
        await asyncio.gather(early, group.append(3))
        alone = asyncio.ensure_future(group.append(4))
        await turns(TURNS + 2)
        assert alone.done()
        await group.append(5)  # one came alone, so this one waits for nobody
        assert engine.batches == [[0, 1], [2, 3], [4], [5]]
        await group.aclose()

    asyncio.run(scenario())


def test_an_outcome_that_is_an_error_is_raised_for_its_own_caller() -> None:
    async def scenario() -> None:
        group = GroupCommit(Engine().append_batch)
        results = await asyncio.gather(*(group.append(n) for n in (1, -2, 3)), return_exceptions=True)
        assert position(results[0]) == 1
        assert isinstance(results[1], EventIdReused)
        assert position(results[2]) == 3
        await group.aclose()

    asyncio.run(scenario())


def test_an_engine_that_breaks_tells_its_batch_and_serves_the_next() -> None:
    async def scenario() -> None:
        def append_batch(appends: Sequence[int]) -> list[Outcome]:
            if 0 in appends:
                raise RuntimeError("broken")
            return [outcome(append) for append in appends]

        group = GroupCommit(append_batch)
        with pytest.raises(RuntimeError, match="broken"):
            await group.append(0)
        assert position(await group.append(1)) == 1
        await group.aclose()

    asyncio.run(scenario())


def test_a_full_queue_keeps_callers_at_the_door_in_order() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch, max_batch=2, max_queue=3)
        engine.held.clear()
        tasks = [asyncio.ensure_future(group.append(0))]
        await begun(engine)
        tasks += [asyncio.ensure_future(group.append(n)) for n in range(1, 12)]
        await turns()
        assert len(group._queue) == 3
        assert len(group._door) == 8
        engine.held.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        assert [number for batch in engine.batches for number in batch] == list(range(12))
        assert max(len(batch) for batch in engine.batches) == 2
        assert group._reserved == 0
        await group.aclose()

    asyncio.run(scenario())


def test_callers_who_give_up_at_the_door_or_inside_hold_up_nobody() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch, max_queue=1)
        engine.held.clear()
        tasks = [asyncio.ensure_future(group.append(0))]
        await begun(engine)
        tasks += [asyncio.ensure_future(group.append(n)) for n in range(1, 9)]
        await turns()
        for number in (0, 1, 2, 3, 6):
            tasks[number].cancel()
        await turns()
        engine.held.set()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        assert [position(results[number]) for number in (4, 5, 7, 8)] == [4, 5, 7, 8]
        assert [number for batch in engine.batches for number in batch] == [0, 1, 4, 5, 7, 8]
        await group.aclose()

    asyncio.run(scenario())


def test_a_place_promised_to_a_caller_who_gives_up_goes_to_the_next() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch, max_queue=1)
        engine.held.clear()
        tasks = [asyncio.ensure_future(group.append(n)) for n in range(4)]
        await begun(engine)
        await turns()
        group._state.acquire()  # the writer cannot take a batch between the promise and the cancelling
        engine.held.set()
        group._queue.clear()
        group._open_door()
        tasks[2].cancel()
        group._state.release()
        assert position(await asyncio.wait_for(tasks[3], 10)) == 3
        tasks[1].cancel()
        await group.aclose()

    asyncio.run(scenario())


def inline(engine: Engine) -> GroupCommit[int]:
    """Commits on the loop while that is quick."""
    return GroupCommit(engine.append_batch, append_inline=engine.append_batch)


def test_what_comes_in_one_turn_of_the_loop_is_one_commit_on_the_loop() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = inline(engine)
        for number in range(3):
            assert position(await group.append(number)) == number
        await asyncio.gather(*(group.append(number) for number in range(3, 9)))
        assert engine.batches == [[0], [1], [2], list(range(3, 9))]
        assert engine.threads == {threading.current_thread().name}
        await group.aclose()

    asyncio.run(scenario())


def test_callers_of_a_slow_disk_are_served_by_the_thread_until_it_is_quick_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick_in_thread = SLOW - 1
    waits = iter([2 * LIMIT] * (SLOW + quick_in_thread) + [0.0] * 2 * SLOW)
    monkeypatch.setattr(Stopwatch, "idle", lambda self: next(waits))
    on_loop = []

    async def scenario() -> None:
        engine = Engine()
        group = inline(engine)
        for _ in range(SLOW + quick_in_thread + SLOW):
            engine.threads.clear()
            await asyncio.gather(group.append(1), group.append(2))
            on_loop.append(engine.threads == {threading.current_thread().name})
            while group._busy:  # the thread looks after the log yet  # noqa: ASYNC110
                await asyncio.sleep(0)
        await group.aclose()

    asyncio.run(scenario())
    # A wait in the thread says nothing while it is long; the first short one is believed.
    assert on_loop == [True] * SLOW + [False] * (quick_in_thread + 1) + [True] * (SLOW - 1)


def slow_pace() -> CommitPace:
    pace = CommitPace()
    for _ in range(2 * MOST):
        pace.waited(2 * LIMIT, inline=True)
    return pace


def test_now_and_then_a_commit_on_the_loop_looks_whether_the_disk_is_quick_again() -> None:
    pace = slow_pace()
    tries = [pace.on_loop(2) for _ in range(2 * PROBE)]
    assert [number for number, quick in enumerate(tries, 1) if quick] == [PROBE, 2 * PROBE]
    for _ in range(MOST):
        pace.waited(0, inline=True)
    assert pace.on_loop(2)


def test_a_caller_who_is_alone_commits_on_the_loop_however_slow_the_disk_is() -> None:
    pace = slow_pace()
    assert pace.on_loop(1)
    assert not pace.on_loop(2)  # he is not
    in_thread = [pace.on_loop(1) for _ in range(ALONE)]
    assert in_thread.count(True) == 1  # the one that looks whether the disk is quick again
    assert pace.on_loop(1)


def test_a_wait_in_the_thread_never_calls_a_quick_disk_slow() -> None:
    """There it may have been for Python's lock."""
    pace = CommitPace()
    for _ in range(MOST):
        pace.waited(2 * LIMIT, inline=False)
    assert pace.on_loop(2)


def test_callers_who_would_have_to_wait_for_another_writer_are_queued_in_order() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch, append_inline=lambda appends: None)
        results = await asyncio.gather(*(group.append(number) for number in range(5)))
        assert [position(result) for result in results] == list(range(5))
        assert engine.batches == [list(range(5))]
        assert engine.threads == {"event-store-writer"}
        await group.aclose()

    asyncio.run(scenario())


def test_an_engine_that_breaks_on_the_loop_tells_its_batch_and_serves_the_next() -> None:
    async def scenario() -> None:
        def append_batch(appends: Sequence[int]) -> list[Outcome]:
            if 0 in appends:
                raise RuntimeError("broken")
            return [outcome(append) for append in appends]

        group = GroupCommit(append_batch, append_inline=append_batch)
        broken = await asyncio.gather(group.append(0), group.append(1), return_exceptions=True)
        assert [type(result) for result in broken] == [RuntimeError, RuntimeError]
        assert position(await group.append(2)) == 2
        await group.aclose()

    asyncio.run(scenario())


def test_a_commit_on_one_loop_leaves_what_another_loop_queued_meanwhile_to_the_thread() -> None:
    engine = Engine()
    group = inline(engine)
    engine.held.clear()
    results: list[int] = []

    def other() -> None:
        results.append(position(asyncio.run(asyncio.wait_for(group.append(2), 10))))

    async def scenario() -> None:
        threading.Thread(target=let_go).start()
        results.append(position(await group.append(1)))  # blocks this loop until it is let go
        await asyncio.to_thread(thread.join)
        await group.aclose()

    def let_go() -> None:
        assert engine.begun.wait(10)
        thread.start()
        while group.callers < 2:  # the other append is queued, behind the commit
            threading.Event().wait(0.001)
        engine.held.set()

    thread = threading.Thread(target=other)
    asyncio.run(scenario())
    assert sorted(results) == [1, 2]
    assert engine.batches == [[1], [2]]
    assert "event-store-writer" in engine.threads


def test_callers_count_until_they_are_answered() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch, max_queue=2)
        engine.held.clear()
        tasks = [asyncio.ensure_future(group.append(0))]
        await begun(engine)
        tasks += [asyncio.ensure_future(group.append(n)) for n in range(1, 6)]
        await turns()
        assert group.callers == 6
        engine.held.set()
        await asyncio.gather(*tasks)
        assert group.callers == 0
        await group.aclose()

    asyncio.run(scenario())


def test_upkeep_runs_in_the_writer_after_the_answer() -> None:
    async def scenario() -> None:
        done = threading.Event()
        threads: list[str] = []

        def do() -> None:
            threads.append(threading.current_thread().name)
            done.set()

        engine = Engine()
        upkeep = Upkeep(lambda: bool(engine.batches) and not done.is_set(), do)
        group = GroupCommit(engine.append_batch, append_inline=engine.append_batch, upkeep=upkeep)
        await group.append(1)
        assert await asyncio.get_running_loop().run_in_executor(None, done.wait, 10)
        assert engine.threads == {threading.current_thread().name}
        assert threads == ["event-store-writer"]
        await group.aclose()

    asyncio.run(scenario())


def test_a_loop_that_ends_before_its_turn_leaves_its_append_to_the_next_caller() -> None:
    engine = Engine()
    group = inline(engine)
    gone = asyncio.new_event_loop()
    left = group.append(1)
    gone.call_soon(left.send, None)  # queued, and the loop never comes to commit it
    gone.call_soon(gone.stop)
    gone.run_forever()
    gone.close()
    left.close()

    async def scenario() -> None:
        assert position(await group.append(2)) == 2
        assert engine.batches == [[1, 2]]
        await group.aclose()

    asyncio.run(scenario())


def test_closing_commits_what_its_loop_had_no_turn_for() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = inline(engine)
        task = asyncio.ensure_future(group.append(1))
        await asyncio.sleep(0)  # it is queued, and its turn has not ended
        await group.aclose()
        assert position(await task) == 1
        assert engine.batches == [[1]]

    asyncio.run(scenario())


def test_a_closed_event_loop_is_passed_over() -> None:
    engine = Engine()
    group = GroupCommit(engine.append_batch)
    engine.held.clear()
    gone = asyncio.new_event_loop()
    task = gone.create_task(group.append(1))
    gone.run_until_complete(begun(engine))
    task.cancel()
    gone.run_until_complete(asyncio.gather(task, return_exceptions=True))
    gone.run_until_complete(gone.shutdown_default_executor())
    gone.close()

    async def scenario() -> None:
        second = asyncio.ensure_future(group.append(2))
        await turns()
        engine.held.set()
        assert position(await second) == 2
        await group.aclose()

    asyncio.run(scenario())


def test_closing_commits_what_waits_and_refuses_what_comes() -> None:
    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch, max_queue=2)
        engine.held.clear()
        tasks = [asyncio.ensure_future(group.append(n)) for n in range(5)]
        await begun(engine)
        await turns()
        closing = asyncio.ensure_future(group.aclose())
        await turns()
        engine.held.set()
        await asyncio.wait_for(closing, 10)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, Appended | StoreUnavailable) for result in results)
        assert sum(len(batch) for batch in engine.batches) == sum(isinstance(result, Appended) for result in results)
        with pytest.raises(StoreUnavailable, match="closed"):
            await group.append(9)

    asyncio.run(scenario())


def test_a_full_queue_of_a_loop_that_is_gone_keeps_nobody_at_the_door() -> None:
    engine = Engine()
    group = GroupCommit(engine.append_batch, append_inline=engine.append_batch, max_queue=1)
    gone = asyncio.new_event_loop()
    left = group.append(1)
    gone.call_soon(left.send, None)
    gone.call_soon(gone.stop)
    gone.run_forever()
    gone.close()
    left.close()

    async def scenario() -> None:
        assert position(await asyncio.wait_for(group.append(2), 10)) == 2
        assert [number for batch in engine.batches for number in batch] == [1, 2]
        await group.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize("had_thread", [False, True])
def test_what_slips_in_while_another_thread_closes_is_refused(had_thread: bool) -> None:
    """Between the look whether it is closed and the place in the queue."""

    async def scenario() -> None:
        engine = Engine()
        group = GroupCommit(engine.append_batch, append_inline=None if had_thread else engine.append_batch)
        await group.append(1)
        await group.aclose()
        seat = (asyncio.get_running_loop(), asyncio.get_running_loop().create_future())
        group._put(2, seat)
        assert isinstance(await asyncio.wait_for(seat[1], 10), StoreUnavailable)
        assert engine.batches == [[1]]
        assert group.callers == 0

    asyncio.run(scenario())
