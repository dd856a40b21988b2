"""A prediction told feature by feature: the parts add up to what was predicted from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.learned.features import read
from model_orchestrator.infrastructure.learned_weights import shipped_router

ROUTER = shipped_router()
WORDS = st.sampled_from(
    "prove that 12 apples cost 3 dollars def f(x): return the theorem of which is not A. B.".split()
)


@given(st.lists(WORDS, max_size=30).map(" ".join), st.sampled_from(range(5)))
def test_the_parts_add_up_to_the_score(prompt: str, place: int) -> None:
    """With the constant, whatever the text."""
    reading, linear = read(prompt), ROUTER._linear
    nothing = linear._biases[place]
    whole = linear.score(linear.read(reading), place)
    assert nothing + sum(linear.parts(reading, place).values()) == pytest.approx(whole, abs=1e-9)


def test_words_of_the_prompt_are_named() -> None:
    """Of a model that the weights know; of another nothing is said."""
    found = ROUTER.explain("Prove the theorem: 17 is prime.", "gpt-4o-mini-2024-07-18")
    assert "'#2'" in found  # a number counts as its length
    assert "characters" in found
    assert ROUTER.explain("Prove it.", "unheard-of") == {}
