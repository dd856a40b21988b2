"""How far an answer can be trusted, from what it says: the first scorer, before anything was learned.

Each signal is named, and its strength is what it adds to the score. It was measured on recorded answers (dev halves of
ZeroEval, MMLU-Pro, RouterArena and RouteLLM's GSM8K, read 2026-11-24), of which 25 to 42 % were wrong. Those that were
missing, cut, refused, looped, contradicting themselves or without one of the options asked for were wrong in 82 to
100 % of the cases; words of doubt say little (52 to 63 %). What no recorded answer could tell is called a judgement.

AUROC by model, before and with contradiction, choice, length and format: ZeroEval 0.50 to 0.56, then 0.64 to 0.78 (on
average 0.54 to 0.63 within one of its kinds of task); MMLU-Pro 0.51 to 0.56, then 0.57 to 0.60; RouterArena 0.50 to
0.52, then 0.51 to 0.55; GSM8K 0.50, then 0.50 to 0.56. It finds weak answers, and orders the others only a little.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .asked_form import keeps_form
from .extraction import conclusions, extract_answer, goes_through, offers_choice
from .finish import FinishReason
from .phrases import HEDGES, IGNORANCE, REFUSALS, joined, says, words_of
from .reading import read
from .request import ResponseFormat
from .units import MILLION, Probability, fraction

SCORER = "heuristic-1"
PLAIN = 850_000  # an answer without any signal
LEAST, MOST = 10_000, 990_000
WINDOW = 16_000  # characters read at each end
OPENING = 300  # characters in which a refusal shows
CURT = 3  # words of an answer that explains nothing
SURE = 700_000  # token probability below which a model wavers
LONG = (
    (3_000, -350_000),
    (1_000, -150_000),
    (500, -50_000),
)  # characters on the way to a short answer, and what they say
_TOLD = frozenset({"explain", "plan", "design", "research"})  # acts that a few words do not do
_MADE = frozenset({"build", "write"})  # nor these, where they are about code


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """The probability that an answer is right, and what spoke against it."""

    score: Probability
    signals: dict[str, int]  # millionths, negative; those that fired
    scorer: str = SCORER


class ConfidenceDetector:
    """Reads from an answer what speaks against it, signal by signal."""

    def detect_confidence(self, response: str) -> float:
        """The confidence 0..1 in a response that ended by itself."""
        return fraction(self.score(response, finish_reason=FinishReason.STOP).score)

    def score(
        self,
        text: str,
        *,
        finish_reason: FinishReason,
        question: str = "",
        response_format: ResponseFormat | None = None,
        logprobs: Sequence[float] | None = None,
    ) -> Confidence:
        """The confidence in an answer to `question` (empty: unknown). Total and pure; time is bounded by the window.

        `logprobs` are the natural logarithms of its tokens' probabilities, where the provider gave them.
        """
        if finish_reason is FinishReason.TOOL_CALLS and not text.strip():
            return Confidence(score=Probability(PLAIN), signals={})  # a call is an answer, and says nothing else
        found = {"refusal": _refusal(text, finish_reason), "truncation": _truncation(text, finish_reason)}
        words = _words(text)
        if not words:
            found["emptiness"] = -PLAIN
        said = joined(words)
        found["ignorance"] = -450_000 if says(IGNORANCE, said) else 0
        found["hedging"] = -60_000 * min(4, says(HEDGES, said))
        found["repetition"] = -500_000 if _repeats(words) else 0
        found["echo"] = -750_000 if _echoes(text, words, _words(question)) else 0
        if words and not found["refusal"]:
            answer = extract_answer(text, question=question)
            found["contradiction"] = _contradiction(text, question)
            found["no_choice"] = _no_choice(text, answer, question)
            found["length"] = _length(text, answer)
            found["brevity"] = _brevity(text, words, question)
            found["format"] = _format(text, question, response_format)
        found["token_probability"] = _token_probability(logprobs or ())
        signals = {name: strength for name, strength in found.items() if strength}
        return Confidence(score=Probability(max(LEAST, min(MOST, PLAIN + sum(signals.values())))), signals=signals)


def _refusal(text: str, finish_reason: FinishReason) -> int:
    """A refusal is an answer, and most unlikely the right one."""
    opening = joined(_words(text[:OPENING]))
    refused = finish_reason is FinishReason.REFUSAL or says(REFUSALS, opening)
    return -750_000 if refused else 0


def _truncation(text: str, finish_reason: FinishReason) -> int:
    """Cut at the limit, or where no answer ends.

    Source: ZeroEval and MMLU-Pro (dev, read 2026-11-24), where 96 % of the answers with such an end were wrong.
    """
    if finish_reason is FinishReason.LENGTH:
        return -500_000
    end = text[-WINDOW:].rstrip()
    hanging = len(text) > 200 and end.endswith((",", "(", "-", ":", "=", "+", "[", "{", "\\"))
    unclosed = text.count("```") % 2 == 1 and not end.endswith("}")
    return -400_000 if hanging or unclosed else -200_000 if finish_reason is FinishReason.OTHER else 0


def _repeats(words: list[str]) -> bool:
    """A model that loops: of forty runs of four words or more, fewer than two in five are different.

    Source: ZeroEval and MMLU-Pro (dev, read 2026-11-24), where nine in ten of such answers were wrong.
    """
    runs = list(_runs(words, 4))
    return len(runs) >= 40 and 5 * len(set(runs)) < 2 * len(runs)


def _echoes(text: str, answer: list[str], question: list[str]) -> bool:
    """It begins as the question does and says nothing else, or asks again: a base model goes on instead of answering.

    Sharing many words with the question is no echo: right answers to a multiple choice often restate it.
    """
    if len(question) < 3 or answer[:4] != question[:4]:
        return False
    return set(answer) <= set(question) or text[-WINDOW:].rstrip().endswith(("?", "？", "؟"))


def _contradiction(text: str, question: str) -> int:
    """It concludes with another answer than it first gave. Of 160 such answers 82 % were wrong."""
    given = conclusions(text, question=question)
    return -600_000 if given and given[0] != given[-1] else 0


def _no_choice(text: str, answer: str | None, question: str) -> int:
    """Options were asked about and none is chosen: of 360 such answers 94 % were wrong. A list of them may do."""
    return -500_000 if answer is None and offers_choice(question) and not goes_through(text) else 0


def _length(text: str, answer: str | None) -> int:
    """A long way to a short answer: harder, or lost. Prose that comes to no such answer may be as long as it likes.

    Wrong were, on ZeroEval and MMLU-Pro: up to 500 characters 15 and 38 %, up to 1,000 29 and 45 %, up to 3,000 57 and
    55 %, beyond that 83 %. Those were models of 2023 and 2024; the strengths leave out the most of it, because later
    ones reason at greater length. Length alone never brings an answer below 0.7 before the last step.
    """
    steps = (strength for characters, strength in LONG if len(text) > characters)
    return next(steps, 0) if answer is not None else 0


def _brevity(text: str, words: list[str], question: str) -> int:
    """A word or two where something was to be explained, planned, researched or programmed: a judgement, no measure."""
    if len(words) > CURT or len(text) > 40 or not question:
        return 0
    asked = read(question)
    told = asked.opening & _TOLD or (asked.opening & _MADE and "code" in asked.objects)
    return -450_000 if told and not asked.small and not asked.options and "word" not in asked.words else 0


def _format(text: str, question: str, response_format: ResponseFormat | None) -> int:
    """A form that was asked for and is not kept: a judgement, for a program that reads the answer cannot go on.

    Of ZeroEval's answers, asked for as JSON, those without any (17) were all wrong, with broken JSON 42 %, else 25 %.
    """
    if keeps_form(text, question=question, response_format=response_format):
        return 0
    return -500_000 if response_format is not None else -300_000


def _token_probability(logprobs: Sequence[float]) -> int:
    """What the geometric mean of the token probabilities lacks of 0.7: a judgement, no recorded answers had them.

    SmolLM2-135M has 0.74 in a right sentence (`make e2e`).
    """
    given = [one for one in logprobs if one <= 0]
    if not given:
        return 0
    mean = math.exp(math.fsum(given) / len(given))
    return -min(400_000, max(0, SURE - round(mean * MILLION)))


def _runs(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _words(text: str) -> list[str]:
    """The words of both ends, lower case."""
    window = text if len(text) <= 2 * WINDOW else f"{text[:WINDOW]}\n{text[-WINDOW:]}"
    return words_of(window)
