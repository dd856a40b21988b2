"""What makes a prompt hard: named signals, each with its strength in millionths of one capability class.

A strength of 1,000,000 raises a prompt by one class; a negative one says that it is easier than its words look. The
weights are set by hand and checked on recorded answers: on ZeroEval's prompts the sum tells those that gpt-4o-mini
failed from those it did not with an AUROC of 0.74 (their length: 0.54).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from .reading import Reading
from .vocabulary import LOOK_UP

Signal = Callable[[Reading], int]

WIDE = frozenset({"design", "plan", "research", "analyse"})
FIELD = (350_000, 800_000, 1_100_000, 1_300_000, 1_500_000)  # one, two ... different words of a field
DUTY = (500_000, 1_000_000, 1_300_000, 1_500_000, 1_700_000)  # fields where a wrong answer does harm
ASKS_A_NUMBER = frozenset(
    ("how many", "how much", "how far", "how long", "how old", "wie viele", "wie viel", "combien de")
)


def measure(reading: Reading) -> dict[str, int]:
    """The signals that fired, each with its strength."""
    return {name: strength for name, signal in SIGNALS.items() if (strength := signal(reading))}


def has_code(reading: Reading) -> bool:
    """Whether it holds program text; a drawing program inside a LaTeX problem is none."""
    return reading.code >= 3 and reading.latex < 2


def has_formula(reading: Reading) -> bool:
    """Whether it is posed in formulas or answer options: to "evaluate" is to calculate there."""
    return reading.notation > 0 or reading.options >= 3


def _rising(count: int, *strengths: int) -> int:
    """The strength of that many findings; more than listed count as the last."""
    return strengths[min(count, len(strengths)) - 1] if count else 0


def _topic(name: str, *strengths: int) -> Signal:
    return lambda reading: _rising(reading.topics[name], *strengths)


def _act(name: str, strength: int) -> Signal:
    return lambda reading: strength if name in reading.acts else 0


def _notation(reading: Reading) -> int:
    marks = reading.latex if has_code(reading) else reading.notation
    return _rising(marks, 500_000, 800_000, 1_000_000, 1_200_000, 1_300_000, 1_500_000)


def _quantities(reading: Reading) -> int:
    if has_code(reading):
        return 0
    return _rising(reading.numbers, 100_000, 300_000, 600_000, 700_000, 800_000, 1_000_000)


def _calculation(reading: Reading) -> int:
    asks = "calculate" in reading.acts or any(
        f"{first} {second}" in ASKS_A_NUMBER for first, second in pairwise(reading.words)
    )
    return 400_000 if asks else 0


def _open_ended(reading: Reading) -> int:
    """A task of wide scope in few words and without bounds: the answer has to find its own."""
    wide = reading.acts & WIDE and not reading.opening & {"format", "translate"}
    bounded = (
        has_formula(reading)
        or reading.small
        or reading.topics["constraint"]
        or reading.steps
        or reading.characters >= 400
    )
    return 1_000_000 if wide and not bounded else 0


def _length(reading: Reading) -> int:
    steps = ((400, 200_000), (1_000, 400_000), (3_000, 700_000), (12_000, 1_000_000), (60_000, 1_500_000))
    return max((strength for least, strength in steps if reading.characters >= least), default=0)


def _long_words(reading: Reading) -> int:
    """A fifth of the words, or more, has ten letters."""
    words = [word for word in reading.words if word[0].isalpha()]
    return 400_000 if len(words) >= 12 and 5 * sum(len(word) >= 10 for word in words) >= len(words) else 0


def _look_up(reading: Reading) -> int:
    """A short question for a fact."""
    short = 0 < len(reading.words) <= 12 and reading.words[0] in LOOK_UP
    return -300_000 if short and not reading.topics["proof"] else 0


SIGNALS: dict[str, Signal] = {
    "math": _topic("math", *FIELD),
    "science": _topic("science", *FIELD),
    "medicine": _topic("medicine", *DUTY),
    "law": _topic("law", *DUTY),
    "economics": _topic("economics", *FIELD),
    "humanities": _topic("humanities", *FIELD),
    "software": _topic("software", *FIELD),
    "proof": _topic("proof", 2_000_000),
    "scale": _topic("scale", 1_000_000),
    "counting": _topic("counting", 700_000, 1_000_000),
    "supposition": _topic("supposition", 400_000),
    "constraints": _topic("constraint", 100_000, 250_000, 400_000),
    "tradeoffs": _topic("tradeoff", 300_000, 600_000),
    "research": lambda reading: 1_000_000 if reading.topics["research"] else _act("research", 700_000)(reading),
    "notation": _notation,
    "quantities": _quantities,
    "calculation": _calculation,
    "code": lambda reading: _rising(reading.code, 200_000, 500_000, 800_000) if reading.latex < 2 else 0,
    "options": lambda reading: _rising(reading.options, 0, 0, *(100_000 * n for n in (4, 4, 5, 6, 7, 8, 9, 10))),
    "multi_step": lambda reading: _rising(reading.steps + max(0, reading.questions - 1), 0, 200_000, 400_000, 600_000),
    "design": _act("design", 1_200_000),
    "planning": _act("plan", 700_000),
    "analysis": lambda reading: 0 if has_formula(reading) else _act("analyse", 600_000)(reading),
    "comparison": _act("compare", 700_000),
    "reasoning": _act("explain", 400_000),
    "open_ended": _open_ended,
    "length": _length,
    "long_words": _long_words,
    "translation": lambda reading: -300_000 if "translate" in reading.opening else 0,
    "formatting": lambda reading: -500_000 if "format" in reading.opening else 0,
    "small_scope": lambda reading: -600_000 if reading.small else 0,
    "look_up": _look_up,
}
