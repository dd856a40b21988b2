"""The sums that a text writes out are worked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.learned.arithmetic import Sums, check_sums


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("12 * 3 = 36", 0),
        ("12 * 3 = 38", 1),
        ("2 + 3 * 4 = 14", 0),
        ("So $1,200 × 1.5 = $1,800.", 0),
        (r"\(7 \times 8 = 54\)", 1),
        ("10 / 3 = 3.33", 0),
        ("10 / 0 = 1", 1),
        ("100 - 30 - 20 = 50", 0),
    ],
)
def test_a_sum_holds_or_not(text: str, wrong: int) -> None:
    found = check_sums(text)
    assert (found.checked, found.wrong) == (1, wrong)


@pytest.mark.parametrize("text", ["", "x + 2 = 5", "3 + 4 = 5 + 2", "f(2) = 4", "2^3 + 1 = 9", "no sum at all"])
def test_what_is_no_sum_of_plain_numbers_is_left(text: str) -> None:
    assert check_sums(text) == Sums(checked=0, wrong=0, last=None)


def test_the_last_result_is_told() -> None:
    assert check_sums("2 + 2 = 4, then 4 * 5 = 20.").last == "20"


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from("+-*"))
def test_a_sum_that_was_worked_right_holds(one: int, two: int, sign: str) -> None:
    result = {"+": one + two, "-": one - two, "*": one * two}[sign]
    assert check_sums(f"Thus {one} {sign} {two} = {result}.").wrong == 0


@given(st.text(alphabet="0123456789+-*/=. ,$x\\times", max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    assert check_sums(text).wrong <= check_sums(text).checked
