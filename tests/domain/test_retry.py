"""Retries: of what, how often, after how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.retry import POLICY, RetryPolicy, can_succeed_again, retry_delay
from model_orchestrator.domain.units import Duration

SECOND = 1_000_000
SERVER = ErrorKind.SERVER
MANY = RetryPolicy(retries=100)
draws = st.floats(0, 1)


def seconds(value: float) -> Duration:
    return Duration(round(value * SECOND))


def test_what_can_succeed_again() -> None:
    assert {kind.value for kind in ErrorKind if can_succeed_again(kind)} == {
        "rate_limited",
        "overloaded",
        "time_out",
        "connection",
        "cut",
        "server",
        "malformed",
    }


@pytest.mark.parametrize("kind", sorted(kind for kind in ErrorKind if not can_succeed_again(kind)))
def test_what_cannot_succeed_again_is_not_retried(kind: ErrorKind) -> None:
    assert retry_delay(kind, retry=1, draw=0.5, retry_after=seconds(1)) is None


def test_there_are_two_retries() -> None:
    delays = [retry_delay(SERVER, retry=n, draw=0.5) for n in (1, 2, 3)]
    assert delays == [seconds(0.25), seconds(0.5), None]
    assert retry_delay(SERVER, retry=0, draw=0.5) is None


def test_the_bound_doubles_up_to_30_seconds() -> None:
    bounds = [retry_delay(SERVER, retry=n, draw=1, policy=MANY) for n in (1, 2, 3, 4, 5, 6, 7, 8, 100)]
    assert bounds == [seconds(bound) for bound in (0.5, 1, 2, 4, 8, 16, 30, 30, 30)]


@given(st.integers(1, 100), draws)
def test_the_jitter_is_full(retry: int, draw: float) -> None:
    """Evenly from nothing to the bound."""
    longest = retry_delay(SERVER, retry=retry, draw=1, policy=MANY)
    delay = retry_delay(SERVER, retry=retry, draw=draw, policy=MANY)
    assert longest is not None
    assert delay == round(draw * longest)


@given(st.integers(1, 100), draws, st.integers(0, 10**9))
def test_no_sooner_than_the_provider_asked_and_little_later(retry: int, draw: float, retry_after: int) -> None:
    delay = retry_delay(SERVER, retry=retry, draw=draw, retry_after=Duration(retry_after), policy=MANY)
    plain = retry_delay(SERVER, retry=retry, draw=draw, policy=MANY)
    assert delay is not None
    assert plain is not None
    assert retry_after <= delay <= max(plain, retry_after + POLICY.first)


def test_those_told_the_same_moment_do_not_all_come_at_it() -> None:
    delays = {retry_delay(SERVER, retry=1, draw=draw, retry_after=seconds(20)) for draw in (0, 0.5, 1)}
    assert delays == {seconds(20), seconds(20.25), seconds(20.5)}


@given(draws, st.integers(0, 2 * SECOND), st.none() | st.integers(0, 2 * SECOND))
def test_a_retry_that_could_not_start_before_the_deadline_is_not_made(
    draw: float, left: int, retry_after: int | None
) -> None:
    asked = None if retry_after is None else Duration(retry_after)
    without = retry_delay(SERVER, retry=1, draw=draw, retry_after=asked)
    within = retry_delay(SERVER, retry=1, draw=draw, retry_after=asked, left=Duration(left))
    assert without is not None
    assert within == (without if without < left else None)


def test_no_time_left_means_no_retry() -> None:
    for left in (0, -1):
        assert retry_delay(SERVER, retry=1, draw=0, left=Duration(left)) is None
