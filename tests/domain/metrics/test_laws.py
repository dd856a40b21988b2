"""What holds for every ranking: orders do not matter, oracles win, and a prompt counted twice is two prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model_orchestrator.domain.metrics.calibration import Calibration
from model_orchestrator.domain.metrics.discrimination import auroc
from model_orchestrator.domain.metrics.interval import interval
from model_orchestrator.domain.metrics.ranking import Ranking
from model_orchestrator.domain.metrics.routing_curve import RankedPair, RoutingCurve
from model_orchestrator.domain.metrics.spending import Bill, RankedBill

Row = tuple[float, float, float, int]  # need or confidence, weak, strong, count

rows = st.lists(
    st.tuples(
        st.integers(0, 6).map(lambda tenths: tenths / 6),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=25,
)


def curve_of(some: Sequence[Row], counts: Sequence[int] | None = None) -> RoutingCurve:
    needs, weak, strong, _ = zip(*some, strict=True)
    return RankedPair(Ranking(needs), weak, strong).curve(counts)


def repeated(some: Sequence[Row]) -> list[Row]:
    return [row for row in some for _ in range(row[3])]


@given(rows)
def test_a_count_is_so_many_prompts(some: list[Row]) -> None:
    """For every metric: counting a prompt twice is the same as having it twice."""
    counts, many = [row[3] for row in some], repeated(some)
    assume(curve_of(many).gap > 0)
    once, twice = curve_of(some, counts), curve_of(many)
    figures: list[Callable[[RoutingCurve], float]] = [
        lambda curve: curve.apgr,
        lambda curve: curve.cpt(0.5),
        lambda curve: curve.pgr(0.2),
    ]
    for figure in figures:
        assert figure(once) == pytest.approx(figure(twice), abs=1e-9)
    for metric in (_auroc, _ece, _brier):
        assert metric(some, counts) == pytest.approx(metric(many, None), abs=1e-9, nan_ok=True)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_prompts_does_not_matter(some: list[Row], chance: object) -> None:
    """Nor does any order among prompts of equal need."""
    assume(curve_of(some).gap > 0)
    shuffled = list(some)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert curve_of(shuffled).apgr == pytest.approx(curve_of(some).apgr, abs=1e-9)
    assert _auroc(shuffled, None) == pytest.approx(_auroc(some, None), abs=1e-9, nan_ok=True)


@given(rows)
def test_nothing_beats_the_oracle(some: list[Row]) -> None:
    """A ranking by the gain itself; at random, the area is one half."""
    assume(curve_of(some).gap > 0)
    oracle = [(strong - weak, weak, strong, count) for _, weak, strong, count in some]
    chance = [(0.0, *rest) for _, *rest in some]
    assert curve_of(oracle).apgr >= curve_of(some).apgr - 1e-9
    assert curve_of(chance).apgr == pytest.approx(0.5)  # type: ignore[arg-type]
    assert curve_of(oracle).cpt(0.8) <= curve_of(some).cpt(0.8) + 1e-9


@given(rows)
def test_a_reversed_ranking_mirrors_the_area(some: list[Row]) -> None:
    """What a ranking finds, its opposite misses."""
    assume(curve_of(some).gap > 0)
    opposite = [(-need, *rest) for need, *rest in some]
    assert curve_of(opposite).apgr == pytest.approx(1 - curve_of(some).apgr, abs=1e-9)  # type: ignore[arg-type]
    assert _auroc(opposite, None) == pytest.approx(1 - _auroc(some, None), abs=1e-9, nan_ok=True)  # type: ignore[arg-type]


def test_one_kind_of_answer_tells_nothing() -> None:
    """No AUROC, no recovered gap, and no cost out of reach."""
    assert math.isnan(auroc(Ranking([0.1, 0.9]), [True, True]))
    curve = RankedPair(Ranking([1, 2]), [1.0, 0.0], [0.0, 1.0]).curve()
    assert math.isnan(curve.apgr)
    assert math.isnan(curve.cpt(0.5))
    bill = Bill([0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [2.0, 2.0])
    assert math.isnan(RankedBill(Ranking([1, 2]), bill).shares([1.5])[0])


def test_an_interval_holds_the_middle_of_the_values() -> None:
    """Between neighbours by their distance; what is not finite is left out."""
    assert interval([*map(float, range(101)), float("nan")]) == pytest.approx((2.5, 97.5))
    assert interval([1.0]) == (1.0, 1.0)
    assert interval([float("nan")]) is None


def _auroc(some: Sequence[Row], counts: Sequence[int] | None) -> float:
    return auroc(Ranking([row[0] for row in some]), [row[1] >= 0.5 for row in some], counts)


def _ece(some: Sequence[Row], counts: Sequence[int] | None) -> float:
    return Calibration([row[0] for row in some], [row[1] >= 0.5 for row in some]).expected_error(counts)


def _brier(some: Sequence[Row], counts: Sequence[int] | None) -> float:
    return Calibration([row[0] for row in some], [row[1] >= 0.5 for row in some]).brier(counts)
