"""The untrained order of prompts by how much they need a strong model."""

import math

from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.difficulty import difficulty


def test_a_proof_is_harder_than_a_greeting() -> None:
    """Form alone tells the plainest from the hardest."""
    hard = "Prove that there are infinitely many primes congruent to 3 modulo 4, and derive a lower bound."
    assert difficulty(hard) > difficulty("hi there")


def test_a_bare_fact_is_plain_and_code_to_follow_is_not() -> None:
    """Of about equal length."""
    fact = "who was the president of the united states when the berlin wall was built in the year 1961"
    code = "What does this return?\n```python\ndef f(x):\n    if not x: return []\n    return f(x[1:]) + [x[0]]\n```"
    assert difficulty(code) > difficulty(fact)


def test_what_has_to_be_kept_apart_counts() -> None:
    """Negations, conditions and comparisons."""
    plain = "Ann has 5 pens and Bob has 7 pens and Cy has 9 pens. How many pens are there in the box?"
    tangled = "Ann has 5 pens, Bob twice as many unless Cy has not more than Ann. How many pens are not in the box?"
    assert difficulty(tangled) > difficulty(plain)


@given(st.text(max_size=300))
def test_every_text_has_a_finite_difficulty_and_always_the_same(text: str) -> None:
    """Total and pure."""
    assert math.isfinite(difficulty(text))
    assert difficulty(text) == difficulty(text)
