"""Frames of the monitor on a terminal, as text, and as lines of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..application.amounts import dollars, percent, share_bar
from ..application.monitor import BudgetNow, Frame, Happened
from ..application.monitor_figures import frame_dict, iso, today_dict
from ..domain.breaker import BreakerState
from ..domain.units import MILLION, Usd, usd
from ..projections.overview import RunNow
from .tables import can_show

WIDE = 150  # columns from which on two parts stand side by side
PIPED = 140  # columns of a frame that goes to a file or a pipe
SHORT = 12  # characters of a run's id where there is no room for all of it
_GIVING_WAY = ("scope", "category", "model", "what")
_BAD = ("failed", "lost", "cancelled")


def is_terminal() -> bool:
    """Whether stdout can be drawn on."""
    return sys.stdout is not None and sys.stdout.isatty()


class Terminal:
    """The whole screen, redrawn in place; left as it was."""

    def __init__(self) -> None:
        self._console = Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, frame: Frame) -> None:
        """Draw it."""
        self._live.update(drawn(frame, self._console.width), refresh=True)


class Printed:
    """Each frame that differs from the one before, as text."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, width=None if is_terminal() else PIPED, highlight=False)
        self._shown: dict[str, Any] = {}

    def show(self, frame: Frame) -> None:
        """Print it, unless only the time is another."""
        said = frame_dict(frame) | {"at": ""}
        if said != self._shown:
            self._shown = said
            self._console.print(drawn(frame, self._console.width))
            sys.stdout.flush()


class Lines:
    """Each frame that differs from the one before, as a line of JSON."""

    def __init__(self) -> None:
        self._shown: dict[str, Any] = {}

    def show(self, frame: Frame) -> None:
        """Print it, unless only the time is another."""
        said = frame_dict(frame)
        if said | {"at": ""} != self._shown:
            self._shown = said | {"at": ""}
            print(json.dumps(said), flush=True)


def drawn(frame: Frame, width: int) -> RenderableType:
    """The frame; what matters most stands first, for a screen that is small."""
    heading = Text(f"{iso(frame.at)[:19].replace('T', ' ')} UTC   position {frame.position:,}", style="dim")
    money = [*_titled("Today", _today(frame)), *_titled("Budgets", _budgets(frame.budgets)), _breakers(frame.breakers)]
    running = _titled(f"Under way: {frame.runs.running_count:,}", _runs(frame.runs.running, frame.at, width))
    last = _titled("Last runs", _runs(frame.runs.last, frame.at, width))
    latest = _titled("Latest events", _events(frame.latest))
    if width < WIDE:
        return Group(heading, *money, *running, *last, *latest)
    halves = Table.grid(padding=(0, 4), expand=True)
    halves.add_column(ratio=2)
    halves.add_column(ratio=3)
    halves.add_row(Group(*money), Group(*running, *last))
    return Group(heading, halves, *latest)


def _titled(title: str, *parts: RenderableType) -> list[RenderableType]:
    return [Text(title, style="bold"), *parts]


def _today(frame: Frame) -> RenderableType:
    calls = f"{frame.calls_a_minute:,} calls and {sum(frame.failures_a_minute.values()):,} failures in the last minute"
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(frame.failures_a_minute.items()))
    minute = Text(f"{calls}{f': {kinds}' if kinds else ''}", style="red" if kinds else "")
    rows = [
        [
            Text(money),
            Text(dollars(Usd(one["cost"])) + (f" + {one['unknown']:,} unknown" if one["unknown"] else "")),
            Text(f"{one['calls']:,}"),
            Text(f"{one['failed']:,}", style="red" if one["failed"] else ""),
            Text(f"{one['lost']:,}", style="red" if one["lost"] else ""),
        ]
        for money, one in today_dict(frame).items()
    ]
    if not rows:
        return Group(minute, Text("no call of a run that started today", style="dim"))
    return Group(minute, _table(("money", "cost", "calls", "failed", "lost"), rows, figures=(1, 2, 3, 4)))


def _budgets(budgets: Sequence[BudgetNow]) -> RenderableType:
    if not budgets:
        return Text("none is set", style="dim")
    return _table(("scope", "period", "money", "spent", "held", "limit", ""), map(_budget, budgets), figures=(3, 4, 5))


def _budget(one: BudgetNow) -> list[Text]:
    balance, limit = one.balance, one.budget.limit
    spent, held = (usd(balance.settled), usd(balance.held)) if balance else (Usd(0), Usd(0))
    gone = Usd(spent + held)
    bar = share_bar(gone, limit, width=10, ascii=not can_show("█▏"))
    style = "red" if gone >= limit else "yellow" if 5 * gone >= 4 * limit else "green"
    return [
        _clean(one.budget.scope),
        Text(one.budget.period),
        Text(balance.money.value if balance else ""),
        Text(dollars(spent)),
        Text(dollars(held)),
        Text(dollars(limit)),
        Text(f"{bar} {percent(gone, limit)}".strip(), style=style),
    ]


def _breakers(breakers: Mapping[str, BreakerState]) -> RenderableType:
    from ..infrastructure.breaker_states import breaker_text

    if not breakers:
        return Text("No breaker is open", style="dim")
    return Group(*(_clean(f"{model}: {breaker_text(state)}", "red") for model, state in sorted(breakers.items())))


def _runs(runs: Sequence[RunNow], now: int, width: int) -> RenderableType:
    if not runs:
        return Text("none", style="dim")
    rows = [
        [
            _clean(run.run if PIPED <= width < WIDE else run.run[-SHORT:]),
            Text(f"{_age(now - run.started_at)} ago"),
            Text(run.error or run.status, style="red" if run.status in _BAD else ""),
            _clean(run.strategy),
            _clean(run.category),
            _clean(run.model or ""),
            Text(dollars(None if run.cost is None else usd(run.cost)), style="" if run.money == "real" else "dim"),
        ]
        for run in runs
    ]
    return _table(("run", "started", "status", "strategy", "category", "model", "cost"), rows, figures=(6,))


def _events(latest: Sequence[Happened]) -> RenderableType:
    if not latest:
        return Text("none", style="dim")
    rows = [
        [
            Text(f"{one.position:,}"),
            Text(iso(one.at)[11:23]),
            _clean(one.stream[-SHORT:]),
            Text(one.type, style="red" if "Failed" in one.type or "Lost" in one.type else ""),
            _clean(one.says),
        ]
        for one in latest
    ]
    return _table(("position", "at", "stream", "event", "what"), rows, figures=(0,))


def _table(titles: Sequence[str], rows: Iterable[Sequence[Text]], figures: Sequence[int]) -> Table:
    """Names give way where there is no room; figures do not."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for index, title in enumerate(titles):
        justify: JustifyMethod = "right" if index in figures else "left"
        table.add_column(title, justify=justify, no_wrap=title not in _GIVING_WAY, overflow="ellipsis")
    for row in rows:
        table.add_row(*row)
    return table


def _clean(text: str, style: str = "") -> Text:
    """Text that no terminal takes for a command."""
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return Text(shown, style=style, no_wrap=True, overflow="ellipsis")


def _age(microseconds: int) -> str:
    seconds = max(0, microseconds // MILLION)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
