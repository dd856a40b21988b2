"""`costs savings`: what runs would have cost with one model for all of them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.events import Money
from model_orchestrator.domain.pricing import Usage, cost
from model_orchestrator.domain.seed_catalogue import SEED

from ..contracts.read_models import add
from ..read_models import completed, of_category
from ..scenario import MINI, asked, costed
from ..scenario import answered as answer
from .command import command


@pytest.fixture(autouse=True, params=["sqlite", "postgresql"])
def own_database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'runs.db'}" if sqlite else str(request.getfixturevalue("postgres_url"))
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", url)
    return url


def answered(*arguments: str) -> Any:
    return command("run", *arguments, "--json").document


def price(model: str, result: Any) -> Decimal:
    known = SEED.get(model)
    assert known is not None
    assert known.price is not None
    return cost(Usage(input_uncached=result["input_tokens"], output=result["output_tokens"]), known.price)


def test_the_usage_is_priced_anew_by_each_model() -> None:
    """What the answering model used, at every model's prices; the model itself is exact."""
    results = [answered("What is Python?"), answered("Hi there", "--category", "chat")]
    assert {one["model_used"] for one in results} == {"gpt-4o-mini"}
    found = command("costs", "savings", "--json").document
    assert (found["real"], found["recorded"]) == (None, None)
    simulated = found["simulated"]
    total = sum(Decimal(one["cost"]) for one in results)
    assert (Decimal(simulated["total"]), simulated["runs"], simulated["assumed"]) == (total, 2, 0)
    for row in simulated["rows"]:
        would = sum(price(row["model"], one) for one in results)
        assert (Decimal(row["would_cost"]), Decimal(row["saved"])) == (would, would - total)
        assert row["estimated_runs"] == (0 if row["model"] == "gpt-4o-mini" else 2)
        assert row["estimated"] is (row["model"] != "gpt-4o-mini")
    assert [row["model"] for row in simulated["rows"] if row["strongest"]] == ["claude-opus-3"]
    assert Decimal(simulated["rows"][-1]["saved"]) == 0
    chat = command("costs", "savings", "--json", "--category", "chat").document["simulated"]
    assert (chat["runs"], Decimal(chat["total"])) == (1, Decimal(results[1]["cost"]))


def test_every_call_of_a_run_counts_on_the_side_of_what_was_paid() -> None:
    """A panel of three costs more than its one answer."""
    result = answered("Compare REST and GraphQL", "--strategy", "ensemble", "--full-panel")
    simulated = command("costs", "savings", "--json").document["simulated"]
    assert (Decimal(simulated["total"]), simulated["agreed"]) == (Decimal(result["cost"]), 0)
    assert min(Decimal(row["saved"]) for row in simulated["rows"]) < 0


def test_the_usage_is_that_of_the_answer_that_stands() -> None:
    """Not of the member that was asked last."""
    members = "claude-haiku-3.5,claude-sonnet-3.5,gpt-4o-mini"
    result = answered("What is 23 * 19?", "--strategy", "ensemble", "--full-panel", "--models", members)
    attempts = result["metadata"]["attempts"]
    assert attempts[-1]["model"] != result["model_used"]
    rows = command("costs", "savings", "--json").document["simulated"]["rows"]
    (stands,) = [one for one in attempts if one["model"] == result["model_used"]]
    assert [row["would_cost"] for row in rows if not row["estimated"]] == [stands["cost"]]


def test_a_panel_that_asked_two_of_three_counts_what_it_asked() -> None:
    """Both calls are paid, the third was not made, and the usage is that of the answer that stands."""
    models = ("--strategy", "ensemble", "--models", "claude-haiku-3.5,claude-sonnet-3.5,claude-opus-3")
    two = answered("What is 2+2?", *models)
    assert two["metadata"]["stop_reason"] == "agreement"
    assert [one["model"] for one in two["metadata"]["attempts"]] == [
        "claude-haiku-3.5",
        "claude-sonnet-3.5",
    ]
    simulated = command("costs", "savings", "--json").document["simulated"]
    assert (Decimal(simulated["total"]), simulated["runs"], simulated["agreed"]) == (Decimal(two["cost"]), 1, 1)
    (stands,) = [one for one in two["metadata"]["attempts"] if one["model"] == two["model_used"]]
    exact = {row["model"]: row["would_cost"] for row in simulated["rows"] if not row["estimated"]}
    assert exact == {two["model_used"]: stands["cost"]}
    assert "ended as soon as two answers agreed, asking nobody else: 1\n" in command("costs", "savings").stdout


def test_runs_whose_answer_has_no_usage_are_told(own_database: str) -> None:
    """They cannot be repriced, and do not vanish."""
    add(own_database, "run-1", of_category("chat"), asked(MINI), answer(1, usage=None), costed(1, "0.5"), completed())
    real = command("costs", "savings", "--json").document["real"]
    assert (real["runs"], real["total"], real["left_out"]) == (0, "0", 1)
    assert "left out for their unknown cost or usage: 1\n" in command("costs", "savings").stdout


def test_a_live_run_at_a_simulator_saves_no_real_money(own_database: str) -> None:
    """As in the cost report, what its answer was charged in counts, not who was to be asked."""
    simulated = replace(costed(1, "0.5"), money=Money.SIMULATED)
    add(own_database, "run-1", of_category("chat"), asked(MINI), answer(1), simulated, completed())
    found = command("costs", "savings", "--json").document
    assert (found["real"], found["simulated"]["runs"], found["simulated"]["total"]) == (None, 1, "0.5")


def test_savings_as_of_a_moment_know_nothing_later() -> None:
    """Neither the runs that came after, nor what they saved."""
    answered("hi")
    before = command("costs", "savings", "--json").document
    then = datetime.now(UTC).isoformat()
    answered("hi there")
    assert command("costs", "savings", "--json").document["simulated"]["runs"] == 2
    assert command("costs", "savings", "--as-of", then, "--json").document == before
    assert command("costs", "savings", "--as-of", "2001-01-01").stdout == "no run was answered in this time\n"


def test_answers_given_again_are_told_apart() -> None:
    """The cache's savings stand beside, and are no usage."""
    first = answered("hi", "--cache", "1h")
    answered("hi", "--cache", "1h")
    simulated = command("costs", "savings", "--json").document["simulated"]
    assert simulated["runs"] == 1
    assert simulated["cache"] == {"runs": 1, "saved": first["cost"]}
    text = command("costs", "savings").stdout
    assert "claude-opus-3 (strongest)" in text
    assert "given an earlier answer from the cache: 1, which saved $" in text
    rows = list(csv.DictReader(io.StringIO(command("costs", "savings", "--csv").stdout)))
    assert [row["model"] for row in rows] == [row["model"] for row in simulated["rows"]]
