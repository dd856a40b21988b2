"""Of the final answer: its kind, its size, and where else it stands."""

from __future__ import annotations

import math
import re

from ..literal_form import is_written_out, literal_form
from .answer_reading import AnswerReading
from .question_features import largest

_RETURNED = re.compile(r"^[ \t]+return\b(.*)$", re.MULTILINE)
_KINDS = (  # of what a function's last return gives, where that is plain
    (
        re.compile(
            r"^(?:['\"][^'\"]*['\"]\.join\(|str\(|f?['\"])"
            r"|\.(?:upper|lower|strip|replace|title|join|format|zfill)\([^()]*\)$"
        ),
        re.compile(r"(?![\[{(]|-?\d+$|True$|False$|None$).*"),
    ),
    (re.compile(r"^(?:len|int|sum)\([^()]*\)$|\.(?:count|index|find|rfind)\([^()]*\)$"), re.compile(r"-?\d+")),
    (
        re.compile(r"^(?:not |True$|False$)|\.(?:startswith|endswith|is[a-z]+)\([^()]*\)$| (?:[=!]=|[<>]=?|in) [^,]*$"),
        re.compile(r"True|False"),
    ),
    (re.compile(r"^(?:list|sorted)\(|^\[|\.split\([^()]*\)$"), re.compile(r"\[.*")),
)

NAMES = (
    "f_none", "f_letter", "f_place", "f_number", "f_whole", "f_negative", "f_size", "f_digits", "f_fraction", "f_round",
    "f_literal", "f_written_out", "f_length", "f_in_question", "f_times", "f_first", "f_last_number", "f_last_sum",
    "f_text_in_question", "f_quoted", "f_nested", "f_after", "f_relative_size", "f_kind_kept",
)  # fmt: skip


def form_features(reading: AnswerReading) -> list[float]:
    """One number for each of `NAMES`; -1 where a feature does not apply."""
    if reading.answer is None:
        return [1.0, *[-1.0] * (len(NAMES) - 1)]
    said, form, written = reading.said, reading.answer.form, reading.answer.written
    return [
        0.0,
        *_of_value(form),
        float(reading.is_code and literal_form(written) is not None),
        float(reading.is_code and is_written_out(written)),
        math.log1p(len(form)),
        float(form.lstrip("-") in reading.asked_numbers),
        math.log1p(said.count(written)) if written else 0.0,
        said.find(written) / (len(said) or 1),
        *_of_workings(reading, form.lstrip("-")),
        float(form in reading.asked),
        float(written[:1] in ("'", '"')),
        float(sum(map(written.count, "[({"))),
        1.0 - (said.rfind(written) + len(written)) / (len(said) or 1),
        _relative_size(form, reading.asked_numbers),
        _kind_kept(reading.asked, written) if reading.is_code else -1.0,
    ]


def _of_value(form: str) -> list[float]:
    """Of a letter and of a number."""
    is_letter = len(form) == 1 and form.isascii() and form.isupper()
    value = _value(form)
    return [
        float(is_letter),
        float(ord(form) - ord("A")) if is_letter else -1.0,
        float(value is not None),
        float(value is not None and value.is_integer()),
        float(value is not None and value < 0),
        -1.0 if value is None else math.log1p(abs(value)),
        float(sum(map(str.isdigit, form))),
        float("/" in form),
        float(value is not None and value != 0 and value % 10 == 0),
    ]


def _of_workings(reading: AnswerReading, digits: str) -> list[float]:
    """Whether the last number before the answer, and the last sum's result, are the answer."""
    numbers = reading.numbers
    before = numbers[:-1] if numbers and numbers[-1] == digits else numbers
    last = reading.sums.last
    return [float(bool(before) and before[-1] == digits), -1.0 if last is None else float(last == digits)]


def _relative_size(form: str, asked_numbers: list[str]) -> float:
    value = _value(form)
    return -9.0 if value is None else math.log1p(abs(value)) - largest(asked_numbers)


def _kind_kept(asked: str, written: str) -> float:
    """Whether a literal is of the kind that the program's last return plainly gives; -1 where that is not plain."""
    returned = _RETURNED.findall(asked)
    expression = returned[-1].strip() if returned else ""
    fits = next((literal for pattern, literal in _KINDS if pattern.search(expression)), None)
    return -1.0 if fits is None else float(bool(fits.fullmatch(written)))


def _value(form: str) -> float | None:
    over, _, under = form.partition("/")
    try:
        value = float(over) / float(under or 1)
    except (ValueError, ZeroDivisionError):
        return None
    return value if abs(value) < 1e15 else None
