"""Charts: well-formed whatever their names, true to their figures, and with nothing that loads or runs."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.chart_page import charts_html
from model_orchestrator.application.charts import (
    PLOT,
    Chart,
    Series,
    chart_svg,
    series_of,
    ticks,
)
from model_orchestrator.application.svg import WIDTH

D = Decimal
SVG = "{http://www.w3.org/2000/svg}"
MONTHS = tuple(f"2026-{month:02}" for month in range(1, 13))
EVIL = '</title><script>alert("x")</script>&amp;'


def chart(*series: Series, periods: tuple[str, ...] = MONTHS[:2], title: str = "Cost by month") -> Chart:
    return Chart(title, "Real money, 2026", periods, series)


TWO = chart(Series("chat", (D(1), D(3))), Series("batch", (D(2), D(0))))

amounts = st.decimals(0, 10**15, places=12) | st.just(D(0))
charts = st.integers(0, 70).flatmap(
    lambda count: st.builds(
        Chart,
        title=st.text(max_size=80),
        note=st.text(max_size=30),
        periods=st.just(tuple(f"2026-{number:03}" for number in range(count))),
        series=st.lists(
            st.builds(Series, st.text(max_size=64), st.lists(amounts, min_size=count, max_size=count).map(tuple)),
            max_size=12,
        ).map(tuple),
    )
)


def bars(svg: str) -> list[tuple[float, float]]:
    """Bottom and top of each piece of a bar."""
    paths = [path.attrib["d"] for path in ElementTree.fromstring(svg).iter(f"{SVG}path")]
    found = []
    for path in paths:
        bottom, straight = re.findall(r"^M\S+ (\S+?)V(\S+?)q", path)[0]
        radius = float(re.findall(r"q0 (\S+) ", path)[0])
        found.append((float(bottom), float(straight) + radius))
    return found


@given(charts)
def test_any_chart_is_a_whole_picture(drawn: Chart) -> None:
    """One XML element, named and described, with everything inside its frame."""
    root = ElementTree.fromstring(chart_svg(drawn))
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    height = float(root.attrib["height"])
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= WIDTH
        assert 0 < float(text.attrib["y"]) < height
    for bottom, top in bars(chart_svg(drawn)):
        assert 90 <= top <= bottom <= 96 + PLOT


def test_a_bar_is_as_high_as_its_sum() -> None:
    """The pieces stand on each other; the gap is taken from a piece's top, never from the whole."""
    full = 96 + PLOT
    first, above, alone = bars(chart_svg(TWO))
    assert (first[0], alone[0]) == (full, full)
    assert above[0] - above[1] == pytest.approx(PLOT * 2 / 3)
    assert full - above[1] == pytest.approx(PLOT)
    assert full - alone[1] == pytest.approx(PLOT)
    assert first[1] == pytest.approx(above[0] + 2)


def test_every_piece_tells_its_exact_figure() -> None:
    """To the last digit, when it is pointed at."""
    svg = chart_svg(chart(Series("chat", (D("0.0000243"), D(0)))))
    assert "<title>2026-01, chat: $0.0000243</title>" in svg
    assert "$0.0000243 (100.0 %)" in svg


@pytest.mark.parametrize("count", [1, 12, 31, 60, 400])
def test_labels_do_not_touch(count: int) -> None:
    """So many periods are named as have room."""
    periods = tuple(f"2026-01-{number:03}" for number in range(count))
    root = ElementTree.fromstring(chart_svg(chart(Series("chat", (D(1),) * count), periods=periods)))
    labels = [float(text.attrib["x"]) for text in root.iter(f"{SVG}text") if (text.text or "").startswith("2026-01-")]
    assert len(labels) > min(count, 4) - 1
    assert all(right - left > 60 for left, right in pairwise(labels))


def test_the_least_of_many_become_one() -> None:
    """Never one alone, and no amount is lost."""
    many = chart(*(Series(f"c{number}", (D(number), D(1))) for number in range(1, 12)))
    svg = chart_svg(many)
    assert "3 others" in svg
    assert "$77.00" in svg
    assert "others" not in chart_svg(chart(*many.series[:8]))
    assert "2 others" in chart_svg(chart(*many.series[:9]))


def test_a_series_of_nothing_is_left_out() -> None:
    """It has no bar to explain."""
    svg = chart_svg(chart(Series("chat", (D(1), D(1))), Series("nothing", (D(0), D(0)))))
    assert "chat" in svg
    assert ">nothing<" not in svg


def test_nothing_spent_is_said() -> None:
    """Instead of an empty frame."""
    for empty in (chart(), chart(Series("chat", (D(0), D(0)))), chart(periods=())):
        assert "Nothing was spent" in chart_svg(empty)


def test_nothing_loads_or_runs() -> None:
    """No script, no link, no other place; a name stays a name."""
    evil = chart(Series(EVIL, (D(1), D(2))), title=EVIL)
    for page in (chart_svg(evil), charts_html(EVIL, [evil])):
        assert "<script" not in page
        assert not re.search(r"href|url\(|@import|src=|\son\w+=", page)
        assert re.findall(r"https?://[^\"]+", page) == ["http://www.w3.org/2000/svg"]


def test_both_schemes_have_every_colour() -> None:
    """Each class that is drawn has a dark colour."""
    svg = chart_svg(TWO)
    dark = svg[svg.index("prefers-color-scheme: dark") : svg.index("</style>")]
    for name in set(re.findall(r'class="(\w+)"', svg)):
        assert f"#chart .{name}{{" in dark


def test_a_page_shows_pictures_and_figures() -> None:
    """Each chart under an id of its own, and a table with its sums."""
    page = charts_html("Costs", [TWO, TWO])
    assert page.count("<svg") == page.count("</table>") == 2
    assert 'id="chart1-title"' in page
    assert 'id="chart2-title"' in page
    assert "<td>batch</td><td>$2.00</td><td>$0.00</td><td>$2.00</td><td>33.3 %</td>" in page


@given(st.decimals("0.000000000001", 10**18, places=12).filter(bool))
def test_ticks_are_few_and_reach_the_top(most: Decimal) -> None:
    """From 0 to the most or just above."""
    marks = ticks(most)
    assert 3 <= len(marks) <= 7
    assert marks[0] == 0
    assert marks[-2] < most <= marks[-1]


def test_series_from_amounts() -> None:
    """What is not there is 0."""
    made = series_of(MONTHS[:2], {("2026-01", "chat"): D(1), ("2026-02", "batch"): D(2)})
    assert made == (Series("chat", (D(1), D(0))), Series("batch", (D(0), D(2))))
