"""How far an answer can be trusted, from its text alone: the first scorer, before anything was learned.

An answer that is missing, cut, refused, looped or a copy of its question is told well: of the recorded ones with such
a signal nine in ten were wrong. They are few, and words of doubt weigh little (half of the answers with them were
wrong), so the score as a whole orders answers hardly better than chance. Source: ZeroEval and MMLU-Pro (dev halves,
read 2026-11-24), AUROC 0.50 to 0.56 by model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .finish import FinishReason
from .units import Probability, fraction

SCORER = "heuristic-1"
PLAIN = 850_000  # an answer without any signal
LEAST, MOST = 10_000, 990_000
WINDOW = 16_000  # characters read at each end
OPENING = 300  # characters in which a refusal shows

_WORD = re.compile(r"[^\W_]+")

IGNORANCE = """
    i don t know|i do not know|i m not sure|i am not sure|i have no idea|i m unsure|i am unsure|i couldn t find|
    i could not find|cannot be determined|can t be determined|not enough information|insufficient information|
    unable to determine|unable to answer|ich weiß es nicht|ich weiß nicht|ich bin nicht sicher|
    ich bin mir nicht sicher|je ne sais pas|je ne suis pas sûr|no lo sé|no estoy seguro|non lo so|non sono sicuro|
    não sei|não tenho certeza|я не знаю|я не уверен|ik weet het niet|nie wiem|我不知道|我不确定|わかりません|
    分かりません|모르겠습니다
"""
HEDGES = """
    maybe|perhaps|possibly|probably|i think|i believe|i guess|i assume|it seems|it appears|might be|may be|
    could be|it is possible|it s possible|as far as i know|to my knowledge|if i recall|roughly speaking|
    not entirely|hard to say|it depends|vielleicht|vermutlich|möglicherweise|wahrscheinlich|ich glaube|ich denke|
    soweit ich weiß|peut être|probablement|je pense|je crois|il semble|quizás|tal vez|probablemente|creo que|
    parece que|forse|probabilmente|penso che|talvez|provavelmente|acho que|возможно|наверное|вероятно|я думаю|
    кажется|misschien|waarschijnlijk|może|可能|也许|大概|かもしれません|おそらく|아마
"""
REFUSALS = """
    i can t help|i cannot help|i can t assist|i cannot assist|i can t provide|i cannot provide|i can t answer|
    i cannot answer|i m unable to|i am unable to|i m not able to|i am not able to|i won t|i will not|
    i must decline|i have to decline|i can t fulfill|i cannot fulfill|i can t comply|i cannot comply|as an ai|
    as a language model|sorry but i can|apologize but i can|i can t create|i cannot create|i can t write|
    i cannot write|i can t do that|tut mir leid aber ich kann|dabei kann ich nicht|ich kann ihnen nicht|
    ich kann dir nicht|désolé mais je ne peux|je ne peux pas|lo siento pero no puedo|no puedo ayudar|
    mi dispiace ma non posso|non posso aiutar|desculpe mas não posso|não posso ajudar|не могу помочь|я не могу|
    抱歉 我|对不起 我|我无法|我不能|申し訳|お手伝いできません|죄송
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """The probability that an answer is right, and what spoke against it."""

    score: Probability
    signals: dict[str, int]  # millionths, negative; those that fired
    scorer: str = SCORER


class ConfidenceDetector:
    """Reads doubt, refusal, emptiness, truncation, repetition and echo from an answer."""

    def detect_confidence(self, response: str) -> float:
        """The confidence 0..1 in a response that ended by itself."""
        return fraction(self.score(response, finish_reason=FinishReason.STOP).score)

    def score(self, text: str, *, finish_reason: FinishReason, question: str = "") -> Confidence:
        """The confidence in an answer to `question` (empty: unknown). Total and pure; time is bounded by the window."""
        if finish_reason is FinishReason.TOOL_CALLS and not text.strip():
            return Confidence(score=Probability(PLAIN), signals={})  # a call is an answer, and says nothing else
        found = {"refusal": _refusal(text, finish_reason), "truncation": _truncation(text, finish_reason)}
        words = _words(text)
        if not words:
            found["emptiness"] = -PLAIN
        phrases = _joined(words)
        found["ignorance"] = -450_000 if any(phrase in phrases for phrase in _phrases(IGNORANCE)) else 0
        found["hedging"] = -60_000 * min(4, sum(phrase in phrases for phrase in _phrases(HEDGES)))
        found["repetition"] = -500_000 if _repeats(words) else 0
        found["echo"] = -750_000 if _echoes(text, words, _words(question)) else 0
        signals = {name: strength for name, strength in found.items() if strength}
        return Confidence(score=Probability(max(LEAST, min(MOST, PLAIN + sum(signals.values())))), signals=signals)


def _refusal(text: str, finish_reason: FinishReason) -> int:
    """A refusal is an answer, and most unlikely the right one."""
    opening = _joined(_words(text[:OPENING]))
    refused = finish_reason is FinishReason.REFUSAL or any(phrase in opening for phrase in _phrases(REFUSALS))
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


def _runs(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _words(text: str) -> list[str]:
    """The words of both ends, lower case."""
    window = text if len(text) <= 2 * WINDOW else f"{text[:WINDOW]}\n{text[-WINDOW:]}"
    return _WORD.findall(window.lower())


def _joined(words: list[str]) -> str:
    return f" {' '.join(words)} "


def _phrases(listed: str) -> list[str]:
    """The phrases as they stand between words; those in scripts without spaces stand anywhere."""
    phrases = (phrase.strip() for phrase in listed.split("|"))
    return [phrase if phrase > "\u3000" else f" {phrase} " for phrase in phrases]
