"""What `evaluate` is asked about: a pair or many models, a target or a budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..domain.errors import InvalidRequest

if TYPE_CHECKING:
    from ..application.evaluation.recorded_set import RecordedSet


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


def checked_rule(target: float | None, budget: float | None) -> dict[str, Any]:
    """How one of many models is chosen. Raises InvalidRequest."""
    if target is not None and budget is not None:
        raise InvalidRequest("a target or a budget, not both")
    if budget is not None and not 0 < budget < float("inf"):
        raise InvalidRequest(f"budget {budget}: expected US dollars a prompt, above 0")
    if budget is not None:
        return {"budget": budget}
    return {} if target is None else {"target": share("target", target)}


def share(name: str, value: float) -> float:
    """A value from 0 to 1. Raises InvalidRequest."""
    if not 0 <= value <= 1:
        raise InvalidRequest(f"{name} {value}: expected 0 to 1")
    return value


def listed(models: str | None, data: RecordedSet) -> Sequence[str]:
    """The models named, or all of the set. Raises InvalidRequest for one that the set lacks, or named twice."""
    if models is None:
        return data.models
    found = [name.strip() for name in models.split(",")]
    data.require(found)
    if len(set(found)) < len(found):
        raise InvalidRequest(f"models {models!r}: one is named twice")
    return found
