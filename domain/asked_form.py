"""The form of an answer that a request asks for, and whether the answer keeps it.

Only what a request plainly says is read, in English, where it tells how to answer; only what plainly does not keep it
is found. A question about JSON or tables asks for no form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from .request import ResponseFormat

WINDOW = 16_000  # characters read at each end
FEW = 12  # words of an answer that is only a number

_START = r"(?:^|[.!?:;,\n]\s{0,3}|\b(?:please|and|then)\s)"
_SAY = r"(?:answer|respond|reply|return|output|give|provide|write|print|say|state)\b[^.?!\n]{0,30}?"
_ONLY = r"\b(?:only|just|nothing but|a single|one)\b[^.?!\n]{0,20}?\b"
_ANSWER = r"(?:answer|respond|reply|(?:return|output|give|provide|print) (?:only|just|your|the (?:final )?answer))\b"
_LINE = re.compile(r"^.*\|.*$", re.MULTILINE)
_WORD = re.compile(r"\w+")
_YES_NO = re.compile(r"\b(?:yes|no)\b", re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]{0,20}\n?(.*?)```", re.DOTALL)


def keeps_form(text: str, *, question: str = "", response_format: ResponseFormat | None = None) -> bool:
    """Whether the answer keeps the form asked for by the parameters and by the question; True where none is asked."""
    if response_format is not None:
        return _keeps_schema(text, response_format.json_schema)
    window = question if len(question) <= 2 * WINDOW else f"{question[:WINDOW]}\n{question[-WINDOW:]}"
    return all(keeps(text) for asked, keeps in _FORMS if asked.search(window))


def _keeps_schema(text: str, schema: object) -> bool:
    """Whether it is JSON, and has the keys that a schema of an object requires."""
    try:
        value = json.loads(_unfenced(text))
    except (ValueError, RecursionError):
        return False
    required = schema.get("required") if isinstance(schema, dict) and schema.get("type") == "object" else None
    if not isinstance(required, list | tuple):
        return True
    return isinstance(value, dict) and all(key in value for key in required)


def _unfenced(text: str) -> str:
    fenced = _FENCE.fullmatch(text.strip())
    return fenced[1] if fenced else text


def _has_json(text: str) -> bool:
    """Some JSON object or list in it, fenced, alone, or among words."""
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    if not starts:
        return False
    end = max(text.rfind("}"), text.rfind("]")) + 1
    try:
        json.loads(text[min(starts) : end])
    except (ValueError, RecursionError):
        return '":' in text  # damaged, or several; what is no JSON at all has no key
    return True


def _is_number(text: str) -> bool:
    return any(character.isdigit() for character in text) and len(_WORD.findall(text[:WINDOW])) <= FEW


def _is_table(text: str) -> bool:
    return len(_LINE.findall(text)) > 1 or "\t" in text or "<table" in text.lower()


def _has_block(text: str) -> bool:
    return "```" in text or "~~~" in text


_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), keeps)
    for pattern, keeps in (
        (rf"{_START}{_ANSWER}[^.?!\n]{{0,40}}?\bjson\b", _has_json),
        (rf"{_START}{_SAY}{_ONLY}(?:number|integer)\b(?! of)", _is_number),
        (rf"{_START}{_SAY}\b(?:one|single)[ -]word\b", lambda text: len(_WORD.findall(text[:WINDOW])) <= 3),
        (rf"{_START}{_SAY}\byes(?: or |/)no\b", lambda text: bool(_YES_NO.search(text))),
        (
            r"\b(?:(?:as an? (?:markdown )?|in an? markdown )table\b(?! of)|in (?:table|tabular) form(?:at)?\b)",
            _is_table,
        ),
        (rf"{_START}{_SAY}\b(?:in|as|inside|within) (?:an?|one) (?:\w{{1,20}} )?code block\b", _has_block),
        (r"\b(?:in|within|inside|using) \$?\\boxed\b", lambda text: "\\boxed" in text or "\\fbox" in text),
    )
)
