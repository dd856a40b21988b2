"""The laws of the rate limiter's rule, under a clock of the test's own."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model_orchestrator.application.limits import Grant, Limits
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.limits.memory import MemoryRateLimiter
from tests.contracts.rate_limiter import Weighed, fullest_window, use

T = TypeVar("T")
COUNTS = st.integers(1, 60)
BIG_COUNTS = st.integers(1, 30_000)
STEPS = st.integers(0, 700_000)  # microseconds between two arrivals


def now_or_never(coroutine: Coroutine[Any, Any, T]) -> T:
    """What it returns; it waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


@dataclass
class World:
    """A limiter, its clock, and what each grant weighs as far as is known."""

    limits: Limits
    now: int = 1_800_000_000_000_000
    grants: list[Grant] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limiter = MemoryRateLimiter(clock=lambda: Timestamp(self.now))

    def reserve(self, tokens: int, after: int = 0) -> Grant:
        """A call that comes so many microseconds later."""
        self.now += after
        self.grants.append(now_or_never(self.limiter.reserve("m", self.limits, tokens=tokens)))
        self.tokens.append(self.grants[-1].tokens)
        self.requests.append(1)
        return self.grants[-1]

    def correct(self, number: int, used: int) -> None:
        now_or_never(self.limiter.correct(self.grants[number], used_tokens=used))
        self.tokens[number] = used

    def cancel(self, number: int) -> None:
        now_or_never(self.limiter.cancel(self.grants[number]))
        self.tokens[number] = self.requests[number] = 0

    def expected(self, tokens: int = 0) -> float:
        return now_or_never(self.limiter.expected_wait("m", self.limits, tokens=tokens))

    def weighed(self, weights: list[int]) -> list[Weighed]:
        return [(grant.granted_at, weight) for grant, weight in zip(self.grants, weights, strict=True)]

    def check(self) -> None:
        """The law."""
        window = self.limits.window
        if self.limits.requests is not None:
            assert fullest_window(self.weighed(self.requests), window) <= self.limits.requests
        if self.limits.tokens is not None:
            assert fullest_window(self.weighed(self.tokens), window) <= self.limits.tokens


limits_of_any_kind = st.builds(
    Limits,
    requests=st.none() | COUNTS,
    tokens=st.none() | BIG_COUNTS,
    window=st.sampled_from([0.001, 0.1, 1.0, 2.0, 3.7]),
).filter(lambda limits: not limits.unlimited)


@given(limits_of_any_kind, st.lists(st.tuples(STEPS, st.integers(0, 20_000)), min_size=1, max_size=60))
def test_no_window_holds_more_than_the_limit(limits: Limits, arrivals: list[tuple[int, int]]) -> None:
    """Whatever comes when: closed windows that begin anywhere, requests and tokens of any size together."""
    world = World(limits)
    for step, tokens in arrivals:
        assert world.reserve(tokens, after=step).granted_at >= world.now
    world.check()
    moments = [grant.granted_at for grant in world.grants]
    assert moments == sorted(moments), "first come, first served"


@given(limits_of_any_kind, st.data())
def test_no_window_holds_more_with_corrections_and_cancelled_places(limits: Limits, data: st.DataObject) -> None:
    """At each grant, with what is known by then of the earlier ones; none used more than it reserved."""
    world = World(limits)
    opened: list[int] = []
    for _ in range(data.draw(st.integers(1, 40))):
        what = (
            data.draw(st.sampled_from(["reserve", "reserve", "reserve", "correct", "cancel"])) if opened else "reserve"
        )
        if what == "reserve":
            opened.append(len(world.grants))
            world.reserve(data.draw(st.integers(0, 20_000)), after=data.draw(STEPS))
            world.check()
            continue
        number = opened.pop(data.draw(st.integers(0, len(opened) - 1)))
        world.now += data.draw(STEPS)
        if what == "correct":
            world.correct(number, data.draw(st.integers(0, world.tokens[number])))
        else:
            world.cancel(number)


@given(COUNTS, st.integers(0, 10**6))
def test_a_busy_model_uses_nine_tenths_of_its_requests(requests: int, rest: int) -> None:
    world = World(Limits(requests=requests, window=2))
    world.reserve(0)
    for _ in range(2 * requests + 20):
        world.reserve(0, after=rest)
        rest = 0
    assert use(world.weighed(world.requests)[1:], requests, 2) >= 0.9


@given(st.integers(10, 30_000), st.data())
def test_a_busy_model_uses_nine_tenths_of_its_tokens_with_calls_up_to_the_burst(
    limit: int, data: st.DataObject
) -> None:
    world = World(Limits(tokens=limit, window=2))
    sizes = st.integers(limit // 20, limit // 10)
    world.reserve(0)
    sent = 0
    while sent < 2 * limit and len(world.grants) < 150:
        sent += world.reserve(data.draw(sizes)).tokens
    assume(sent >= limit)
    assert use(world.weighed(world.tokens), limit, 2) >= 0.9


@given(st.integers(100, 30_000))
def test_a_lone_caller_pays_what_it_used_and_not_what_it_reserved(limit: int) -> None:
    """One call after the other, each reserving the whole burst and using nothing, does not wait."""
    world = World(Limits(tokens=limit, window=2))
    world.reserve(0)
    world.now += 1_000_000
    for _ in range(50):
        assert world.reserve(limit // 10, after=10).wait <= 0.000_002
        world.correct(len(world.grants) - 1, 0)
    world.check()


def test_what_a_call_did_not_use_is_not_saved_for_later() -> None:
    """A late correction of an old grant gives no second burst: that time is gone."""
    world = World(Limits(tokens=1000, window=1))
    world.reserve(1000)
    world.now += 10_000_000
    for _ in range(4):
        world.reserve(100)
    world.correct(0, 0)
    for _ in range(20):
        world.reserve(100)
    world.check()


def test_tokens_used_beyond_the_estimate_are_paid_by_those_who_come_after() -> None:
    world = World(Limits(tokens=1000, window=1))
    world.reserve(100)
    world.correct(0, 1000)
    world.reserve(100, after=500_000)
    world.check()


@given(st.integers(1, 60), st.sampled_from([1, 4, 10]), st.integers(1, 80), st.integers(0, 400_000))
def test_deleting_the_books_costs_one_call(limit: int, hundredths: int, before: int, rest: int) -> None:
    """Where nobody was waiting: a window across the deletion holds the limit and the first call after it."""
    world = World(Limits(requests=limit, tokens=100 * limit, window=2))
    tokens = hundredths * limit
    world.reserve(0)
    world.now += 2_000_001  # the burst is earned
    for _ in range(before):
        world.now = max(world.now, world.reserve(tokens).granted_at)  # each sleeps for its turn
    world.now += rest
    world.limiter = MemoryRateLimiter(clock=lambda: Timestamp(world.now))
    assert world.reserve(tokens).wait == 0
    for _ in range(80):
        world.reserve(tokens)
    assert fullest_window(world.weighed(world.requests), 2) <= limit + 1
    assert fullest_window(world.weighed(world.tokens), 2) <= 100 * limit + tokens


@given(limits_of_any_kind, st.lists(st.tuples(STEPS, st.integers(0, 10**7)), min_size=1, max_size=40))
def test_a_clock_set_back_lets_nobody_wait_for_it_to_catch_up(limits: Limits, arrivals: list[tuple[int, int]]) -> None:
    """In time as it passed no window holds too much; and at worst a wait is what it were had no time passed."""
    world, frozen = World(limits), World(limits)
    passed = 0
    moments = []
    for step, set_back in arrivals:
        passed += step
        world.now -= set_back
        wait = world.reserve(10, after=step).wait
        moments.append(passed + round(wait * 1_000_000))
        assert wait <= frozen.reserve(10).wait
    if limits.requests is not None:
        assert fullest_window([(at, 1) for at in moments], limits.window) <= limits.requests
    if limits.tokens is not None:
        assert fullest_window(list(zip(moments, world.tokens, strict=True)), limits.window) <= limits.tokens


def test_a_place_from_before_the_clock_was_set_back_is_given_to_nobody() -> None:
    """Its moment means another one now."""
    world = World(Limits(requests=4, window=1))
    for _ in range(6):
        world.reserve(0)
    world.cancel(1)
    world.cancel(2)
    assert world.expected() == world.grants[1].wait
    world.now -= 3600 * 1_000_000
    for _ in range(2):  # as the books are, and in their new life
        assert world.grants[5].wait < world.expected() < 3
        world.reserve(0)


def test_limits_are_numbers_above_zero() -> None:
    for wrong in ({"requests": 0}, {"tokens": -1}, {"window": 0.0}):
        with pytest.raises(ValueError, match="1 or more"):
            Limits(**wrong)
