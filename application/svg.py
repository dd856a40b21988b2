"""The parts SVG pictures are written with: colours for the light and the dark scheme, texts, numbers.

Colours stand twice: as attributes for the light scheme, which every viewer reads, and as a style for the dark one.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from unicodedata import east_asian_width

WIDTH = 960  # pixels of a picture
EDGE = 24  # pixels left free on each side
# Light and dark: hues far apart for every kind of colour sight, each with 3:1 or a gap against its neighbours.
PALETTE = (
    ("#2a78d6", "#3987e5"),
    ("#1baf7a", "#199e70"),
    ("#eda100", "#c98500"),
    ("#4a3aa7", "#9085e9"),
    ("#e34948", "#e66767"),
    ("#008300", "#2fa32f"),
    ("#e87ba4", "#d55181"),
    ("#eb6834", "#d95926"),
)
INK = {  # class: light, dark
    "paper": ("#fcfcfb", "#1a1a19"),
    "ink": ("#0b0b0b", "#ffffff"),
    "soft": ("#52514e", "#c3c2b7"),
    "grid": ("#e1e0d9", "#2c2c2a"),
    "base": ("#c3c2b7", "#4a4a47"),
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_CHARACTER = 7.2


def framed(parts: Iterable[str], *, id: str, height: float) -> str:
    """One XML element, fit for a file of its own; `ID-title` and `ID-desc` among the parts say what it shows."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{id}" viewBox="0 0 {WIDTH} {px(height)}" width="{WIDTH}" '
        f'height="{px(height)}" role="img" aria-labelledby="{id}-title {id}-desc" font-family="{FONT}">'
    )
    return "\n".join((head, *parts, "</svg>\n"))


def described(title: str, description: str, *, id: str) -> list[str]:
    """What the picture says to those who do not see it."""
    return [f'<title id="{id}-title">{clean(title)}</title>', f'<desc id="{id}-desc">{clean(description)}</desc>']


def svg_text(
    text: str,
    x: float,
    y: float,
    kind: str,
    *,
    size: int = 12,
    weight: int = 400,
    anchor: str = "start",
    tip: str | None = None,
) -> str:
    """A line of text, of an INK class; `tip` is told when pointed at."""
    inner = clean(text) + ("" if tip is None or tip == text else f"<title>{clean(tip)}</title>")
    return (
        f'<text class="{kind}" x="{px(x)}" y="{px(y)}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="{INK[kind][0]}">{inner}</text>'
    )


def clean(text: str) -> str:
    """Text that an XML file can hold, and nothing but text."""
    return escape("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text))


def cut(text: str, room: float) -> str:
    """The text, shortened to so many pixels."""
    if width_of(text) <= room:
        return text
    while text and width_of(text) + _CHARACTER > room:
        text = text[:-1]
    return f"{text}…"


def width_of(text: str) -> float:
    """Pixels of a text of size 12, roughly."""
    return sum(2 * _CHARACTER if east_asian_width(one) in "WF" else _CHARACTER for one in text)


def px(number: float) -> str:
    """A coordinate, to a hundredth of a pixel."""
    return f"{number:.2f}".rstrip("0").rstrip(".") if number else "0"
