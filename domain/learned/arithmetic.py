"""The sums that a text writes out, worked again: 12 * 3 = 36 holds, 12 * 3 = 38 does not."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"\d{1,15}+(?:\.\d{1,12}+)?"
_SIGNS = (("$", " "), ("×", "*"), ("·", "*"), ("⋅", "*"), ("∗", "*"), ("÷", "/"), ("−", "-"), ("–", "-"), ("≈", "="))
_LATEX = re.compile(r"\\+(?:times|cdot)(?![a-z])")
_DIVIDED = re.compile(r"\\+div(?![a-z])")
_BRACKET = re.compile(r"\\+[()\[\],;! ]")
_ABOUT = re.compile(r"\\+approx(?![a-z])")
_COMMA = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_TIMES = re.compile(r"(?<=\d)\s?x\s?(?=\d)")
_SUM = re.compile(
    rf"(?<![\w.^*/+()\[\]{{}}=-])\s*+(-?{_NUMBER}(?:\s*[-+*/]\s*{_NUMBER}){{1,12}}+)\s*=\s*(-?{_NUMBER})(?![\w^(%{{\\]|\s*[-+*/^])"
)
_TERM = re.compile(rf"([-+*/]?)\s*({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Sums:
    """How many sums were worked again, how many of them are wrong, and the result that the last one gives."""

    checked: int
    wrong: int
    last: str | None


def check_sums(text: str) -> Sums:
    """The sums of plain numbers in the text; a result may be rounded to the places it is written with."""
    if "=" not in text and "≈" not in text and "approx" not in text:
        return Sums(checked=0, wrong=0, last=None)
    plain = text
    for sign, spelled in _SIGNS:
        plain = plain.replace(sign, spelled)
    if "\\" in plain:
        plain = _ABOUT.sub("=", _DIVIDED.sub("/", _LATEX.sub("*", _BRACKET.sub(" ", plain))))
    plain = _TIMES.sub("*", _COMMA.sub("", plain))
    found = _SUM.findall(plain)
    wrong = sum(not _holds(left, right) for left, right in found)
    return Sums(checked=len(found), wrong=wrong, last=found[-1][1] if found else None)


def _holds(left: str, right: str) -> bool:
    value = _worked(left)
    if value is None:
        return False
    given = float(right)
    places = len(right.partition(".")[2])
    room = max(0.51 * 10.0**-places, 0.001 * abs(given))
    return abs(value - given) <= room


def _worked(left: str) -> float | None:
    """The value by the usual order of operations; None where it divides by zero."""
    total = 0.0
    product = 0.0
    for place, (sign, number) in enumerate(_TERM.findall(left)):
        value = float(number)
        if sign == "*":
            product *= value
        elif sign == "/":
            if not value:
                return None
            product /= value
        else:
            total += product if place else 0.0
            product = -value if sign == "-" else value
    return total + product
