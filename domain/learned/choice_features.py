"""Of the option an answer chose: its length, its place by size, and whether the text comes to it."""

from __future__ import annotations

from .answer_reading import WORD, AnswerReading, numbers_in

LATEST = 40  # numbers of a text that an option's is held against, from the last

NAMES = (
    "o_length", "o_rank", "o_number_near", "o_last_near", "o_quoted", "o_mentioned", "o_overlap", "o_best_overlap",
)  # fmt: skip


def choice_features(reading: AnswerReading) -> list[float]:
    """One number for each of `NAMES`; all -1 where no option of the question was chosen."""
    letter = reading.answer.form if reading.answer is not None else ""
    if letter not in reading.options:
        return [-1.0] * len(NAMES)
    options, said = reading.options, reading.said
    chosen = options[letter]
    values = {one: float(found[-1]) for one, text in options.items() if (found := numbers_in(text))}
    worked = [float(number) for number in numbers_in(said[: max(said.rfind("nswer"), len(said) // 2)])]
    shares = {one: _share(text, reading) for one, text in options.items()}
    own = values.get(letter)
    return [
        len(chosen) * len(options) / (sum(map(len, options.values())) or 1),
        -1.0 if own is None else _rank(own, list(values.values())),
        -1.0 if own is None else float(any(_near(own, value) for value in worked[-LATEST:])),
        -1.0 if own is None else float(bool(worked) and _near(own, worked[-1])),
        float(chosen in said),
        float(sum(len(text) > 1 and text in said for text in options.values())),
        shares[letter],
        shares[letter] - max((share for one, share in shares.items() if one != letter), default=0.0),
    ]


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 0.02 * abs(one) + 1e-9


def _rank(value: float, values: list[float]) -> float:
    """0 for the smallest, 1 for the largest."""
    return sum(other < value for other in values) / (len(values) - 1) if len(values) > 1 else -1.0


def _share(text: str, reading: AnswerReading) -> float:
    """The share of the option's words that the answer says."""
    own = set(WORD.findall(text.lower()))
    return len(own & reading.counts.keys()) / len(own) if own else 0.0
