"""What `evaluate` is asked about: a pair or many models, a target or a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..domain.errors import InvalidRequest

if TYPE_CHECKING:
    from ..application.evaluation.recorded_set import RecordedSet

NO_SECOND = "none"


def pair_of(
    weak: str | None, strong: str | None, models: str | None, target: float | None, budget: float | None
) -> tuple[str, str] | None:
    """The two models of a pair; None where there are many to choose from. Raises InvalidRequest for a mixture."""
    if weak is None and strong is None:
        return None
    if weak is None or strong is None:
        raise InvalidRequest("a pair has two models: name both --weak and --strong")
    if models is not None or target is not None or budget is not None:
        raise InvalidRequest("--models, --target and --budget choose among many models: leave out --weak and --strong")
    return weak, strong


def checked_rule(target: float | None, budget: float | None, usual: float) -> dict[str, Any]:
    """How one of many models is chosen; `usual` is the policy's own target. Raises InvalidRequest."""
    if target is not None and budget is not None:
        raise InvalidRequest("a target or a budget, not both")
    if budget is not None and not 0 < budget < float("inf"):
        raise InvalidRequest(f"budget {budget}: expected US dollars a prompt, above 0")
    if budget is not None:
        return {"budget": budget}
    return {"target": usual if target is None else share("target", target)}


def share(name: str, value: float) -> float:
    """A value from 0 to 1. Raises InvalidRequest."""
    if not 0 <= value <= 1:
        raise InvalidRequest(f"{name} {value}: expected 0 to 1")
    return value


@dataclass(frozen=True, slots=True)
class Second:
    """The second cheap model of a cascade, and what is to be said of it."""

    model: str | None
    notes: Sequence[str] = ()


def second_asked(second: str | None, trained: str | None, data: RecordedSet) -> Second:
    """The one asked for, `none` for none, or else the one that the best cascade was trained with."""
    if trained is None:
        return Second(None if second == NO_SECOND else second)
    if trained not in data.models:
        return Second(None, [f"no second answer: the best cascade has one by {trained}, which the data set lacks"])
    return Second(trained, [f"second answer by {trained}, as trained; --second none leaves it out"])


def listed(models: str | None, data: RecordedSet) -> Sequence[str]:
    """The models named, or all of the set. Raises InvalidRequest for one that the set lacks, or named twice."""
    if models is None:
        return data.models
    found = [name.strip() for name in models.split(",")]
    data.require(found)
    if len(set(found)) < len(found):
        raise InvalidRequest(f"models {models!r}: one is named twice")
    return found
