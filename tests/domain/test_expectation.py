"""An answer is the expected one where both come to the same form."""

import pytest

from model_orchestrator.domain.expectation import is_expected

CHOICE = "Which is it?\nA. cat\nB. dog\nC. cow"


@pytest.mark.parametrize(
    ("question", "answer", "expected", "same"),
    [
        ("What is 2+2?", "The answer is 4.", "4", True),
        ("What is 2+2?", "The answer is 5.", "4", False),
        ("What is 2+2?", "It is 4", "4.0", True),
        ("What is the capital?", "Paris.", "paris", True),
        ("What is the capital?", "The answer is **Paris**.", "Paris", True),
        ("What is the capital?", "I like Paris, and London too.", "Paris", False),
        (CHOICE, "The answer is B.", "B", True),
        (CHOICE, "The answer is B.", "dog", True),
        (CHOICE, '{"answer": "B"}', "b", True),
        (CHOICE, "Answer: C", "B", False),
        ("", "", "4", False),
    ],
)
def test_forms_are_compared(question: str, answer: str, expected: str, same: bool) -> None:
    assert is_expected(answer, expected, question=question) is same
