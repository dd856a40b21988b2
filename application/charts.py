"""Stacked bars of cost by period as an SVG picture: hand-written, without script, link or font of another place.

The picture has a title and a description for those who do not see it, and each bar tells its exact figure when pointed
at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from .amounts import dollars, percent, short_dollars
from .svg import EDGE, INK, PALETTE, WIDTH, clean, cut, described, framed, px, svg_text, width_of

PLOT = 300  # pixels of the bars' height
SHOWN = 8  # series with a colour of their own; the least of more become one
REST = ("#898781", "#898781")
_GAP, _WIDEST_BAR = 2, 56
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class Series:
    """A named row of amounts in USD, one a period, none below 0."""

    name: str
    amounts: tuple[Decimal, ...]

    @property
    def total(self) -> Decimal:
        """The exact sum."""
        return sum(self.amounts, Decimal(0))


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: bars by period, stacked of the series."""

    title: str
    note: str  # below the title: what the figures are of
    periods: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def total(self) -> Decimal:
        """USD of all bars."""
        return sum((one.total for one in self.series), Decimal(0))

    def totals(self) -> tuple[Decimal, ...]:
        """USD of each bar."""
        return tuple(sum((one.amounts[at] for one in self.series), Decimal(0)) for at in range(len(self.periods)))


def chart_svg(chart: Chart, *, id: str = "chart", styled: bool = True) -> str:
    """The picture. `id` tells it from others on one page; the result is one XML element, fit for a file of its own.

    With `styled` False it has no style element: the page's own style sheet colours its classes.
    """
    drawn = _merged(chart)
    columns = _columns(drawn)
    below = _Plot.top + PLOT + 54
    height = below + 24 * ceil(len(drawn.series) / columns) + (8 if drawn.series else -16)
    total = dollars(chart.total)
    room = (WIDTH - 2 * EDGE) * 12 / 20 - width_of(total) - 20
    texts = [
        svg_text(cut(chart.title, room), EDGE, 36, "ink", size=20, weight=600),
        svg_text(chart.note, EDGE, 60, "soft", size=13),
        svg_text(total, WIDTH - EDGE, 36, "ink", size=20, weight=600, anchor="end"),
    ]
    parts = [
        *described(chart.title, _described(chart), id=id),
        *([f"<style>{_style(id, len(drawn.series))}</style>"] if styled else []),
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8" fill="{INK["paper"][0]}"/>',
        *texts,
        *_Plot(drawn).parts(),
        *_legend(drawn, columns, top=below),
    ]
    return framed(parts, id=id, height=height)


class _Plot:
    """The bars with their axes."""

    top = 96

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._totals = chart.totals()
        self._ticks = ticks(max(self._totals, default=Decimal(0)))
        self._left = EDGE + max(width_of(short_dollars(tick)) for tick in self._ticks) + 10
        self._slot = (WIDTH - EDGE - self._left) / max(1, len(chart.periods))
        self._bar = min(_WIDEST_BAR, max(1.0, self._slot * 0.72))

    def parts(self) -> list[str]:
        """Everything inside the axes, back to front."""
        if not any(self._totals):
            middle = self._y(self._ticks[-1] / 2)
            nothing = svg_text("Nothing was spent in this time", WIDTH / 2, middle, "soft", size=14, anchor="middle")
            return [*self._grid(), nothing, *self._names()]
        bars = [part for index in range(len(self._chart.periods)) for part in self._stack(index)]
        return [*self._grid(), *bars, *self._names(), *self._sums()]

    def _grid(self) -> list[str]:
        lines = []
        for tick in self._ticks:
            y, kind = self._y(tick), "grid" if tick else "base"
            lines.append(
                f'<line class="{kind}" x1="{px(self._left)}" x2="{WIDTH - EDGE}" y1="{px(y)}" y2="{px(y)}" '
                f'stroke="{INK[kind][0]}"/>'
            )
            lines.append(svg_text(short_dollars(tick), self._left - 8, y + 4, "soft", anchor="end"))
        return lines

    def _stack(self, index: int) -> list[str]:
        """One bar: its pieces from the base up, a gap between them, the top rounded."""
        pieces: list[str] = []
        below, middle = Decimal(0), self._middle(index)
        top = max((n for n, one in enumerate(self._chart.series) if one.amounts[index]), default=-1)
        for number, one in enumerate(self._chart.series):
            amount = one.amounts[index]
            if not amount:
                continue
            low, high = self._y(below), self._y(below + amount)
            below += amount
            if low - high > 2 * _GAP and number != top:
                high += _GAP
            tip = f"{self._chart.periods[index]}, {one.name}: {dollars(amount)}"
            shape = _bar_path(middle - self._bar / 2, high, self._bar, low - high, rounded=number == top)
            pieces.append(f'<path class="{_class(one, number)}" fill="{_colour(one, number)[0]}" d="{shape}">')
            pieces.append(f"<title>{clean(tip)}</title></path>")
        return pieces

    def _names(self) -> list[str]:
        """The periods below the bars, so many as have room."""
        periods = self._chart.periods
        widest = max((width_of(name) for name in periods), default=0.0)
        every = max(1, ceil((widest + 10) / self._slot))
        parts = []
        for index in range(0, len(periods), every):
            half = width_of(periods[index]) / 2
            x = min(max(self._middle(index), half + 4), WIDTH - half - 4)
            parts.append(svg_text(periods[index], x, self.top + PLOT + 20, "soft", anchor="middle"))
        return parts

    def _sums(self) -> list[str]:
        """What each bar comes to, above it, where all have room."""
        sums = [short_dollars(total) for total in self._totals]
        if max(map(width_of, sums)) + 6 > self._slot:
            return []
        spots = [(text, index) for index, text in enumerate(sums) if self._totals[index]]
        return [
            svg_text(text, self._middle(at), self._y(self._totals[at]) - 6, "ink", anchor="middle")
            for text, at in spots
        ]

    def _middle(self, index: int) -> float:
        return self._left + self._slot * (index + 0.5)

    def _y(self, amount: Decimal) -> float:
        return self.top + PLOT - PLOT * float(amount / self._ticks[-1])


def ticks(most: Decimal) -> tuple[Decimal, ...]:
    """Round marks of an axis from 0 to `most` or just above: four to six."""
    if most <= 0:
        return (Decimal(0), Decimal(1))
    rough = most / 5
    power = Decimal(1).scaleb(rough.adjusted())
    step = next(one * power for one in _STEPS if one * power >= rough)
    return tuple(step * number for number in range(ceil(most / step) + 1))


def _merged(chart: Chart) -> Chart:
    """The chart with its largest series first, the least of many as one, and none of nothing."""
    ordered = sorted((one for one in chart.series if one.total), key=lambda one: -one.total)
    shown, rest = ordered[:SHOWN], ordered[SHOWN:]
    if len(rest) == 1:
        shown, rest = ordered[: SHOWN - 1], ordered[SHOWN - 1 :]
    if rest:
        amounts = tuple(sum(column, Decimal(0)) for column in zip(*(one.amounts for one in rest), strict=True))
        shown.append(_Rest(f"{len(rest)} others", amounts))
    return Chart(chart.title, chart.note, chart.periods, tuple(shown))


class _Rest(Series):
    """What has no colour of its own."""


def _columns(chart: Chart) -> int:
    """Columns of the legend: as many, up to three, as leave room for the names."""
    names = max((width_of(one.name) for one in chart.series), default=0.0)
    return next(
        (count for count in (3, 2) if _column(count) - _figures(chart) - 20 >= min(names, _column(count) / 2)), 1
    )


def _column(count: int) -> float:
    return (WIDTH - 2 * EDGE + 32) / count - 32


def _figures(chart: Chart) -> float:
    """Pixels of the widest sum, with the share before it."""
    return max((width_of(dollars(one.total)) for one in chart.series), default=0.0) + width_of(" 100.0 %") + 16


def _legend(chart: Chart, columns: int, *, top: float) -> list[str]:
    """Colour, name, share and sum of each series."""
    width = _column(columns)
    parts = []
    for number, one in enumerate(chart.series):
        x, y = EDGE + (width + 32) * (number % columns), top + 24 * (number // columns)
        parts.append(
            f'<rect class="{_class(one, number)}" x="{px(x)}" y="{px(y - 10)}" width="12" height="12" rx="3" '
            f'fill="{_colour(one, number)[0]}"/>'
        )
        parts.append(svg_text(cut(one.name, width - 20 - _figures(chart)), x + 20, y, "ink", tip=one.name))
        share = x + width - _figures(chart) + width_of(" 100.0 %")
        parts.append(svg_text(percent(one.total, chart.total), share, y, "soft", anchor="end"))
        parts.append(svg_text(dollars(one.total), x + width, y, "ink", anchor="end"))
    return parts


def _described(chart: Chart) -> str:
    """The picture in words."""
    if not chart.total:
        return f"{chart.note}. Nothing was spent."
    totals = chart.totals()
    most = max(range(len(totals)), key=lambda index: totals[index])
    largest = sorted(chart.series, key=lambda one: -one.total)[:3]
    shares = ", ".join(f"{one.name} {dollars(one.total)} ({percent(one.total, chart.total)})" for one in largest)
    return (
        f"{chart.note}. {len(chart.periods)} bars from {chart.periods[0]} to {chart.periods[-1]}, "
        f"{dollars(chart.total)} in total; most in {chart.periods[most]}: {dollars(totals[most])}. Largest: {shares}."
    )


def _style(id: str, count: int) -> str:
    """The dark scheme's colours; the light ones are attributes."""
    fills = [(name, INK[name][1]) for name in ("paper", "ink", "soft")]
    fills += [(f"s{number}", PALETTE[number][1]) for number in range(min(count, SHOWN))]
    rules = [f"#{id} .{name}{{fill:{colour}}}" for name, colour in fills]
    rules += [f"#{id} .{name}{{stroke:{INK[name][1]}}}" for name in ("grid", "base")]
    return f"@media (prefers-color-scheme: dark){{{''.join(rules)}}}"


def _class(series: Series, number: int) -> str:
    return "rest" if isinstance(series, _Rest) else f"s{number}"


def _colour(series: Series, number: int) -> tuple[str, str]:
    return REST if isinstance(series, _Rest) else PALETTE[number]


def _bar_path(x: float, y: float, width: float, height: float, *, rounded: bool) -> str:
    """A rectangle, its upper corners rounded."""
    radius = min(4.0, width / 2, height) if rounded else 0.0
    return (
        f"M{px(x)} {px(y + height)}V{px(y + radius)}q0 {px(-radius)} {px(radius)} {px(-radius)}"
        f"H{px(x + width - radius)}q{px(radius)} 0 {px(radius)} {px(radius)}V{px(y + height)}z"
    )


def series_of(periods: Sequence[str], amounts: dict[tuple[str, str], Decimal]) -> tuple[Series, ...]:
    """Series from amounts by (period, name); a pair that is not there is 0."""
    names = dict.fromkeys(name for _, name in amounts)
    return tuple(Series(name, tuple(amounts.get((period, name), Decimal(0)) for period in periods)) for name in names)
