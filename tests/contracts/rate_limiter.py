"""What every rate limiter must do; each adapter's test module subclasses this suite and brings `open_limiter`.

Nothing here sleeps for its turn: a grant names its moment, and the laws are about those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import cast

import pytest

from model_orchestrator.application.limits import Grant, Limits, RateLimiter, Receipt
from model_orchestrator.infrastructure.limits import gcra
from model_orchestrator.infrastructure.limits.booked import BookedLimiter
from model_orchestrator.infrastructure.limits.opening import open_rate_limiter

from .limiter_process import start
from .store_process import finished, go

OpenLimiter = Callable[[], RateLimiter]
Play = Callable[[Callable[[RateLimiter], Awaitable[None]]], None]
Weighed = tuple[int, int]  # a grant's moment in microseconds, and its weight


def fullest_window(grants: Sequence[Weighed], window: float) -> int:
    """The most that any closed window of so many seconds holds."""
    width = round(window * 1_000_000)
    return max(sum(weight for at, weight in grants if end - width <= at <= end) for end, _ in grants)


def use(grants: Sequence[Weighed], limit: int, window: float) -> float:
    """The share of the limit that was granted after the first moment, up to the last; `grants` in order."""
    (first, _), *rest = grants
    return sum(weight for _, weight in rest) * window * 1_000_000 / limit / (rest[-1][0] - first)


def by_request(grants: Sequence[Grant]) -> list[Weighed]:
    return [(grant.granted_at, 1) for grant in grants]


def by_token(grants: Sequence[Grant]) -> list[Weighed]:
    return [(grant.granted_at, grant.tokens) for grant in grants]


async def kept(limiter: RateLimiter) -> gcra.Books | None:
    """The books of model m."""
    books, _, _ = await cast(BookedLimiter, limiter)._look("m", 0)
    return books


class RateLimiterContract:
    """`open_limiter` returns a function; each call opens the test's own, at first empty, limiter."""

    @pytest.fixture
    def open_limiter(self) -> OpenLimiter:
        raise NotImplementedError

    @pytest.fixture
    def play(self, open_limiter: OpenLimiter) -> Play:
        """Runs a scenario on a limiter of its own."""

        def run(scenario: Callable[[RateLimiter], Awaitable[None]]) -> None:
            async def played() -> None:
                limiter = open_limiter()
                await scenario(limiter)
                await limiter.aclose()

            asyncio.run(played())

        return run

    def test_the_first_call_starts_at_once_and_the_next_at_the_steady_rate(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=50)
            first, second = [await limiter.reserve("m", limits, tokens=1) for _ in range(2)]
            assert (first.wait, first.model, first.limits, first.tokens) == (0, "m", limits, 0)
            assert second.granted_at - first.granted_at == 60_000_000 // 46 + 1
            assert 0 < second.wait <= 60 / 46 + 0.001

        play(scenario)

    def test_no_window_holds_more_requests_than_the_limit_and_nine_tenths_are_used(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=20, window=3)
            grants = [await limiter.reserve("m", limits, tokens=0) for _ in range(90)]
            assert fullest_window(by_request(grants), 3) <= 20
            assert use(by_request(grants), 20, 3) >= 0.9

        play(scenario)

    def test_no_window_holds_more_tokens_than_the_limit_and_nine_tenths_are_used(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(tokens=10_000, window=3)
            grants = [await limiter.reserve("m", limits, tokens=1 + 37 * n % 900) for n in range(90)]
            assert fullest_window(by_token(grants), 3) <= 10_000
            assert use(by_token(grants), 10_000, 3) >= 0.9

        play(scenario)

    def test_grants_follow_the_order_of_arrival(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=7, tokens=1000, window=1)
            moments = [
                (await limiter.reserve("m", limits, tokens=n)).granted_at for n in (900, 1, 400, 1, 1, 1, 1, 1000, 1)
            ]
            assert moments == sorted(moments)

        play(scenario)

    def test_after_a_rest_a_burst_goes_at_once(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=50, window=0.5)
            await limiter.reserve("m", limits, tokens=0)
            await asyncio.sleep(0.08)  # the rest: the burst's five calls take 54 ms to earn
            grants = [await limiter.reserve("m", limits, tokens=0) for _ in range(6)]
            assert all(grant.wait < 0.0001 for grant in grants[:5])
            assert grants[5].granted_at - grants[0].granted_at >= 500_000 // 46

        play(scenario)

    def test_the_tighter_limit_decides(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=30, tokens=3000, window=3)
            grants = [await limiter.reserve("m", limits, tokens=tokens) for tokens in [1] * 60 + [1000] * 20]
            assert fullest_window(by_request(grants), 3) <= 30
            assert fullest_window(by_token(grants), 3) <= 3000
            assert use(by_request(grants[:60]), 30, 3) >= 0.9

        play(scenario)

    def test_a_call_larger_than_the_limit_goes_alone(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(tokens=1000, window=3)
            grants = [await limiter.reserve("m", limits, tokens=tokens) for tokens in (1, 5000, 1)]
            assert [grant.tokens for grant in grants] == [1, 1000, 1]
            assert grants[1].granted_at - grants[0].granted_at > 3_000_000
            assert grants[2].granted_at - grants[1].granted_at > 3_000_000

        play(scenario)

    def test_models_do_not_wait_for_each_other(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=1)
            assert [(await limiter.reserve(name, limits, tokens=0)).wait for name in ("a", "b")] == [0, 0]
            assert await limiter.expected_wait("a", limits, tokens=0) > 59
            assert await limiter.expected_wait("c", limits, tokens=0) == 0

        play(scenario)

    def test_without_a_limit_nothing_waits_and_nothing_is_kept(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            grants = [await limiter.reserve("m", Limits(), tokens=10**9) for _ in range(50)]
            assert {grant.wait for grant in grants} == {0.0}
            await limiter.correct(grants[0], used_tokens=1)
            await limiter.cancel(grants[1])
            assert await limiter.expected_wait("m", Limits(), tokens=10**9) == 0
            assert await kept(limiter) is None

        play(scenario)

    def test_the_expected_wait_is_what_the_next_one_gets(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=5, tokens=100)
            for _ in range(3):
                await limiter.reserve("m", limits, tokens=50)
            expected = await limiter.expected_wait("m", limits, tokens=10)
            assert await limiter.expected_wait("m", limits, tokens=10) == pytest.approx(expected, abs=1)
            assert (await limiter.reserve("m", limits, tokens=10)).wait == pytest.approx(expected, abs=1)

        play(scenario)

    def test_tokens_that_were_not_used_go_to_the_next(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(tokens=1000)
            grant = await limiter.reserve("m", limits, tokens=900)
            before = await limiter.expected_wait("m", limits, tokens=100)
            await limiter.correct(grant, used_tokens=100)
            assert before - await limiter.expected_wait("m", limits, tokens=100) > 800 / 901 * 60

        play(scenario)

    def test_tokens_used_beyond_the_estimate_make_the_next_wait(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(tokens=1000)
            grant = await limiter.reserve("m", limits, tokens=100)
            await limiter.correct(grant, used_tokens=1000)
            assert await limiter.expected_wait("m", limits, tokens=100) > 50

        play(scenario)

    def test_the_last_place_given_back_is_as_if_never_taken(self, play: Play) -> None:
        """Not even a large call leaves anything to wait for."""

        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=2, tokens=1000)
            await limiter.reserve("m", limits, tokens=10)
            before = await limiter.expected_wait("m", limits, tokens=10)
            waiting = await limiter.reserve("m", limits, tokens=1000)
            assert waiting.wait > 60
            await limiter.cancel(waiting)
            assert before - 1 < await limiter.expected_wait("m", limits, tokens=10) <= before
            assert (await limiter.reserve("m", limits, tokens=10)).wait <= before

        play(scenario)

    def test_a_place_given_back_goes_to_the_next_who_fits_it(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=10, tokens=1000)
            first, second, third, last = [await limiter.reserve("m", limits, tokens=n) for n in (90, 60, 50, 10)]
            for grant in (third, second):
                await limiter.cancel(grant)
            larger = await limiter.reserve("m", limits, tokens=61)
            assert larger.granted_at > last.granted_at
            expected = await limiter.expected_wait("m", limits, tokens=55)
            again = [await limiter.reserve("m", limits, tokens=n) for n in (55, 20)]
            assert [(grant.granted_at, grant.tokens) for grant in again] == [
                (second.granted_at, 60),
                (third.granted_at, 50),
            ]
            assert again[0].wait == pytest.approx(expected, abs=1)
            assert (await limiter.reserve("m", limits, tokens=1)).granted_at > larger.granted_at
            assert first.wait == 0

        play(scenario)

    def test_a_whole_queue_given_back_is_free_in_whatever_order(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=50)
            queue = [await limiter.reserve("m", limits, tokens=0) for _ in range(40)]
            for grant in queue[1:]:
                await limiter.cancel(grant)
            assert (await limiter.reserve("m", limits, tokens=0)).granted_at == queue[1].granted_at

        play(scenario)

    def test_a_place_whose_moment_has_passed_is_given_to_nobody(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=50, window=0.5)
            queue = [await limiter.reserve("m", limits, tokens=0) for _ in range(4)]
            await limiter.cancel(queue[1])
            await asyncio.sleep(queue[1].wait + 0.001)  # the moment itself
            assert (await limiter.reserve("m", limits, tokens=0)).granted_at > queue[1].granted_at
            await limiter.cancel(queue[2])

        play(scenario)

    def test_a_grant_from_before_the_state_was_deleted_changes_nothing(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=2, tokens=100)
            grant = await limiter.reserve("m", limits, tokens=10)
            books = await kept(limiter)
            old = replace(grant, receipt=Receipt(life=1, requests=1, tokens=1))
            for stale in (old, replace(old, model="never asked")):
                await limiter.correct(stale, used_tokens=50)
                await limiter.cancel(stale)
            assert await kept(limiter) == books

        play(scenario)

    def test_who_is_admitted_took_a_place_and_who_is_not_took_none(self, play: Play) -> None:
        """However often it was refused, the next one comes when the rule has it."""

        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=50)
            assert await limiter.admit("m", limits) == 0
            taken = await kept(limiter)
            assert taken is not None
            waits = [await limiter.admit("m", limits) for _ in range(40)]
            assert await kept(limiter) == taken
            assert taken == gcra.begun(taken.asked, gcra.call(limits, 0))
            assert all(0 < wait <= 60 / 46 + 0.001 for wait in waits)
            assert waits == sorted(waits, reverse=True)
            assert await limiter.admit("another", limits) == 0
            assert {await limiter.admit("m", Limits()) for _ in range(9)} == {0.0}

        play(scenario)

    def test_a_wait_that_was_told_is_long_enough(self, play: Play) -> None:
        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=50, window=0.5)
            await limiter.admit("m", limits)
            await asyncio.sleep(await limiter.admit("m", limits) + 0.001)  # the wait itself
            assert await limiter.admit("m", limits) == 0

        play(scenario)

    def test_the_books_are_kept_by_the_rule(self, play: Play) -> None:
        """Whatever language they are kept in, they are what gcra.py's functions say."""

        async def scenario(limiter: RateLimiter) -> None:
            limits = Limits(requests=9, tokens=1000, window=1)
            books: gcra.Books | None = None
            for tokens in (120, 1, 700, 30, 0, 1000, 5):
                grant = await limiter.reserve("m", limits, tokens=tokens)
                found = await kept(limiter)
                assert found is not None
                call = gcra.call(limits, tokens)
                assert found == (gcra.reserved(books, found.asked, call) if books else gcra.begun(found.asked, call))
                assert grant.receipt == Receipt(found.life, found.requests.total, found.tokens.total)
                books = await self._changed(cast(BookedLimiter, limiter), found, grant)

        play(scenario)

    async def _changed(self, limiter: BookedLimiter, books: gcra.Books, grant: Grant) -> gcra.Books:
        """The books after every kind of change, held against the rule each time."""
        assert grant.receipt is not None
        if grant.tokens % 2:
            await limiter.cancel(grant)
            undone = gcra.undone(books, grant.receipt)
            assert undone is not None
            assert await kept(limiter) == undone
            return undone
        for requests, tokens in ((0, -3), (0, 2000), (-1, -900), (-200_000, -5_000_000)):
            await limiter._correct("m", grant.receipt, requests=requests, tokens=tokens)
            books = gcra.corrected(books, grant.receipt, requests=requests, tokens=tokens)
            assert await kept(limiter) == books
        return books


class SharedRateLimiterContract:
    """What those with one database share; `database_url` names the test's own, at first empty."""

    @pytest.fixture
    def database_url(self) -> str:
        raise NotImplementedError

    def test_4_processes_use_nine_tenths_of_50_a_2_seconds_and_never_more(self, database_url: str) -> None:
        """16 callers each, who sleep for their first turn: 128 grants, over five and a half seconds of moments."""
        processes = [start(database_url, 16, 2, 50, 2) for _ in range(4)]
        go(processes)
        lines = finished(processes)
        grants = sorted((int(line), 1) for written in lines for line in written)
        assert [len(written) for written in lines] == [32] * 4
        assert fullest_window(grants, 2) <= 50
        assert use(grants, 50, 2) >= 0.9

    def test_of_many_who_come_at_once_one_is_admitted(self, database_url: str) -> None:
        """And the books say so: those who were refused took nothing, together or alone."""

        async def scenario() -> None:
            limits = Limits(requests=60)
            limiters = [open_rate_limiter(database_url) for _ in range(2)]
            waits = await asyncio.gather(*(limiters[n % 2].admit("m", limits) for n in range(40)))
            assert waits.count(0) == 1
            books = await kept(limiters[0])
            assert books is not None
            assert books == gcra.begun(books.asked, gcra.call(limits, 0))
            for limiter in limiters:
                await limiter.aclose()

        asyncio.run(scenario())

    def test_two_openings_keep_one_queue(self, database_url: str) -> None:
        async def scenario() -> None:
            limits = Limits(requests=20, window=3)
            limiters = [open_rate_limiter(database_url) for _ in range(2)]
            grants = await asyncio.gather(
                *(limiters[n % 2].reserve("m", limits, tokens=0) for n in range(60)),
            )
            assert fullest_window(by_request(grants), 3) <= 20
            assert use(sorted(by_request(grants)), 20, 3) >= 0.9
            for limiter in limiters:
                await limiter.aclose()

        asyncio.run(scenario())
