"""Figures as reports show them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.amounts import change, dollars, percent, share_bar, short_dollars
from model_orchestrator.domain.units import Usd, usd

D = Decimal


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (D(0), "$0.00"),
        (D("0.0000243"), "$0.0000243"),
        (D("1234567.5"), "$1,234,567.50"),
        (D("-3"), "-$3.00"),
        (Usd("3E-7"), "$0.0000003"),
        (D("1.100"), "$1.10"),
    ],
)
def test_dollars(amount: Decimal | None, text: str) -> None:
    """Plain digits, never an exponent."""
    assert dollars(amount) == text


@given(st.integers(-(10**24), 10**24))
def test_no_digit_of_money_is_lost(picos: int) -> None:
    """What is shown reads back as what it was."""
    assert D(dollars(usd(picos)).replace("$", "").replace(",", "")) == usd(picos)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (D(1), D(3), "33.3 %"),
        (0, 5, "0.0 %"),
        (5, 5, "100.0 %"),
        (D("0.000001"), D(1), "<0.1 %"),
        (1, 0, ""),
        (0, 0, ""),
        (None, 5, ""),
    ],
)
def test_percent(part: Decimal | int | None, whole: Decimal | int, text: str) -> None:
    """To a tenth; nothing of nothing is no share."""
    assert percent(part, whole) == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (D(9), D(8), "+12.5 %"),
        (D(1), D(2), "-50.0 %"),
        (2, 2, "0.0 %"),
        (2, 0, "new"),
        (0, 0, ""),
        (0, 2, "-100.0 %"),
        (3000, 1, "+299,900.0 %"),
        (None, 2, ""),
        (2, None, ""),
    ],
)
def test_change(now: Decimal | int | None, before: Decimal | int | None, text: str) -> None:
    """Against the period before."""
    assert change(now, before) == text


def test_share_bar() -> None:
    """To an eighth of a character, and never empty for a cost."""
    assert [share_bar(part, 8, width=2) for part in (0, 1, 4, 5, 8)] == ["", "▎", "█", "█▎", "██"]
    assert share_bar(D("0.0000001"), 10**9) == "▏"
    assert share_bar(1, 2, width=4, ascii=True) == "##"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0"),
        ("0.0025", "$0.0025"),
        ("0.00001", "$0.00001"),
        ("12.5", "$12.50"),
        ("0.5", "$0.50"),
        ("1234", "$1.23K"),
        ("-5e6", "-$5M"),
    ],
)
def test_short_dollars(amount: str | int, text: str) -> None:
    """For the marks of an axis."""
    assert short_dollars(D(amount)) == text
