"""What a learned scorer reads from a question and an answer: named numbers in a fixed order, and words.

The trainer and the scorer that serves read these very functions. Nothing is executed, and no label of a data set is
read.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise

from ..extraction import conclusions, offers_choice
from ..finish import FinishReason
from ..phrases import IGNORANCE, REFUSALS, joined, says
from . import choice_features as of_choice
from . import form_features as of_form
from . import question_features as of_question
from .answer_reading import WORD, AnswerReading, read_answer, window

EDGE = 50  # words at each end in which an answer declines

_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_NAMED = re.compile(r"\(([A-J])\)")
_ENDS = tuple(".}`)]!?\"'*")
_WORDS = {  # how often an answer says one of these
    "a_redo": "wait mistake error correction actually recheck reevaluate reexamine reconsider incorrect contradiction"
    " contradicts inconsistent again misunderstood upon",
    "a_settles": "closest nearest approximately approximate roughly assume assuming assumed none listed guess seems"
    " appears likely match matches exactly",
    "a_connects": "however but although instead",
    "a_concludes": "therefore thus hence so finally",
    "a_steps": "step first second third next then after",
    "a_hedges": "maybe perhaps possibly probably might could think believe unclear ambiguous",
    "a_cases": "case cases similarly possible possibilities possibly",
}
_SAID = {name: tuple(words.split()) for name, words in _WORDS.items()}

NAMES = (
    *of_question.NAMES,
    "a_characters", "a_words", "a_lines", "a_ratio", "a_numbers", "a_distinct_numbers", "a_digits", "a_largest",
    "a_latex", "a_equals", "a_sentences", "a_sums", "a_sums_wrong", *_WORDS, "a_ignorance", "a_refusal",
    "a_variety", "a_repeats", "a_finished", "a_cut", "a_fenced", "a_options_named", "a_conclusions", "a_contradicts",
    "a_no_choice", "a_decimals", "a_longest_decimal", "a_sentence_words", "a_equals_rate", "a_number_rate",
    "a_numbers_used", "a_words_shared",
    *of_form.NAMES,
    *of_choice.NAMES,
)  # fmt: skip


def question_terms(question: str) -> list[str]:
    """The words, figures and signs of a question, and each pair of neighbours; each once, in the order they come."""
    found = _TOKEN.findall(window(question).lower())
    tokens = ["0" * min(len(token), 4) if token.isdigit() else token for token in found]
    return _with_pairs(tokens)


def answer_terms(answer: str) -> list[str]:
    """The words of an answer and each pair of neighbours; each once, in the order they come."""
    return _with_pairs(WORD.findall(window(answer).lower()))


def answer_features(question: str, answer: str, finish_reason: FinishReason = FinishReason.STOP) -> list[float]:
    """One number for each of `NAMES`. Total and pure."""
    return features_of(read_answer(question, answer, finish_reason))


def features_of(reading: AnswerReading) -> list[float]:
    """One number for each of `NAMES`, of what was read before."""
    return [
        *of_question.question_features(reading),
        *_sizes(reading),
        *_phrases(reading),
        *_marks(reading),
        *_rates(reading),
        *of_form.form_features(reading),
        *of_choice.choice_features(reading),
    ]


def _with_pairs(tokens: list[str]) -> list[str]:
    pairs = map(" ".join, pairwise(tokens))
    return list(dict.fromkeys([*tokens, *pairs]))


def _sizes(reading: AnswerReading) -> list[float]:
    said, numbers = reading.said, reading.numbers
    return [
        math.log1p(len(said)),
        math.log1p(len(reading.words)),
        float(said.count("\n") + said.count("\\n")),
        math.log1p(len(said)) - math.log1p(len(reading.asked)),
        math.log1p(len(numbers)),
        math.log1p(len(set(numbers))),
        sum(map(len, numbers)) / (len(said) or 1),
        of_question.largest(numbers),
        math.log1p(of_question.latex(said)),
        math.log1p(said.count("=")),
        math.log1p(_sentences(said)),
        float(reading.sums.checked),
        float(reading.sums.wrong),
    ]


def _phrases(reading: AnswerReading) -> list[float]:
    counts = reading.counts
    said = joined([*reading.words[:EDGE], *reading.words[-EDGE:]])
    return [
        *(float(sum(counts[word] for word in words)) for words in _SAID.values()),
        *(float(says(listed, said)) for listed in (IGNORANCE, REFUSALS)),
    ]


def _marks(reading: AnswerReading) -> list[float]:
    said, words = reading.said, reading.words
    runs = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    given = conclusions(said, question=reading.asked)
    places = [len(number.partition(".")[2]) for number in reading.numbers if "." in number]
    is_cut = said.rstrip()[-1:] not in _ENDS or reading.finish_reason is FinishReason.LENGTH
    return [
        len(reading.counts) / (len(words) or 1),
        len(set(runs)) / (len(runs) or 1),
        float(reading.finish_reason is FinishReason.STOP),
        float(is_cut),
        float("```" in said),
        float(len(set(_NAMED.findall(said)))),
        float(len(given)),
        float(bool(given) and given[0] != given[-1]),
        float(reading.answer is None and offers_choice(reading.asked)),
        float(len(places)),
        float(max(places, default=0)),
    ]


def _rates(reading: AnswerReading) -> list[float]:
    words = len(reading.words)
    asked, wanted = set(reading.asked_words), set(reading.asked_numbers)
    return [
        words / (_sentences(reading.said) + 1),
        reading.said.count("=") / (words + 1),
        len(reading.numbers) / (words + 1),
        len(wanted & set(reading.numbers)) / len(wanted) if wanted else -1.0,
        len(asked & reading.counts.keys()) / (len(asked) or 1),
    ]


def _sentences(said: str) -> int:
    return said.count(". ") + said.count(".\n")
