"""No money leaks under stress, on both databases; `make stress` does more of the same."""

from pathlib import Path

import pytest

from model_orchestrator.domain.units import Usd

from .budget import Size, stress, table

pytestmark = pytest.mark.xdist_group("stress")  # its processes need the machine: one after the other
SHORT = Size(slots=12, plans=1, runs=3, kills=2, calls_a_kill=20, lease=1.5)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    postgres_url: str = request.getfixturevalue("postgres_url")
    return postgres_url


def test_a_budget_is_a_cap_whatever_happens(url: str, tmp_path: Path) -> None:
    """Faults, cancellations, kills, and others that resume: the provider's own bill stays within the limit."""
    done = stress(url, tmp_path, seed="short", size=SHORT)
    shown = table({"": done.figures})
    assert done.problems == [], shown
    assert done.figures["overshoot"] == Usd(0)
    assert done.figures["workers killed"] == SHORT.kills, shown
    assert done.figures["plans that a budget cut or refused"], f"the budget was never short\n{shown}"
