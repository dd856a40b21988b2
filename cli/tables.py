"""Tables for the terminal: text to the left, figures to the right and points below points, totals under a rule."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column; of a figure the points stand below each other."""

    title: str
    is_figure: bool = False
    widest: int = 48  # text beyond is cut, and says so


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], totals: Iterable[Sequence[str]] = ()) -> str:
    """The lines of a table; `totals` are rows under a rule."""
    body, sums = list(rows), list(totals)
    cells = [[_cell(cell, column) for cell, column in zip(row, columns, strict=True)] for row in (*body, *sums)]
    for index, column in enumerate(columns):
        if column.is_figure:
            _align(cells, index)
    widths = [max([_width(one.title), *(_width(row[at]) for row in cells)]) for at, one in enumerate(columns)]
    lines = [_line([column.title for column in columns], columns, widths)]
    lines += [_line(row, columns, widths) for row in cells[: len(body)]]
    if sums:
        lines.append(_rule() * (sum(widths) + len(GAP) * (len(widths) - 1)))
        lines += [_line(row, columns, widths) for row in cells[len(body) :]]
    return "\n".join(lines)


def can_show(characters: str) -> bool:
    """Whether stdout's encoding has these characters."""
    try:
        characters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _rule() -> str:
    return "─" if can_show("─") else "-"


def _cell(text: str, column: Column) -> str:
    shown = "".join(one if one.isprintable() else "�" for one in text)  # no escape sequence reaches a terminal
    if column.is_figure or _width(shown) <= column.widest:
        return shown
    while _width(shown) > column.widest - 1:
        shown = shown[:-1]
    return f"{shown}…"


def _align(rows: Sequence[list[str]], index: int) -> None:
    """Pad each figure behind its last digit, so that points stand below points."""
    tails = [len(_tail(row[index])) for row in rows]
    most = max(tails, default=0)
    for row, tail in zip(rows, tails, strict=True):
        if row[index][-1:].isdigit():
            row[index] += " " * (most - tail)


def _tail(figure: str) -> str:
    """The point and what follows it; nothing of a word."""
    return "." + figure.rpartition(".")[2] if "." in figure and figure[-1].isdigit() else ""


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        space = " " * (width - _width(cell))
        padded.append(space + cell if column.is_figure else cell + space)
    return GAP.join(padded).rstrip()


def _width(text: str) -> int:
    """Columns that a terminal gives the text."""
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)
