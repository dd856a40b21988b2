"""One row of a data set: from the JSON object of a line to an Example, and back."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from ..domain.dataset import Example, Outcome
from ..domain.units import PICODOLLARS, Usd, usd

MOST = 10**9  # tokens of one call; more is a mistake
LONGEST_NAME = 200  # characters
DEAREST = Decimal(10**6)  # USD of one call


class Damaged(Exception):
    """A row that cannot be used; the text says which field, and what was expected."""


def example(row: dict[str, Any]) -> Example:
    """The example that a row describes. Raises Damaged."""
    id_ = _text(row, "id")
    if not id_ or not id_.isprintable():
        raise Damaged("id: expected a text that names the prompt")
    models = row.get("models")
    if not isinstance(models, dict) or not models:
        raise Damaged('models: expected an object such as {"gpt-4o": {"score": 1}}, at least one model')
    return Example(
        id=id_,
        task=_text(row, "task"),
        prompt=_text(row, "prompt"),
        reference=_text(row, "reference"),
        input_tokens=_tokens(row, "in_tok", ""),
        contaminated=_truth(row, "contaminated"),
        outcomes={name: _outcome(name, one) for name, one in models.items()},
    )


def row_of(found: Example) -> dict[str, Any]:
    """The row of an example, without what is not recorded; its costs are decimal strings."""
    row: dict[str, Any] = {
        "id": found.id,
        "task": found.task,
        "prompt": found.prompt,
        "reference": found.reference,
        "in_tok": found.input_tokens,
        "contaminated": found.contaminated or None,
        "models": {name: _outcome_row(one) for name, one in found.outcomes.items()},
    }
    return {name: value for name, value in row.items() if value is not None}


def _outcome_row(outcome: Outcome) -> dict[str, Any]:
    row = {
        "score": outcome.score,
        "answer": outcome.answer,
        "text": outcome.text,
        "in_tok": outcome.input_tokens,
        "out_tok": outcome.output_tokens,
        "cost": None if outcome.cost is None else str(outcome.cost),
    }
    return {name: value for name, value in row.items() if value is not None}


def _outcome(name: str, row: Any) -> Outcome:
    if not name.strip() or not name.isprintable() or "," in name or len(name) > LONGEST_NAME:
        raise Damaged(f"models: expected a name of 1 to {LONGEST_NAME} characters without a comma, got {name[:40]!r}")
    if not isinstance(row, dict):
        raise Damaged(f'models.{name}: expected an object such as {{"score": 1}}')
    answer = row.get("answer")
    return Outcome(
        score=_score(name, row.get("score")),
        answer=None if answer is None else str(answer),
        text=_text(row, "text", f"models.{name}."),
        input_tokens=_tokens(row, "in_tok", f"models.{name}."),
        output_tokens=_tokens(row, "out_tok", f"models.{name}."),
        cost=_cost(name, row.get("cost")),
    )


def _text(row: dict[str, Any], field: str, where: str = "") -> str | None:
    value = row.get(field)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and field in ("id", "reference"):
        return str(value)
    raise Damaged(f"{where}{field}: expected text, got {type(value).__name__}")


def _truth(row: dict[str, Any], field: str) -> bool:
    value = row.get(field)
    if value in (None, False, True):
        return bool(value)
    raise Damaged(f"{field}: expected true or false, got {str(value)[:40]}")


def _score(name: str, value: Any) -> float:
    try:
        number = float(value) if isinstance(value, int | float | Decimal) else math.nan
    except OverflowError:
        number = math.inf
    except ValueError:  # a signalling NaN
        number = math.nan
    if not math.isfinite(number):
        raise Damaged(f"models.{name}.score: expected a number, got {'nothing' if value is None else value}")
    return number


def _tokens(row: dict[str, Any], field: str, where: str) -> int | None:
    value = row.get(field)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
        return value
    raise Damaged(f"{where}{field}: expected a count of tokens, got {value}")


def _cost(name: str, value: Any) -> Usd | None:
    """USD to the picodollar, the unit that money is stored in."""
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= DEAREST:
        raise Damaged(f"models.{name}.cost: expected US dollars, 0 or more, got {value}")
    return usd(round(amount * PICODOLLARS))
