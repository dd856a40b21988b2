"""The query of an address: known parameters only, each with one meaning everywhere."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from ....application.dates import Calendar, zone_named
from ....application.run_options import nearest
from ....domain.errors import InvalidRequest
from ....domain.units import Timestamp

MANY = {"where": 20, "types": 50}  # parameters that may come so many times
ROWS = ("where", "since", "until", "timezone")  # what rows a question is about
LONGEST = 2_000  # characters of a parameter


class Query:
    """The parameters that were given. Raises InvalidRequest for an unknown one, with the nearest."""

    def __init__(self, request: Request, *known: str) -> None:
        self._given: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            if name not in known:
                hint = nearest(name[:64], list(known)) if known else "there is none here"
                raise InvalidRequest(f"unknown parameter {name[:64]!r}: {hint}")
            if not 0 < len(value) <= LONGEST:
                raise InvalidRequest(f"parameter {name}: expected 1 to {LONGEST:,} characters, or leave it out")
            self._given.setdefault(name, []).append(value)
        for name, values in self._given.items():
            if len(values) > (most := MANY.get(name, 1)):
                times = "once" if most == 1 else f"at most {most} times"
                raise InvalidRequest(f"parameter {name} comes {len(values)} times: give it {times}")

    def text(self, name: str) -> str | None:
        """Its value."""
        return self._given.get(name, [None])[0]

    def texts(self, name: str) -> list[str]:
        """Its values."""
        return self._given.get(name, [])

    def words(self, name: str) -> tuple[str, ...]:
        """Its values, those between commas too."""
        return tuple(word.strip() for value in self.texts(name) for word in value.split(","))

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number. Raises InvalidRequest."""
        text = self.text(name)
        return default if text is None else whole_number(name, text, least=least, most=most)

    def calendar(self, now: Timestamp) -> Calendar:
        """Reads dates by the clocks of the time zone asked for."""
        return Calendar(now, zone_named(self._given.get("timezone", ["UTC"])[0]))

    def rows(self) -> dict[str, Any]:
        """The parameters that choose rows, as they were written."""
        return {name: self.texts(name) if name in MANY else self.text(name) for name in ROWS}


def whole_number(name: str, text: str, *, least: int, most: int) -> int:
    """A whole number between two. Raises InvalidRequest."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 20 or not least <= int(text) <= most:
        raise InvalidRequest(f"{name} {text[:40]!r} is not possible: expected a whole number from {least} to {most:,}")
    return int(text)
