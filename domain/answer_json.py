"""The answer inside a JSON reply such as {"reasoning": ..., "answer": ...}: fenced, damaged or cut."""

from __future__ import annotations

import json
import re

_KEY = re.compile(r"""(?:"|')(?:final[ _]?)?answer(?:"|')\s{0,20}:\s{0,20}""", re.IGNORECASE)
_STRING = re.compile(r'"(?P<content>(?>[^"\\]|\\.)*+)"', re.DOTALL)
_ENDS = re.compile(r"""\s*(?:\}|$|```|,\s*["'}\n])""")
_ESCAPE = re.compile(r"""\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt])|)""")
_SIGNS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# Commands that begin like an escape: models write "\frac" where JSON wants "\\frac".
_COMMAND = re.compile(
    r"\\(?:b(?:ar|ase|ecause|egin|eta|inom|ig|ot|oxed|ullet|mod)|f(?:box|orall|rac|lat)|n(?:abla|e|eg|eq|ot|u)\b"
    r"|r(?:angle|ceil|floor|ho|ight|m)|t(?:au|ext|frac|heta|ilde|imes|o|riangle|an))"
)

Found = tuple[str | None, bool]  # the value as text, None where it is cut or ambiguous; whether it was a string


def answer_in_json(text: str) -> Found | None:
    """The value of the last "answer" key; None where there is no such key."""
    ends = [key.end() for key in _KEY.finditer(text)]
    if not ends:
        return None
    rest = text[ends[-1] :]
    return _string(rest) if rest[:1] == '"' else _value(rest)


def _string(rest: str) -> Found:
    """A JSON string; one with unescaped quotes inside ends at the last quote before the closing brace."""
    found = _STRING.match(rest)
    if found and _ENDS.match(rest, found.end()):
        return _unescaped(found["content"]), True
    brace = rest.find("```") if "```" in rest else len(rest)
    end = rest.rfind("}", 0, brace)
    inner = rest[1:end].rstrip() if end > 0 else ""
    return (_unescaped(inner[:-1]), True) if inner.endswith('"') and "\n" not in inner else (None, True)


def _value(rest: str) -> Found:
    """A number, list, object or word without quotes; an object it stands in may close on the same line."""
    try:
        value, end = json.JSONDecoder().raw_decode(rest[:4_000])
        whole = end < len(rest) or not isinstance(value, int | float) or isinstance(value, bool)
        if whole and _ENDS.match(rest, end):
            return json.dumps(value, ensure_ascii=False), False
    except (ValueError, RecursionError):
        pass
    line, _, more = rest.partition("\n")
    bare = line.rstrip().rstrip(",")
    if not more and "}" not in bare:
        return None, False  # it may go on
    return (bare[:-1].rstrip() if bare.count("}") > bare.count("{") else bare).strip("'") or None, False


def _unescaped(content: str) -> str:
    """The string's content; a backslash that begins a LaTeX command stays."""

    def sign(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2] and not _COMMAND.match(content, found.start()):
            return _SIGNS.get(found[2], found[2])
        return found[0]

    pairs = _ESCAPE.sub(sign, content).encode("utf-16", "surrogatepass")
    return pairs.decode("utf-16", "surrogatepass")  # two halves of a character become one
