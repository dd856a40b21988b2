"""Of the question alone: its length, its notation, its options, and the form of a program in it."""

from __future__ import annotations

import math
import re

from .answer_reading import AnswerReading

_OPTION = re.compile(r"(?:^|\n)\s*\(?[A-J][.):]\s")
_LOOP = re.compile(r"\b(?:for|while)\b")
_BRANCH = re.compile(r"\b(?:if|elif|else|try|except|break|continue)\b")
_CALL = re.compile(r"\.[a-z_]+\(")
_PLACE = re.compile(r"\[[^\]\n]*\]")
_ASSERTION = re.compile(r"assert .*", re.DOTALL)

NAMES = (
    "q_characters", "q_words", "q_numbers", "q_latex", "q_lines", "q_questions", "q_word_length", "q_digits",
    "q_largest", "q_capitals", "q_options", "q_option_length", "q_code", "q_loops", "q_branches", "q_calls",
    "q_places", "q_code_lines", "q_assertion",
)  # fmt: skip


def question_features(reading: AnswerReading) -> list[float]:
    """One number for each of `NAMES`; those of a program are -1 where there is none."""
    asked, words = reading.asked, reading.asked_words
    options = _OPTION.split(asked)[1:]
    return [
        math.log1p(len(asked)),
        math.log1p(len(words)),
        float(len(reading.asked_numbers)),
        float(latex(asked)),
        float(asked.count("\n")),
        float(asked.count("?")),
        sum(map(len, words)) / (len(words) or 1),
        sum(map(len, reading.asked_numbers)) / (len(asked) or 1),
        largest(reading.asked_numbers),
        sum(map(str.isupper, asked)) / (len(asked) or 1),
        float(len(options)),
        sum(map(len, options)) / len(options) if options else -1.0,
        float(reading.is_code),
        *(_of_program(asked) if reading.is_code else [-1.0] * 6),
    ]


def _of_program(asked: str) -> list[float]:
    assertion = _ASSERTION.search(asked)
    counts = [float(len(pattern.findall(asked))) for pattern in (_LOOP, _BRANCH, _CALL, _PLACE)]
    return [*counts, float(asked.count("\n")), float(len(assertion[0])) if assertion else -1.0]


def latex(text: str) -> int:
    """The signs that formulas are written with."""
    return sum(map(text.count, "\\^_{}"))


def largest(numbers: list[str]) -> float:
    """The logarithm of the largest number; -1 where there is none."""
    return max((math.log1p(min(float(number), 1e15)) for number in numbers), default=-1.0)
