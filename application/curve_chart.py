"""Curves and single points in one plane as an SVG picture, such as what quality costs: hand-written, without script.

A point carries its name beside it where there is room, and tells it with its figures when pointed at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, islice
from math import ceil, floor, log10

from .svg import EDGE, INK, PALETTE, WIDTH, clean, cut, described, framed, px, svg_text, width_of

TOP, PLOT = 88, 380  # pixels above the plane, and its height
_STEPS = (1, 2, 2.5, 5, 10)
_MOST_TICKS = 6
_HALO = f'<text paint-order="stroke" stroke="{INK["paper"][0]}" stroke-width="4" stroke-linejoin="round" '

Point = tuple[float, float]


class Unit(StrEnum):
    """How an axis writes its figures."""

    USD = "usd"
    SHARE = "share"
    GRADE = "grade"


@dataclass(frozen=True, slots=True)
class Axis:
    """What is measured along it."""

    title: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Curve:
    """Points joined in their order; a reference is dashed."""

    name: str
    points: Sequence[Point]
    is_reference: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A single point; what the picture is about stands out."""

    name: str
    point: Point
    stands_out: bool = False


@dataclass(frozen=True, slots=True)
class CurveChart:
    """What is drawn; at least one point."""

    title: str
    note: str  # below the title
    x: Axis
    y: Axis
    curves: Sequence[Curve]
    marks: Sequence[Mark]

    def points(self) -> list[Point]:
        """Of everything."""
        return [*(point for curve in self.curves for point in curve.points), *(mark.point for mark in self.marks)]


def curve_svg(chart: CurveChart, *, id: str = "chart", styled: bool = True) -> str:
    """The picture. `id` tells it from others on one page; without `styled` it has no style element."""
    below = TOP + PLOT + 74
    rows = ceil(len(chart.curves) / _columns(chart.curves))
    height = below + 22 * rows + (0 if rows else -20)
    parts = [
        *described(chart.title, _words(chart), id=id),
        *([f"<style>{_style(id, len(chart.curves))}</style>"] if styled else []),
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8" fill="{INK["paper"][0]}"/>',
        svg_text(cut(chart.title, (WIDTH - 2 * EDGE) * 12 / 20), EDGE, 36, "ink", size=20, weight=600),
        svg_text(cut(chart.note, (WIDTH - 2 * EDGE) * 12 / 13), EDGE, 60, "soft", size=13),
        *_Plane(chart).parts(),
        *_legend(chart.curves, top=below),
    ]
    return framed(parts, id=id, height=height)


def written(value: float, unit: Unit, step: float | None = None) -> str:
    """A figure as an axis writes it, as fine as its step; without one, to four digits."""
    size = 100 * value if unit is Unit.SHARE else value
    fine = 100 * step if step is not None and unit is Unit.SHARE else step
    if fine is None:
        digits = max(0, 3 - floor(log10(abs(size)))) if size else 0
    else:
        digits = next(n for n in range(12) if abs(round(fine, n) - fine) < 1e-9)
    text = f"{size:.{digits}f}"
    return f"${text}" if unit is Unit.USD else f"{text} %" if unit is Unit.SHARE else text


def spaced(low: float, high: float) -> list[float]:
    """Round figures from `low` or just below to `high` or just above."""
    rough = (high - low or abs(high) or 1) / _MOST_TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(one * power for one in _STEPS if one * power >= rough * (1 - 1e-9))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [step * place for place in range(first, max(last, first + 1) + 1)]


class _Plane:
    """The axes and what lies between them."""

    def __init__(self, chart: CurveChart) -> None:
        self._chart = chart
        xs, ys = zip(*chart.points(), strict=True)
        self._xs, self._ys = spaced(min(xs), max(xs)), spaced(min(ys), max(ys))
        self._left = EDGE + 22 + max(map(width_of, self._labels(self._ys, chart.y.unit))) + 8
        self._taken: list[tuple[float, float, float, float]] = []  # boxes of what must stay legible

    def parts(self) -> list[str]:
        """Back to front."""
        chart = self._chart
        self._taken = [self._around(mark.point) for mark in chart.marks]
        curves = [self._curve(curve, number) for number, curve in enumerate(chart.curves)]
        return [*self._grid(), *curves, *(part for mark in chart.marks for part in self._mark(mark))]

    def _labels(self, ticks: list[float], unit: Unit) -> list[str]:
        return [written(tick, unit, ticks[1] - ticks[0]) for tick in ticks]

    def _grid(self) -> Iterator[str]:
        chart, bottom, right = self._chart, TOP + PLOT, WIDTH - EDGE
        for place, (tick, label) in enumerate(zip(self._ys, self._labels(self._ys, chart.y.unit), strict=True)):
            y = self._y(tick)
            yield _line((self._left, y), (right, y), "grid" if place else "base")
            yield svg_text(label, self._left - 8, y + 4, "soft", anchor="end")
        for tick, label in zip(self._xs, self._labels(self._xs, chart.x.unit), strict=True):
            x = self._x(tick)
            yield _line((x, bottom), (x, bottom + 5), "base")
            yield svg_text(label, min(x, WIDTH - 4 - width_of(label) / 2), bottom + 20, "soft", anchor="middle")
        yield svg_text(chart.x.title, (self._left + right) / 2, bottom + 42, "ink", size=13, anchor="middle")
        middle = f'transform="rotate(-90 {EDGE} {px(TOP + PLOT / 2)})"'
        yield svg_text(chart.y.title, EDGE, TOP + PLOT / 2, "ink", size=13, anchor="middle").replace(
            "<text ", f"<text {middle} ", 1
        )

    def _curve(self, curve: Curve, number: int) -> str:
        path = "L".join(f"{px(self._x(x))} {px(self._y(y))}" for x, y in curve.points)
        dashes = ' stroke-dasharray="5 5"' if curve.is_reference else ""
        return (
            f'<path class="c{number}" d="M{path}" fill="none" stroke="{_colour(number)[0]}" '
            f'stroke-width="{1.5 if curve.is_reference else 2.5}" stroke-linejoin="round"{dashes}>'
            f"<title>{clean(curve.name)}</title></path>"
        )

    def _mark(self, mark: Mark) -> Iterator[str]:
        (x, y), unit = mark.point, self._chart
        tip = f"{mark.name}: {written(x, unit.x.unit)}, {written(y, unit.y.unit)}"
        kind, colour, radius = ("out", PALETTE[0][0], 6.5) if mark.stands_out else ("ink", INK["ink"][0], 4.5)
        yield (
            f'<circle class="{kind}" cx="{px(self._x(x))}" cy="{px(self._y(y))}" r="{radius}" fill="{colour}">'
            f"<title>{clean(tip)}</title></circle>"
        )
        width = width_of(mark.name) * 0.92
        for at_x, at_y, anchor in self._spots(mark.point, width):
            start = at_x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
            box = (start, at_y - 11, start + width, at_y + 3)
            inside = self._left <= box[0] and box[2] <= WIDTH - 4 and box[1] >= TOP - 14 and box[3] <= TOP + PLOT - 2
            if inside and not any(_overlap(box, other) for other in self._taken):
                self._taken.append(box)
                yield svg_text(mark.name, at_x, at_y, "ink", anchor=anchor).replace("<text ", _HALO, 1)
                return

    def _spots(self, point: Point, width: float) -> Iterator[tuple[float, float, str]]:
        """Where its name could stand, the best first."""
        x, y = self._x(point[0]), self._y(point[1])
        for down in (0, -14, 14, -28, 28):
            yield x + 10, y + 4 + down, "start"
            yield x - 10, y + 4 + down, "end"
            if abs(down) >= 14:
                yield x, y + 4 + down, "middle"

    def _around(self, point: Point) -> tuple[float, float, float, float]:
        x, y = self._x(point[0]), self._y(point[1])
        return x - 6, y - 6, x + 6, y + 6

    def _x(self, value: float) -> float:
        low, high = self._xs[0], self._xs[-1]
        return self._left + (value - low) / (high - low) * (WIDTH - EDGE - self._left)

    def _y(self, value: float) -> float:
        low, high = self._ys[0], self._ys[-1]
        return TOP + PLOT - (value - low) / (high - low) * PLOT


def _legend(curves: Sequence[Curve], *, top: float) -> Iterator[str]:
    columns = _columns(curves)
    width = (WIDTH - 2 * EDGE) / columns
    for number, curve in enumerate(curves):
        x, y = EDGE + width * (number % columns), top + 22 * (number // columns)
        dashes = ' stroke-dasharray="5 5"' if curve.is_reference else ""
        yield (
            f'<line class="c{number}" x1="{px(x)}" x2="{px(x + 24)}" y1="{px(y - 4)}" y2="{px(y - 4)}" '
            f'stroke="{_colour(number)[0]}" stroke-width="{1.5 if curve.is_reference else 2.5}"{dashes}/>'
        )
        yield svg_text(cut(curve.name, width - 44), x + 32, y, "ink", tip=curve.name)


def _columns(curves: Sequence[Curve]) -> int:
    """Of the legend: as many, up to four, as leave room for the names."""
    widest = max((width_of(curve.name) for curve in curves), default=0.0)
    return next((count for count in (4, 3, 2) if (WIDTH - 2 * EDGE) / count - 44 >= widest), 1)


def _words(chart: CurveChart) -> str:
    """The picture in words."""
    said = [f"{chart.note}. {chart.y.title} against {chart.x.title}."]
    for curve in chart.curves:
        ends = (_pair(chart, curve.points[0]), _pair(chart, curve.points[-1]))
        said.append(f"{curve.name}: from {ends[0]} to {ends[1]}.")
    said += [f"{mark.name}: {_pair(chart, mark.point)}." for mark in chart.marks]
    return " ".join(said)


def _pair(chart: CurveChart, point: Point) -> str:
    return f"{written(point[1], chart.y.unit)} at {written(point[0], chart.x.unit)}"


def _line(start: Point, end: Point, kind: str) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{kind}" x1="{px(x1)}" y1="{px(y1)}" x2="{px(x2)}" y2="{px(y2)}" stroke="{INK[kind][0]}"/>'


def _colour(number: int) -> tuple[str, str]:
    return next(islice(cycle(PALETTE), number, None))


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _style(id: str, curves: int) -> str:
    """The dark scheme's colours; the light ones are attributes."""
    rules = [f"#{id} .{name}{{fill:{INK[name][1]}}}" for name in ("paper", "ink", "soft")]
    rules += [f"#{id} .{name}{{stroke:{INK[name][1]}}}" for name in ("grid", "base")]
    rules += [f"#{id} .out{{fill:{PALETTE[0][1]}}}", f"#{id} text[stroke]{{stroke:{INK['paper'][1]}}}"]
    rules += [f"#{id} .c{number}{{stroke:{_colour(number)[1]}}}" for number in range(curves)]
    return f"@media (prefers-color-scheme: dark){{{''.join(rules)}}}"
