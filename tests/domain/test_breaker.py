"""Breakers: when they open, for how long, who probes, and what closes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.breaker import (
    RULES,
    UNHEALTHY,
    Breaker,
    BreakerRules,
    BreakerState,
    BreakerStatus,
    after,
    claim,
    state,
)
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.units import Duration, Timestamp

CLOSED, OPEN, HALF_OPEN = BreakerStatus.CLOSED, BreakerStatus.OPEN, BreakerStatus.HALF_OPEN
NOW = 1_800_000_000_000_000
SECOND = 1_000_000


def at(seconds: float) -> Timestamp:
    return Timestamp(NOW + round(seconds * SECOND))


def failing(*moments: float, breaker: Breaker = Breaker(), kind: ErrorKind = ErrorKind.SERVER) -> Breaker:  # noqa: B008
    """After a failure at each of these seconds."""
    for moment in moments:
        breaker = after(breaker, kind, at(moment))
    return breaker


def status(breaker: Breaker, seconds: float) -> BreakerStatus:
    return state(breaker, at(seconds)).status


OPENED = failing(0, 0, 0, 0, 0)  # for 15 seconds


def test_a_new_breaker_is_closed() -> None:
    assert state(Breaker(), at(0)) == BreakerState()
    assert BreakerState().allows


@pytest.mark.parametrize("kind", sorted(UNHEALTHY))
def test_five_failures_in_a_row_open_it_for_15_seconds(kind: ErrorKind) -> None:
    four = failing(0, 1, 2, 3, kind=kind)
    assert (status(four, 3), state(four, at(3)).failures) == (CLOSED, 4)
    five = failing(4, breaker=four, kind=kind)
    assert state(five, at(4)) == BreakerState(status=OPEN, failures=5, retry_at=at(19))
    assert not state(five, at(4)).allows
    assert [status(five, second) for second in (18.9, 19)] == [OPEN, HALF_OPEN]


def test_a_failure_long_after_the_one_before_starts_a_new_row() -> None:
    assert status(failing(0, 60, 120, 180, 240), 240) is OPEN
    assert failing(0, 60, 120, 180, 240.1).failures == 1


def test_an_answer_ends_the_row() -> None:
    assert after(failing(0, 0, 0, 0), None, at(0)) == Breaker()


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - UNHEALTHY - {ErrorKind.AUTH}))
def test_what_says_nothing_about_health_changes_nothing(kind: ErrorKind) -> None:
    for breaker in (Breaker(), failing(0, 0, 0, 0), OPENED):
        assert after(breaker, kind, at(1)) == breaker


def test_rate_limits_are_no_failures() -> None:
    assert ErrorKind.RATE_LIMITED not in UNHEALTHY


def test_a_refused_key_opens_it_at_once() -> None:
    assert state(failing(0, kind=ErrorKind.AUTH), at(0)) == BreakerState(status=OPEN, failures=1, retry_at=at(15))


def test_failures_of_calls_from_before_the_opening_change_nothing() -> None:
    assert failing(1, 14.9, breaker=OPENED) == OPENED
    assert failing(1, breaker=OPENED, kind=ErrorKind.AUTH) == OPENED


def test_one_claims_the_probe_and_the_others_see_it_open_until_the_claim_runs_out() -> None:
    probed, said = claim(OPENED, at(15))
    assert said.status is HALF_OPEN
    assert said.allows
    assert claim(probed, at(15)) == (probed, BreakerState(status=OPEN, failures=5, retry_at=at(75)))
    assert [status(probed, second) for second in (74.9, 75)] == [OPEN, HALF_OPEN]


def test_claiming_where_no_probe_is_due_changes_nothing() -> None:
    assert claim(OPENED, at(1)) == (OPENED, state(OPENED, at(1)))
    assert claim(Breaker(), at(1)) == (Breaker(), BreakerState())


def test_a_probe_that_is_answered_closes_it() -> None:
    probed, _ = claim(OPENED, at(15))
    assert after(probed, None, at(16)) == Breaker()


def test_a_probe_that_says_nothing_about_health_is_given_back() -> None:
    probed, _ = claim(OPENED, at(15))
    returned = after(probed, ErrorKind.CANCELLED, at(16))
    assert claim(returned, at(16))[1].status is HALF_OPEN


def test_each_probe_that_fails_opens_it_for_twice_as_long_up_to_5_minutes() -> None:
    breaker, now = OPENED, 15.0
    for seconds in (30, 60, 120, 240, 300, 300):
        breaker, said = claim(breaker, at(now))
        assert said.status is HALF_OPEN
        breaker = after(breaker, ErrorKind.TIME_OUT, at(now))
        assert [status(breaker, now + seconds - 0.1), status(breaker, now + seconds)] == [OPEN, HALF_OPEN]
        now += seconds


def test_after_an_answer_it_opens_for_the_first_time_again() -> None:
    again = failing(100, 100, 100, 100, 100, breaker=after(failing(20, breaker=OPENED), None, at(90)))
    assert state(again, at(100)).retry_at == at(115)


def test_a_clock_set_back_does_not_keep_it_open() -> None:
    assert status(OPENED, -3600) is HALF_OPEN
    probed, _ = claim(OPENED, at(15))
    assert status(probed, -3600) is HALF_OPEN


steps = st.lists(
    st.tuples(st.none() | st.just("claim") | st.sampled_from(ErrorKind), st.integers(0, 400 * SECOND)), max_size=60
)


@given(steps, st.integers(1, 6))
def test_laws(steps: list[tuple[ErrorKind | str | None, int]], failures: int) -> None:
    """It is never open longer than 5 minutes, an answer always closes it, and nobody else probes beside a probe."""
    rules = BreakerRules(failures=failures)
    breaker, now, probing_until = Breaker(), NOW, 0
    for what, step in steps:
        now += step
        if what == "claim":
            breaker, said = claim(breaker, Timestamp(now), rules)
            if said.status is HALF_OPEN:
                assert now >= probing_until
                probing_until = now + rules.probe
        else:
            breaker = after(breaker, None if what is None else ErrorKind(what), Timestamp(now), rules)
            probing_until = 0
        said = state(breaker, Timestamp(now), rules)
        assert said.allows or (said.retry_at is not None and 0 < said.retry_at - now <= rules.longest_open)
        assert what is not None or said == BreakerState()
        assert breaker.opened == 0 or breaker.failures >= 1


def test_the_rules_can_be_others() -> None:
    rules = BreakerRules(failures=1, first_open=Duration(1), longest_open=Duration(1))
    opened = after(Breaker(), ErrorKind.CUT, at(0), rules)
    assert state(opened, at(0), rules).status is OPEN
    assert state(opened, Timestamp(at(0) + 1), rules).status is HALF_OPEN
    assert BreakerRules() == RULES
