"""Charts as one HTML page that needs nothing else: the pictures, and their figures as tables. No script."""

from __future__ import annotations

from collections.abc import Sequence

from .amounts import dollars, percent
from .charts import Chart, chart_svg
from .curve_chart import CurveChart, curve_svg, written
from .svg import FONT, clean

_STYLE = f"""
:root {{ color-scheme: light dark; --paper: #f4f4f2; --ink: #0b0b0b; --soft: #52514e; --line: #e1e0d9 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --paper: #101010; --ink: #ffffff; --soft: #c3c2b7; --line: #383835 }}
}}
body {{ margin: 0 auto; padding: 24px 16px; max-width: 992px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 {FONT} }}
figure {{ margin: 0 0 32px }}
svg {{ display: block; width: 100%; height: auto }}
summary {{ margin: 8px 0; color: var(--soft); cursor: pointer }}
.figures {{ overflow-x: auto }}
table {{ border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }}
th, td {{ padding: 4px 12px 4px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line) }}
th:first-child, td:first-child {{ text-align: left }}
tfoot {{ font-weight: 600 }}
"""


def charts_html(title: str, charts: Sequence[Chart | CurveChart]) -> str:
    """A page with every chart and the exact figures below it."""
    figures = "\n".join(_figure(chart, f"chart{number}") for number, chart in enumerate(charts, 1))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{clean(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{clean(title)}</h1>\n{figures}\n</main>\n</body>\n</html>\n"
    )


def _figure(chart: Chart | CurveChart, id: str) -> str:
    if isinstance(chart, CurveChart):
        picture, figures = curve_svg(chart, id=id), _points(chart)
    else:
        picture, figures = chart_svg(chart, id=id), _table(chart)
    return (
        f"<figure>\n{picture}"
        f'<details><summary>Figures</summary>\n<div class="figures">{figures}</div></details>\n</figure>'
    )


def _points(chart: CurveChart) -> str:
    """A row a point."""
    points = [(curve.name, point) for curve in chart.curves for point in curve.points]
    points += [(mark.name, mark.point) for mark in chart.marks]
    rows = [_row("td", [name, written(x, chart.x.unit), written(y, chart.y.unit)]) for name, (x, y) in points]
    return (
        f"<table>\n<caption>{clean(chart.title)}</caption>\n"
        f"<thead>{_row('th', ['', chart.x.title, chart.y.title])}</thead>\n<tbody>{''.join(rows)}</tbody>\n</table>"
    )


def _table(chart: Chart) -> str:
    """A row a series, a column a period, both with totals."""
    head = _row("th", ["", *chart.periods, "total", "share"])
    rows = [
        _row("td", [one.name, *map(dollars, one.amounts), dollars(one.total), percent(one.total, chart.total)])
        for one in chart.series
    ]
    foot = _row("td", ["total", *map(dollars, chart.totals()), dollars(chart.total), percent(chart.total, chart.total)])
    return (
        f"<table>\n<caption>{clean(chart.title)}, USD: {clean(chart.note)}</caption>\n"
        f"<thead>{head}</thead>\n<tbody>{''.join(rows)}</tbody>\n<tfoot>{foot}</tfoot>\n</table>"
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{clean(cell)}</{tag}>' for cell in cells)}</tr>"
