"""What a data set comes to: its rows, and each model's mean score, mean cost, and the price of a token that fits it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from .catalogue import ModelName
from .dataset import Example, Outcome
from .request import prompt_request
from .tokens import bound_input, estimate_tokens
from .units import MILLION, Usd, picodollars, usd


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """One model of a set. Means are over the rows that say, without the contaminated ones."""

    name: ModelName
    mean_score: float | None  # None: every row is contaminated
    texts: int  # rows that hold its whole answer
    mean_cost: Usd | None  # None: no row has one
    input_price: Usd | None  # USD a 1,000,000 tokens, by least squares; None where a cost is missing
    output_price: Usd | None
    longest: int = 1  # output tokens a call must allow, so that its worst price covers every recorded cost


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """A whole set; the models in the order of its first row."""

    rows: int
    contaminated: int
    prompts: int  # rows that have one
    tasks: int
    models: tuple[ModelSummary, ...]


@dataclass(slots=True)
class Sums:
    """Of one model, in integers: tokens, picodollars."""

    graded: int = 0
    score: float = 0.0
    paid: int = 0  # rows with a cost, and their sum; without the contaminated ones
    spent: int = 0
    texts: int = 0
    priced: int = 0  # of all rows
    cost: int = 0
    tokens: int = 0
    squares: list[int] = field(default_factory=lambda: [0, 0, 0, 0, 0])  # in², in·out, out², in·cost, out·cost

    def add(self, example: Example, outcome: Outcome) -> None:
        """One more outcome."""
        counts = not example.contaminated
        self.graded, self.score = self.graded + counts, self.score + counts * outcome.score
        self.texts += outcome.text is not None
        if outcome.cost is None:
            return
        (given, written), paid = tokens_of(example, outcome), picodollars(outcome.cost)
        self.paid, self.spent = self.paid + counts, self.spent + counts * paid
        self.priced, self.cost, self.tokens = self.priced + 1, self.cost + paid, self.tokens + given + written
        products = (given * given, given * written, written * written, given * paid, written * paid)
        self.squares = [sum_ + one for sum_, one in zip(self.squares, products, strict=True)]

    def prices(self) -> tuple[int, int]:
        """Picodollars of an input and of an output token, by least squares; one for both where that makes no sense."""
        ii, io, oo, ic, oc = self.squares
        determinant = ii * oo - io * io
        if determinant:
            fit = (round(Fraction(ic * oo - oc * io, determinant)), round(Fraction(oc * ii - ic * io, determinant)))
            if min(fit) > 0:
                return fit
        either = -(-self.cost // max(self.tokens, 1))
        return either, either


def tokens_of(example: Example, outcome: Outcome) -> tuple[int, int]:
    """Input and output tokens of a call: as recorded, else as the texts let expect."""
    given = example.input_tokens if outcome.input_tokens is None else outcome.input_tokens
    written = outcome.output_tokens
    return (
        estimate_tokens(example.prompt or "") if given is None else given,
        estimate_tokens(outcome.text or "") if written is None else written,
    )


def output_to_hold(example: Example, outcome: Outcome, model: ModelSummary) -> int:
    """Output tokens that a call must allow, so that the answer fits and the hold covers what it cost."""
    written = tokens_of(example, outcome)[1]
    if outcome.cost is None or not model.output_price or model.input_price is None:
        return written
    bound = bound_input(prompt_request(example.prompt or ""))
    left = outcome.cost * MILLION - bound * model.input_price
    return max(written, ceil(left / model.output_price))


class LongestAnswers:
    """What the most demanding answer of each model needs; known once every row has been added."""

    def __init__(self, summary: DatasetSummary) -> None:
        self._summary = summary
        self._models = {model.name: model for model in summary.models}
        self._longest = dict.fromkeys(self._models, 1)

    def add(self, example: Example) -> None:
        """One more row."""
        for name, outcome in example.outcomes.items():
            needed = output_to_hold(example, outcome, self._models[name])
            self._longest[name] = max(self._longest[name], needed)

    def whole(self) -> DatasetSummary:
        """The summary with it."""
        models = (replace(model, longest=self._longest[model.name]) for model in self._summary.models)
        return replace(self._summary, models=tuple(models))


def summarized(examples: Iterable[Example]) -> DatasetSummary:
    """The summary of a set, in one pass and constant memory."""
    rows = contaminated = prompts = 0
    tasks: set[str | None] = set()
    sums: dict[ModelName, Sums] = {}
    for example in examples:
        rows += 1
        contaminated += example.contaminated
        prompts += example.prompt is not None
        tasks.add(example.task)
        for name, outcome in example.outcomes.items():
            sums.setdefault(name, Sums()).add(example, outcome)
    return DatasetSummary(
        rows=rows,
        contaminated=contaminated,
        prompts=prompts,
        tasks=len(tasks - {None}),
        models=tuple(_summary(name, one, rows) for name, one in sums.items()),
    )


def _summary(name: ModelName, sums: Sums, rows: int) -> ModelSummary:
    is_priced = sums.priced == rows
    given, written = sums.prices()
    return ModelSummary(
        name=name,
        mean_score=sums.score / sums.graded if sums.graded else None,
        texts=sums.texts,
        mean_cost=usd(round(Fraction(sums.spent, sums.paid))) if sums.paid else None,
        input_price=_a_million(given) if is_priced else None,
        output_price=_a_million(written) if is_priced else None,
    )


def _a_million(picos: int) -> Usd:
    """USD a 1,000,000 tokens, from picodollars a token."""
    return usd(picos * MILLION)
