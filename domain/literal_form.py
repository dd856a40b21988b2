"""Python and JSON literals in one notation: 'a' = "a", [1,2] = [1, 2] and {"b": 1, "a": 2} = {'a': 2, 'b': 1}.

A text is parsed only if it consists of a literal's tokens, so that no name is looked up and no warning printed.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from .math_form import exact, rational

DEEPEST = 40  # brackets inside one another
_CONTROL = {10: "\\n", 13: "\\r", 9: "\\t"}  # written out where a quoted answer holds them raw

# What a literal may consist of: no name, no operator and no escape that the parser would warn of.
_TOKENS = re.compile(
    r"""(?>[\s()\[\]{},:]|(?<![\w.])[-+]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:e[-+]?\d{1,2})?(?![\w.])
    |\b(?:True|False|None|set\(\))(?!\w)
    |'(?>[^'\\\n]|\\[\\'"abfnrtv]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4})*+'
    |"(?>[^"\\\n]|\\[\\'"abfnrtv]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4})*+")++""",
    re.VERBOSE | re.ASCII,
)


def literal_form(text: str) -> str | None:
    """The literal in one notation; None where the text is none.

    A whole string stands without its quotes, as models drop them inside JSON; numbers compare by value, dicts and sets
    without order; True is not 1.
    """
    read = _read(text)
    if read is None:
        return None
    value = read[0]
    if not isinstance(value, str):
        return _written(value)
    return value if value and value == value.strip() and "\n" not in value else repr(value)


def is_written_out(text: str) -> bool:
    """Whether the text is a literal as Python itself writes it; the text inside a string's quotes is one too."""
    bare = text.strip()
    read = _read(bare)
    return repr(read[0]) == bare if read is not None else not bare.startswith(tuple("'\"[({"))


def _read(text: str) -> tuple[Any] | None:
    """The literal's value, boxed, since None is one."""
    bare = text.strip().translate(_CONTROL) if text[:1] in tuple("'\"") else text.strip()
    if not bare or not _shallow(bare):
        return None
    try:
        if _TOKENS.fullmatch(bare):
            return (ast.literal_eval(bare),)
        return (json.loads(bare),) if bare[0] in "[{" or bare in ("true", "false", "null") else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # TypeError: a list as a key
        return None


def _shallow(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth > DEEPEST:
            return False
    return True


def _written(value: Any) -> str:
    match value:
        case int() | float():
            number = rational(repr(value))
            return repr(value) if number is None else exact(number)
        case dict():
            return "{" + ",".join(sorted(f"{_written(key)}:{_written(item)}" for key, item in value.items())) + "}"
        case set() | frozenset():
            return "{" + ",".join(sorted(map(_written, value))) + "}" if value else "set()"
        case tuple():
            return "(" + ",".join(map(_written, value)) + ("," if len(value) == 1 else "") + ")"
        case list():
            return "[" + ",".join(map(_written, value)) + "]"
    return repr(value)
