"""Sums of a backtest: they add up in any order, their intervals hold what they should, and nothing is mixed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_orchestrator.application.backtest_tally import GROUPS, Calibration, Figure, Played, Tally, intervals

played = st.builds(
    Played,
    quality=st.none() | st.sampled_from([0.0, 1.0]),
    scored=st.none() | st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 1_000_000)),
    cost=st.none() | st.integers(0, 10**9),
    planned=st.none() | st.integers(0, 10**9),
    calls=st.none() | st.integers(1, 3),
    propensity=st.none() | st.sampled_from([0.5, 0.25]),
)


@given(st.lists(played, max_size=30), st.integers(0, 30))
@settings(max_examples=50)
def test_sums_add_up_whatever_the_parts(runs: list[Played], at: int) -> None:
    """Two processes come to what one does; every run is observed, estimated or unknown, and nothing twice."""
    whole, first, second = Tally(), Tally(), Tally()
    for number, one in enumerate(runs):
        whole.add(f"run-{number}", one)
        (first if number < at else second).add(f"run-{number}", one)
    first.merge(second)
    assert first.columns == whole.columns
    usable = {("a", 3), ("b", 7)}
    counts = whole.counts(usable)
    assert first.counts(usable) == counts
    for what in ("quality", "cost"):
        assert sum(counts[f"{what}_{basis}"] for basis in ("observed", "estimated", "unknown")) == len(runs)


def test_an_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    """Of 40 samples from a known mean at least 34: 95 % would be 38."""
    held = 0
    for seed in range(40):
        rng, tally = random.Random(seed), Tally()
        for number in range(400):
            tally.add(f"run-{seed}-{number}", Played(quality=float(rng.random() < 0.7)))
        figure = intervals(tally, Calibration(), set())["quality"]
        held += figure.low <= 0.7 <= figure.high
    assert held >= 34


def test_inverse_propensities_undo_the_logged_choice() -> None:
    """The policy's model is right for 0.9 of the prompts, and was asked for one in ten."""
    rng, tally = random.Random(5), Tally()
    for number in range(4000):
        asked = rng.random() < 0.1
        right = float(rng.random() < 0.9)
        tally.add(
            f"run-{number}", Played(quality=right, propensity=0.1, is_drawn=True) if asked else Played(is_drawn=True)
        )
    figure = intervals(tally, Calibration(), set())["ips_quality"]
    counts = tally.counts(set())
    assert figure.low < 0.9 < figure.high
    assert counts["drawn"] == 4000
    assert counts["ips_effective"] == counts["quality_observed"]  # equal weights: each counts whole


def test_unequal_weights_are_worth_fewer_runs() -> None:
    """Kish's effective size of weights 1, 1 and 10."""
    tally = Tally()
    for number, propensity in enumerate((1.0, 1.0, 0.1)):
        tally.add(f"run-{number}", Played(quality=1.0, propensity=propensity, is_drawn=True))
    assert tally.counts(set())["ips_effective"] == round(12 * 12 / 102)


def test_answers_without_a_label_are_estimated_by_those_with_the_same_score() -> None:
    """Only where a bin has enough labels; the estimate stands apart from what was observed."""
    calibration, tally = Calibration(), Tally()
    for number in range(100):
        calibration.add(f"label-{number}", ("h", 900_000), float(number % 4 != 0))
        calibration.add(f"label-{number}", ("h", 100_000), 0.0) if number < 5 else None
    for number in range(50):
        tally.add(f"run-{number}", Played(scored=("h", 910_000)))
        tally.add(f"other-{number}", Played(scored=("h", 100_000)))
    usable = calibration.usable()
    figures = intervals(tally, calibration, usable)
    assert "quality" not in figures
    assert figures["estimated_quality"].value == pytest.approx(0.75)
    assert figures["estimated_quality"].low < 0.75 < figures["estimated_quality"].high
    counts = tally.counts(usable)
    assert (counts["quality_estimated"], counts["quality_unknown"]) == (50, 50)


def test_the_difference_is_of_runs_that_both_know() -> None:
    """Paired: what only one policy knows says nothing."""
    tally = Tally()
    for number in range(60):
        tally.add(f"run-{number}", Played(quality=1.0, cost=10**9), Played(quality=0.0, cost=3 * 10**9))
        tally.add(f"one-{number}", Played(quality=0.0, cost=0), Played())
    figures = intervals(tally, Calibration(), set())
    assert figures["quality_difference"] == Figure(1.0, 1.0, 1.0)
    assert figures["usd_per_1000_difference"].value == pytest.approx(-2.0)


def test_memory_does_not_grow_with_the_runs() -> None:
    """Sums a group, however many runs."""
    tally = Tally()
    for number in range(5000):
        tally.add(f"run-{number}", Played(quality=1.0, scored=None))
    assert all(len(column) == GROUPS for column in tally.columns)
