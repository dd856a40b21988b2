"""The untrained order of prompts by how much they need a strong model."""

from model_orchestrator.domain.difficulty import difficulty


def test_a_proof_is_harder_than_a_greeting() -> None:
    """Form alone tells the plainest from the hardest."""
    hard = "Prove that there are infinitely many primes congruent to 3 modulo 4, and derive a lower bound."
    assert difficulty(hard) > difficulty("hi there")
