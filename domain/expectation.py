"""Whether an answer is the one that was expected: both in their normal forms, as a vote compares them."""

from __future__ import annotations

from .extraction import extract_answer
from .normal_form import normal_form


def is_expected(answer: str, expected: str, *, question: str) -> bool:
    """Same final answer, or the same text but for case, spaces and a full stop."""
    if _plain(answer) == _plain(expected):
        return True
    given = extract_answer(answer, question=question)
    wanted = (extract_answer(expected, question=question), normal_form(expected))
    return given is not None and given in wanted


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(" .")
