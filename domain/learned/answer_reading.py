"""A question and an answer as the features of a learned scorer read them: once, and only both ends of long texts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from ..extraction import Extracted, find_answer, options_of
from ..finish import FinishReason
from .arithmetic import Sums, check_sums

WINDOW = 8_000  # characters read at each end

WORD = re.compile(r"[^\W\d_]+")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_CODE = re.compile(r"\[PYTHON\]|\bdef \w+\(|^>>> ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReading:
    """What several features ask of the two texts."""

    asked: str
    said: str
    finish_reason: FinishReason
    is_code: bool  # the question holds a program
    options: dict[str, str]  # of the question, by letter
    answer: Extracted | None
    sums: Sums
    asked_words: list[str]  # lower case
    words: list[str]
    counts: Counter[str]  # of the answer's words
    asked_numbers: list[str]  # without separators of thousands
    numbers: list[str]


def window(text: str) -> str:
    """Both ends of a text, as far as they are read."""
    return text if len(text) <= 2 * WINDOW else f"{text[:WINDOW]}\n{text[-WINDOW:]}"


def read_answer(question: str, answer: str, finish_reason: FinishReason) -> AnswerReading:
    """The reading. Total and pure."""
    asked, said = window(question), window(answer)
    words = WORD.findall(said.lower())
    return AnswerReading(
        asked=asked,
        said=said,
        finish_reason=finish_reason,
        is_code=bool(_CODE.search(asked)),
        options=options_of(asked),
        answer=find_answer(said, question=asked),
        sums=check_sums(said),
        asked_words=WORD.findall(asked.lower()),
        words=words,
        counts=Counter(words),
        asked_numbers=numbers_in(asked),
        numbers=numbers_in(said),
    )


def numbers_in(text: str) -> list[str]:
    """Its numbers as they stand, without separators of thousands."""
    return [number.replace(",", "") for number in NUMBER.findall(text)]
