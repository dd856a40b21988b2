"""`models stats`: how each model does, on both databases."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import replace

import pytest

from model_orchestrator.application.model_figures import histogram
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.units import Duration

from ..contracts.read_models import add, fill
from ..database import Database, database
from ..read_models import completed, from_cache, of_category
from ..scenario import HAIKU, MINI, answered, asked, costed
from .command import command

__all__ = ["database"]


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database.url)
    return database


def test_what_became_of_each_models_calls(filled: Database) -> None:
    """Real and simulated money apart, with failures by kind and escalations in both directions."""
    parts = command("models", "stats", "--json").document
    assert {money: [one["model"] for one in models] for money, models in parts.items()} == {
        "real": sorted([HAIKU, MINI]),
        "simulated": [MINI],
        "recorded": [],
    }
    real = {one["model"]: one for one in parts["real"]}
    mini, haiku = real[MINI], real[HAIKU]
    assert (mini["calls"], mini["answered"], mini["failed"], mini["retries"]) == (3, 1, 2, 1)
    assert mini["success"] == 0.333333
    assert sum(mini["failures"].values()) == 2
    assert (mini["escalated_to"], mini["escalated_from"]) == ({HAIKU: 1}, {})
    assert (haiku["escalated_to"], haiku["escalated_from"]) == ({}, {MINI: 1})
    assert (haiku["lost"], haiku["unknown"], haiku["cost"]) == (1, 1, "0.2")
    assert (mini["cost"], mini["failed_cost"], mini["lost_cost"]) == ("0.01", "0", "0")
    assert (mini["confidence"], mini["confidence_histogram"]) == (0.4, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0])


def test_a_cost_that_nobody_knows_is_not_zero(database: Database) -> None:
    add(database.url, "run-1", of_category("chat"), asked(MINI), answered(1), costed(1, None))
    (one,) = command("models", "stats", "--json").document["real"]
    assert (one["cost"], one["unknown"]) == (None, 1)
    assert "unknown" in command("models", "stats", MINI).stdout


def test_the_tables_show_them(filled: Database) -> None:
    text = command("models", "stats").stdout
    assert text.index("Real money") < text.index("Simulated: nobody paid this")
    rows = [line.split() for line in text.splitlines() if line.startswith(MINI)]
    assert rows[0][1:6] == ["3", "33.3", "%", "2", "1"]
    assert "$0.01" in rows[2]
    assert "$5.00" in rows[5]


def test_one_model_in_full(filled: Database) -> None:
    lines = command("models", "stats", MINI).stdout.splitlines()
    assert lines[0] == f"{MINI}: Real money"
    assert f"escalated    to {HAIKU} 1" in lines
    assert "cost         $0.01" in lines
    assert f"{HAIKU}: Real money" not in lines
    (bar,) = [line.split() for line in lines[: lines.index("")] if line.startswith("  0.4 to 0.5")]
    assert bar[3] == "1"


def test_only_a_category_and_a_time(filled: Database) -> None:
    """Dates are of the run's start; what was before or is of another category does not count."""
    chat = command("models", "stats", "--category", "chat", "--json").document["real"]
    assert {one["model"]: one["calls"] for one in chat} == {MINI: 1, HAIKU: 1}
    today = command("models", "stats", "--since", "1d", "--tz", "Europe/Berlin", "--json").document
    assert len(today["real"]) == 2
    done = command("models", "stats", "--until", "2001")
    assert (done.code, done.stdout, done.stderr) == (0, "", "no call was made in this time\n")
    assert command("models", "stats", "nosuch").stderr == "nosuch was not called in this time\n"


def test_times_are_seconds_and_tokens_by_class(database: Database) -> None:
    called = replace(answered(1), latency=Duration(1_500_000), first_token=Duration(250_000))
    add(database.url, "run-1", of_category("chat"), asked(MINI), called, costed(1, "1"), completed())
    (one,) = command("models", "stats", "--json").document["real"]
    assert 1.45 < one["latency"]["p50"] < 1.55
    assert one["latency"]["p50"] == one["latency"]["p99"]
    assert 0.24 < one["first_token"]["p90"] < 0.26
    assert one["tokens"]["input_uncached"] > 0


def test_answers_given_again_count_for_their_model(database: Database) -> None:
    add(database.url, "run-1", of_category("chat"), from_cache("0.0002"), completed(None))
    (one,) = command("models", "stats", "--json").document["real"]
    assert (one["model"], one["calls"], one["cache_hits"], one["cache_saved"]) == (MINI, 0, 1, "0.0002")
    assert "1 answers given again, $0.0002 saved" in command("models", "stats", MINI).stdout


def test_csv_has_a_line_a_model_and_kind_of_money(filled: Database) -> None:
    rows = list(csv.DictReader(io.StringIO(command("models", "stats", "--csv").stdout)))
    assert [(row["money"], row["model"], row["calls"], row["cost"]) for row in rows] == [
        ("real", HAIKU, "2", "0.2"),
        ("real", MINI, "3", "0.01"),
        (Money.SIMULATED, MINI, "1", "5"),
    ]
    assert (rows[0]["confidence"], rows[0]["escalated_from"]) == ("0.9", f"{MINI} 1")


def test_what_makes_no_sense_is_refused(filled: Database) -> None:
    assert command("models", "stats", "--json", "--csv").code == 2
    assert "time zone" in command("models", "stats", "--tz", "Mars").complaint
    assert "expected today" in command("models", "stats", "--since", "soon").complaint


def test_without_a_database_there_are_none(database: Database) -> None:
    """A file is not made only to say that it is empty."""
    if database.is_file:
        done = command("models", "stats", "--json")
        assert (done.code, done.document["real"]) == (0, [])
        assert "there is no run yet" in done.stderr


def test_a_histogram_has_ten_bars() -> None:
    """Each of two twentieths; certainty belongs to the last."""
    assert histogram(Counter({0: 1, 1: 2, 19: 4, 20: 8})) == [3, 0, 0, 0, 0, 0, 0, 0, 0, 12]
