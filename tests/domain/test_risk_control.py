"""Thresholds with a guarantee hold it, and say so where they cannot."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.risk_control import binomial_tail, controlled, p_value


def losses(bad: int, count: int = 500) -> list[float]:
    return [1.0] * bad + [0.0] * (count - bad)


def test_the_last_safe_threshold_before_the_first_unsafe_one_is_taken() -> None:
    sequence = [losses(0), losses(1), losses(3), losses(30), losses(0)]
    assert controlled(sequence, risk=0.02, confidence=0.95) == 2


def test_where_even_the_safest_is_not_shown_safe_there_is_none() -> None:
    assert controlled([losses(0, 20)], risk=0.02, confidence=0.95) is None  # 0.98 ** 20 = 0.67


def test_few_losses_bound_the_risk_exactly() -> None:
    assert binomial_tail(0, 149, 0.02) == pytest.approx(0.98**149)
    assert binomial_tail(1, 3, 0.5) == pytest.approx(0.5)
    assert p_value([0.0] * 149, 0.02) < 0.05 < p_value([0.0] * 148, 0.02)


def test_the_guarantee_holds_as_often_as_promised() -> None:
    """Of 400 samples with a true risk just above the limit, at most about 5 % pass."""
    draw = random.Random(0)
    passed = sum(p_value([float(draw.random() < 0.1) for _ in range(200)], 0.1) <= 0.05 for _ in range(400))
    assert passed <= 400 * 0.05 + 2 * math.sqrt(400 * 0.05 * 0.95)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_p_value_is_a_probability_and_rises_with_the_losses(values: list[float], risk: float) -> None:
    assert 0 <= p_value(values, risk) <= 1
    assert binomial_tail(len(values) // 2, len(values), risk) <= binomial_tail(len(values), len(values), risk)


@pytest.mark.parametrize("bad", [[], [1.5], [math.nan]])
def test_what_is_no_loss_is_refused(bad: list[float]) -> None:
    with pytest.raises(InvalidRequest, match="from 0 to 1"):
        controlled([bad], risk=0.1, confidence=0.9)


def test_a_risk_outside_0_to_1_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="expected both above 0"):
        controlled([[0.0]], risk=0, confidence=0.95)
