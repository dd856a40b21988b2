"""Curves in a plane: well-formed whatever their names, inside their axes, and with nothing that loads or runs."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.chart_page import charts_html
from model_orchestrator.application.curve_chart import (
    PLOT,
    TOP,
    Axis,
    Curve,
    CurveChart,
    Mark,
    Unit,
    curve_svg,
    spaced,
    written,
)
from model_orchestrator.application.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '</title><script>alert("x")</script>&amp;\x1b'

figures = st.floats(0, 1000, allow_subnormal=False)
points = st.tuples(figures, figures)
names = st.text(max_size=40) | st.just(EVIL)
charts = st.builds(
    CurveChart,
    title=names,
    note=names,
    x=st.builds(Axis, names, st.sampled_from(Unit)),
    y=st.builds(Axis, names, st.sampled_from(Unit)),
    curves=st.lists(st.builds(Curve, names, st.lists(points, min_size=2, max_size=6), st.booleans()), max_size=10),
    marks=st.lists(st.builds(Mark, names, points, st.booleans()), min_size=1, max_size=14),
)


@given(charts)
def test_every_chart_is_a_picture(chart: CurveChart) -> None:
    """One element, all points between the axes, no script, link or style of another place."""
    svg = curve_svg(chart)
    root = ElementTree.fromstring(svg)
    circles = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in root.iter(f"{SVG}circle")]
    assert len(circles) == len(chart.marks)
    on_curves = [
        (float(x), float(y))
        for path in root.iter(f"{SVG}path")
        for x, y in re.findall(r"[ML](\S+) ([^L]+)", path.attrib["d"])
    ]
    assert len(on_curves) == sum(len(curve.points) for curve in chart.curves)
    for x, y in [*circles, *on_curves]:
        assert 0 < x < WIDTH
        assert TOP - 0.01 <= y <= TOP + PLOT + 0.01
    assert not re.search(r"<script|href|url\(|@import", svg)


@given(figures, figures)
def test_an_axis_has_round_marks_around_its_figures(one: float, other: float) -> None:
    """From just below the least to just above the most, evenly."""
    low, high = sorted((one, other))
    ticks = spaced(low, high)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= high - 1e-6 * step
    assert 2 <= len(ticks) <= 9
    assert [after - before for before, after in pairwise(ticks)] == pytest.approx([step] * (len(ticks) - 1))


@pytest.mark.parametrize(
    ("value", "unit", "step", "shown"),
    [
        (0.85, Unit.SHARE, 0.05, "85 %"),
        (0.125, Unit.SHARE, 0.025, "12.5 %"),
        (2.5, Unit.USD, 0.5, "$2.5"),
        (0.0003, Unit.USD, 0.0001, "$0.0003"),
        (9.105, Unit.GRADE, None, "9.105"),
        (0.0, Unit.USD, None, "$0"),
    ],
)
def test_figures_are_as_fine_as_their_axis(value: float, unit: Unit, step: float | None, shown: str) -> None:
    """No digit too many."""
    assert written(value, unit, step) == shown


def test_a_crowded_point_is_told_by_its_tip() -> None:
    """Names do not lie on each other: what has no room is left out, and still told."""
    marks = [Mark(f"a model with a long name {number}", (1.0, 0.5)) for number in range(30)]
    svg = curve_svg(CurveChart("t", "n", Axis("x", Unit.USD), Axis("y", Unit.SHARE), (), marks))
    assert svg.count("<title>a model with a long name") == 30
    assert svg.count(">a model with a long name") < 60


def test_a_page_has_the_figures_of_a_curve() -> None:
    """As a table below the picture."""
    chart = CurveChart("t", "n", Axis("cost", Unit.USD), Axis("right", Unit.SHARE), [Curve("c", [(1, 0), (2, 1)])], ())
    assert "<tr><td>c</td><td>$2.000</td><td>100.0 %</td></tr>" in charts_html("page", [chart])
