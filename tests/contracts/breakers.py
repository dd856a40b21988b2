"""What every store of breakers must do; each adapter's test module subclasses this suite and brings `open_breakers`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from model_orchestrator.application.limits import Breakers
from model_orchestrator.domain.breaker import BreakerRules, BreakerState, BreakerStatus
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.units import Duration

CLOSED, OPEN, HALF_OPEN = BreakerStatus.CLOSED, BreakerStatus.OPEN, BreakerStatus.HALF_OPEN
SHORT = BreakerRules(failures=3, first_open=Duration(50_000), longest_open=Duration(50_000))
OpenBreakers = Callable[[BreakerRules], Breakers]


async def failed(breakers: Breakers, name: str, times: int) -> None:
    for _ in range(times):
        await breakers.record(name, ErrorKind.SERVER)


async def half_open(breakers: Breakers, name: str) -> None:
    """Opened, and waited until a probe is due."""
    await failed(breakers, name, SHORT.failures)
    await asyncio.sleep(SHORT.first_open / 1_000_000)
    assert (await breakers.states([name]))[name].status is HALF_OPEN


class BreakersContract:
    """`open_breakers` opens the test's own, at first empty, breakers under the rules given."""

    @pytest.fixture
    def open_breakers(self) -> OpenBreakers:
        raise NotImplementedError

    def test_a_name_never_heard_of_is_closed(self, open_breakers: OpenBreakers) -> None:
        async def scenario() -> None:
            breakers = open_breakers(SHORT)
            assert await breakers.states(["a", "b"]) == {"a": BreakerState(), "b": BreakerState()}
            assert await breakers.states([]) == {}
            assert (await breakers.may_call("a")).allows
            await breakers.aclose()

        asyncio.run(scenario())

    def test_failures_in_a_row_open_it_and_no_other(self, open_breakers: OpenBreakers) -> None:
        async def scenario() -> None:
            breakers = open_breakers(BreakerRules())
            await failed(breakers, "a", 4)
            assert (await breakers.may_call("a")).status is CLOSED
            await failed(breakers, "a", 1)
            said = await breakers.may_call("a")
            assert (said.status, said.failures, said.allows) == (OPEN, 5, False)
            assert said.retry_at is not None
            assert await breakers.states(["a", "b"]) == {"a": said, "b": BreakerState()}
            await breakers.aclose()

        asyncio.run(scenario())

    def test_a_refused_key_opens_it_at_once_and_a_rate_limit_never(self, open_breakers: OpenBreakers) -> None:
        async def scenario() -> None:
            breakers = open_breakers(BreakerRules())
            await breakers.record("provider", ErrorKind.AUTH)
            for _ in range(20):
                await breakers.record("model", ErrorKind.RATE_LIMITED)
            states = await breakers.states(["provider", "model"])
            assert [state.status for state in states.values()] == [OPEN, CLOSED]
            await breakers.aclose()

        asyncio.run(scenario())

    def test_of_many_who_ask_one_probes_and_its_answer_closes(self, open_breakers: OpenBreakers) -> None:
        async def scenario() -> None:
            breakers = open_breakers(SHORT)
            await half_open(breakers, "a")
            said = await asyncio.gather(*(breakers.may_call("a") for _ in range(20)))
            assert sorted(state.status for state in said) == [HALF_OPEN] + [OPEN] * 19
            assert (await breakers.states(["a"]))["a"].status is OPEN
            await breakers.record("a", None)
            assert await breakers.may_call("a") == BreakerState()
            await breakers.aclose()

        asyncio.run(scenario())

    def test_a_probe_that_fails_opens_it_again(self, open_breakers: OpenBreakers) -> None:
        async def scenario() -> None:
            breakers = open_breakers(SHORT)
            await half_open(breakers, "a")
            assert (await breakers.may_call("a")).status is HALF_OPEN
            await breakers.record("a", ErrorKind.TIME_OUT)
            assert (await breakers.may_call("a")).status is OPEN
            await breakers.aclose()

        asyncio.run(scenario())

    def test_a_probe_given_back_is_the_next_ones(self, open_breakers: OpenBreakers) -> None:
        async def scenario() -> None:
            breakers = open_breakers(SHORT)
            await half_open(breakers, "a")
            await breakers.may_call("a")
            await breakers.record("a", ErrorKind.CANCELLED)
            assert (await breakers.may_call("a")).status is HALF_OPEN
            await breakers.aclose()

        asyncio.run(scenario())


class SharedBreakersContract:
    """What those with one database share."""

    @pytest.fixture
    def open_breakers(self) -> OpenBreakers:
        raise NotImplementedError

    def test_two_openings_count_together_and_share_the_probe(self, open_breakers: OpenBreakers) -> None:
        async def scenario() -> None:
            pair = [open_breakers(SHORT) for _ in range(2)]
            for n in range(SHORT.failures):
                await failed(pair[n % 2], "a", 1)
            assert (await pair[0].states(["a"]))["a"].failures == SHORT.failures
            await asyncio.sleep(SHORT.longest_open / 1_000_000)
            said = await asyncio.gather(*(pair[n % 2].may_call("a") for n in range(10)))
            assert sorted(state.status for state in said) == [HALF_OPEN] + [OPEN] * 9
            for breakers in pair:
                await breakers.aclose()

        asyncio.run(scenario())

    def test_concurrent_failures_are_all_counted(self, open_breakers: OpenBreakers) -> None:
        async def scenario() -> None:
            pair = [open_breakers(BreakerRules(failures=1000)) for _ in range(2)]
            await asyncio.gather(*(failed(pair[n % 2], "a", 5) for n in range(8)))
            assert (await pair[0].states(["a"]))["a"].failures == 40
            for breakers in pair:
                await breakers.aclose()

        asyncio.run(scenario())
