"""A prompt as numbers: its form, and the words and pairs of words in it. Training and serving read the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import log1p

from .vocabulary import GROUP_OF, SIGNS, WORDS

WINDOW = 8_000  # characters read; of a longer prompt, as many from each half

_TOKEN = re.compile(r"[a-z]+|[0-9]+|[^\w\s]|[^\W\d_]+|_+")
_OPTION = re.compile(r"\n\(?([A-J])[.):] ?(.*)")
_OPENINGS = ("what", "which", "who", "how", "when", "where", "why")

SIZES = (
    "characters words lines distinct word_length long_words capitals other_scripts"
    " first_line words_a_sentence opens_lower asks_first"
).split()
NUMBERS = "numbers digits longest small different decimals fractions".split()
OPTIONS = (
    "question options option_mean option_longest option_shortest option_numbers option_repeats"
    " of_the_above none_of_the_above roman blanks ends_answer ends_asking statements code_block"
).split()
NAMES = (*SIZES, *NUMBERS, *OPTIONS, *WORDS, *SIGNS)


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt as it is read: at most the window, in lower case too, and its words, digit runs and signs in order."""

    text: str
    lowered: str
    tokens: list[str]


def read(prompt: str) -> Reading:
    """The reading of a prompt."""
    half = WINDOW // 2
    text = prompt if len(prompt) <= WINDOW else f"{prompt[:half]}\n{prompt[-half:]}"
    lowered = text.lower()
    return Reading(text, lowered, _TOKEN.findall(lowered))


def grams(reading: Reading) -> set[str]:
    """The distinct words and pairs of neighbours; a number counts as its length."""
    shaped = [f"#{min(len(token), 5)}" if token.isdecimal() else token for token in reading.tokens]
    return {*shaped, *map(" ".join, pairwise(shaped))}


def form(reading: Reading) -> list[float]:
    """The prompt's form, in the order of NAMES; counts as logarithms."""
    counts = Counter(reading.tokens)
    groups = dict.fromkeys((*WORDS, *SIGNS), 0)
    for token in counts.keys() & GROUP_OF.keys():
        groups[GROUP_OF[token]] += counts[token]
    return [*_sizes(reading, counts), *_numbers(reading, counts), *_options(reading), *map(log1p, groups.values())]


def _sizes(reading: Reading, counts: Counter[str]) -> Iterator[float]:
    text, words = reading.text, {token: count for token, count in counts.items() if token.isalpha()}
    total = sum(words.values())
    letters = sum(map(int.__mul__, map(len, words), words.values()))
    yield log1p(len(text))
    yield log1p(total)
    yield log1p(text.count("\n"))
    yield len(counts) / (1 + len(reading.tokens))
    yield letters / (1 + total)
    yield sum(count for word, count in words.items() if len(word) > 8) / (1 + total)
    yield len(_CAPITAL.findall(text)) / (1 + letters)
    yield log1p(len(text.encode(errors="replace")) - len(text))
    yield log1p(len(text.partition("\n")[0]))
    yield log1p(total / (1 + counts["."] + counts["?"]))
    yield float(text[:1].islower())
    yield float(reading.lowered.startswith(_OPENINGS))


def _numbers(reading: Reading, counts: Counter[str]) -> Iterator[float]:
    numbers = {token: count for token, count in counts.items() if token.isdecimal()}
    yield log1p(sum(numbers.values()))
    yield log1p(sum(map(int.__mul__, map(len, numbers), numbers.values())))
    yield float(min(12, max(map(len, numbers), default=0)))
    yield log1p(sum(count for number, count in numbers.items() if len(number) == 1))
    yield log1p(len(numbers))
    yield log1p(len(_DECIMAL.findall(reading.text)) if numbers else 0)
    yield log1p(len(_FRACTION.findall(reading.text)) if "/" in counts else 0)


def _options(reading: Reading) -> Iterator[float]:
    text, lowered = reading.text, reading.lowered
    found = list(_OPTION.finditer(text))
    question = text[: found[0].start()] if found else text
    options = [match[2] for match in found] or [""]
    lengths = list(map(len, options))
    words = [word for option in options for word in option.split()]
    yield log1p(len(question))
    yield float(len(found))
    yield log1p(sum(lengths) / len(lengths))
    yield log1p(max(lengths))
    yield log1p(min(lengths))
    yield sum(1 for option in options if _DIGIT.search(option)) / len(options)
    yield log1p(len(words) - len(set(words)))
    yield float("of the above" in lowered or "of these" in lowered)
    yield float("none of the" in lowered)
    yield float(" ii" in lowered)
    yield float("__" in text)
    yield float(text.endswith("Answer:"))
    yield float(question.rstrip().endswith("?"))
    yield log1p(lowered.count("statement"))
    yield float("[PYTHON]" in text or "```" in text or ">>>" in text)


_CAPITAL = re.compile(r"[A-Z]")
_DIGIT = re.compile(r"[0-9]")
_DECIMAL = re.compile(r"[0-9]\.[0-9]")
_FRACTION = re.compile(r"[0-9]/[0-9]")
