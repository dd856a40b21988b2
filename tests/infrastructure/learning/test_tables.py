"""What cannot be learned from is refused by a message that says what is wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.infrastructure.dataset_rows import example
from model_orchestrator.infrastructure.learning.tables import table_of
from tests.infrastructure.learning.outcomes import made_up_rows

Rows = list[dict[str, Any]]


def _contaminated(rows: Rows) -> Rows:
    return [row | {"contaminated": True} for row in rows]


def _without_a_model(rows: Rows) -> Rows:
    del rows[3]["models"]["middle"]
    return rows


def _graded(value: float, places: slice) -> Callable[[Rows], Rows]:
    def graded(rows: Rows) -> Rows:
        for row in rows[places]:
            row["models"]["small"]["score"] = value
        return rows

    return graded


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: [], "has no prompts to learn from"),
        (_contaminated, "has no prompts to learn from"),
        (lambda rows: rows[:10], "has 10 prompts, at least 50"),
        (_without_a_model, "1 of 60 prompts have no outcome of middle: choose with --models"),
        (_graded(1.0, slice(None)), "small is right on every prompt"),
        (_graded(0.0, slice(None)), "small is wrong on every prompt"),
        (_graded(7.0, slice(1)), "small has grade 7"),
    ],
)
def test_what_teaches_nothing_is_refused(change: Callable[[Rows], Rows], said: str) -> None:
    """Before anything is trained."""
    with pytest.raises(InvalidRequest, match=said):
        table_of("made", map(example, change(made_up_rows(60))))


def test_models_can_be_chosen() -> None:
    """Those that every prompt has."""
    table = table_of("made", map(example, _without_a_model(made_up_rows(60))), ("large", "small"))
    assert table.models == ("large", "small")
    with pytest.raises(InvalidRequest, match="60 of 60 prompts have no outcome of huge"):
        table_of("made", map(example, made_up_rows(60)), ("large", "huge"))
    with pytest.raises(InvalidRequest, match="one model only"):
        table_of("made", map(example, made_up_rows(60)), ("large",))
