"""Numbers by value, and formulas by their signs: LaTeX, Unicode and plain notation in one spelling."""

from __future__ import annotations

import re
from fractions import Fraction

Rewritings = tuple[tuple[str, str, str], ...]

_DIGITS = r"(?:\d{1,3}(?:,\d{3})++|\d{1,3}(?:[\u202f\u2009 ]\d{3})++|\d{1,400})"
_DECIMAL = rf"(?:{_DIGITS}(?:\.\d{{1,400}})?\.?|\.\d{{1,400}})"
_POINT = re.compile(rf"([-+]?)({_DECIMAL})(?:[eE]([-+]?\d{{1,2}}))?")
_COMMA = re.compile(r"([-+]?)(\d{1,3}(?:\.\d{3})++,\d{1,100}|\d{1,100},\d{1,2})")  # 1.000,50 and 3,5
_RATIO = re.compile(rf"([-+]?{_DECIMAL})/({_DECIMAL})")
_MIXED = re.compile(r"([-+]?)(\d{1,100})\s(\d{1,100})/(\d{1,100})")
_SCIENTIFIC = re.compile(rf"([-+]?{_DECIMAL})[*x×·]10\^\(?([-+]?\d{{1,2}})\)?")
_DIGIT = re.compile(r"\d")
_ABOUT = re.compile(r"^(?:about|around|approximately|approx\.?|exactly|roughly|etwa|ungefähr|environ|≈|~|=)\s*")
_NAMED = re.compile(r"^(?:[a-zA-Z]\w?|[a-zA-Z]_\w|[a-zA-Z]\([a-zA-Z]\))\s*=\s*(?=[^=]+$)")
_MONEY = re.compile(r"(?:US)?[$€£¥₹]|\b(?:USD|EUR|GBP|CHF|Rs\.?)\b")
_PERCENT = re.compile(r"(?<!\s)\s*+(?:%|°[CFK]?|º|′|″)\s*\.?$")
_UNIT = re.compile(
    r"(?P<number>[^A-Za-zÀ-῿]{1,80}?)\s*-?(?P<unit>(?:[^\W\d_]++\.?(?:\^?\(?-?[1-3]\)?|[²³])?[\s/*·-]*+){1,4})\.?"
)
_SCALE = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12, "tausend": 3, "millionen": 6, "milliarden": 9}
_NO_UNIT = frozenset(
    """
    and or of to is are was in on at by if but not plus minus und oder von bis et ou de y o e pi sqrt i x y z n k a b c
    times than more less am pm st nd rd th
    """.split()
)

_SPELLED: Rewritings = (  # each with a sign that is in all it changes: without it the text is not looked through
    ("\\\\", r"\\\\(?=[a-zA-Z])", r"\\"),  # escaped twice
    ("\\", r"\\(?:left|right|displaystyle|limits|,|;|:|!| |quad|qquad)(?![a-zA-Z])", ""),
    ("frac", r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
    ("\\frac", r"\\frac\s?(\d)\s?(\d)", r"\\frac{\1}{\2}"),
    ("\\frac", r"(\d)\s?(?=\\frac\{\d+\}\{\d+\})", r"\1 "),  # 2\frac{1}{3} is a mixed number
    ("\\", r"\\(?:text|mathrm|mathbf|textbf|mbox|operatorname)\s?\{([^{}]*)\}", r" \1"),
    ("^", r"\^\s?\{?\\?(?:circ|degree)\}?(?![a-zA-Z])", "°"),
    ("\\", r"\\(?:times|cdot)(?![a-zA-Z])", "*"),
    ("\\cup", r"\\(?:cup)(?![a-zA-Z])", "∪"),
    ("\\cap", r"\\(?:cap)(?![a-zA-Z])", "∩"),
    ("inf", r"\\(?:infty)(?![a-zA-Z])|\binf(?:inity)?\b", "∞"),
    ("\\pi", r"\\(?:pi)(?![a-zA-Z])", "pi"),
    ("π", "π", "pi"),
    ("\\pm", r"\\(?:pm)(?![a-zA-Z])", "±"),
    ("\\le", r"\\(?:leq?|leqslant)(?![a-zA-Z])", "≤"),
    ("<=", "<=", "≤"),
    ("\\ge", r"\\(?:geq?|geqslant)(?![a-zA-Z])", "≥"),
    (">=", ">=", "≥"),
    ("\\", r"\\(sin|cos|tan|cot|sec|csc|log|ln|exp|arcsin|arccos|arctan|max|min|gcd|lcm)(?![a-zA-Z])", r"\1"),
    ("\\", r"\\([{}%$#&_ ])", r"\1"),
    ("{,}", r"\{,\}", ","),
    ("√", r"√\s?(\d+|[a-z])", r"sqrt(\1)"),
    ("√", "√", "sqrt"),
    ("\\sqrt", r"\\sqrt\s?(\d)", r"sqrt(\1)"),
    ("−", "−", "-"),
    ("–", "–", "-"),
    ("**", r"\*\*", "^"),
)
_INNERMOST: Rewritings = (
    ("\\frac", r"\\frac\s?\{([^{}]*)\}\s?\{([^{}]*)\}", r"(\1)/(\2)"),
    ("\\sqrt", r"\\sqrt\s?\{([^{}]*)\}", r"sqrt(\1)"),
    ("\\sqrt", r"\\sqrt\s?\[([^\[\]{}]*)\]\s?\{([^{}]*)\}", r"root(\1,\2)"),
    ("{", r"([\^_])\s?\{([^{}]*)\}", r"\1(\2)"),
)
_ATOMS: Rewritings = (  # brackets that hold one sign or number and change nothing
    ("(", r"([\^_])\((-?\w|\d+)\)(?!\d)", r"\1\2"),
    ("(", r"(?<![\w)!])\((\d+(?:\.\d+)?|[a-zA-Z]|pi)\)(?![\w(])", r"\1"),
    ("(", r"^\((-\d+)\)(?=/)", r"\1"),
)
_PRODUCT = re.compile(r"(?<=[\w)])\*(?=[a-zA-Z(])|(?<=\))\*(?=\d)")
_FORMULA = re.compile(r"(?=.*[\d^=+*/√∞∪|<>≤≥(\[{])[\w.,;:+\-*/^=()\[\]{}|<>≤≥±∞∪∩√!°'\\%&∈≠]++")
_PROSE = re.compile(r"[^\W\d_]{3,}")
_FUNCTIONS = frozenset(
    "sqrt root sin cos tan cot sec csc log exp arcsin arccos arctan max min mod gcd lcm pmatrix".split()
)


def number_form(text: str) -> str | None:
    """The number in plain digits (a fraction where they do not end), without its unit, currency or percent sign."""
    if not _DIGIT.search(text):
        return None
    latex = "\\" in text or "^" in text
    bare = _NAMED.sub("", _ABOUT.sub("", _spelled(text).strip()))
    bare = _PERCENT.sub("", _MONEY.sub("", bare).strip())
    number = _value(bare, latex)
    if number is None:
        number = _with_unit(bare, latex)
    return None if number is None else exact(number)


def expression_form(text: str) -> str | None:
    """A formula, interval, set or tuple without spaces and needless signs; None where it holds prose."""
    spelled = _spelled(text)
    if any(word[0].casefold() not in _FUNCTIONS for word in _PROSE.finditer(spelled)):
        return None
    bare = _PRODUCT.sub("", _NAMED.sub("", "".join(spelled.split()).rstrip(".")))
    if not _FORMULA.fullmatch(bare) or sum(map(bare.count, "([{")) != sum(map(bare.count, ")]}")):
        return None
    return _sorted_set(bare)


def rational(text: str) -> Fraction | None:
    """The value of a number in digits, with thousands separators or an exponent; None for anything else."""
    if found := _POINT.fullmatch(text):
        value = Fraction(re.sub(r"[,\s]", "", found[2]).rstrip("."))
        value *= Fraction(10) ** int(found[3] or 0)
        return -value if found[1] == "-" else value
    return None


def exact(value: Fraction) -> str:
    """Plain digits where they end, else a fraction in lowest terms."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = (digits[:-places], digits[-places:]) if places else (digits, "")
    return ("-" if value < 0 else "") + whole + (f".{part}" if part else "")


def _value(bare: str, latex: bool) -> Fraction | None:
    """A number in any notation. A comma before one or two digits is a decimal comma, except in LaTeX."""
    tight = bare.strip()
    if (value := rational(tight)) is not None:
        return value
    if not latex and (found := _COMMA.fullmatch(tight)):
        return rational(found[1] + found[2].replace(".", "").replace(",", "."))
    if found := _MIXED.fullmatch(tight):
        whole, part = int(found[2]), (int(found[3]), int(found[4]))
        return None if not part[1] else (-1 if found[1] == "-" else 1) * (whole + Fraction(*part))
    if found := _RATIO.fullmatch(tight):
        over, under = rational(found[1]), rational(found[2])
        return over / under if over is not None and under else None
    if found := _SCIENTIFIC.fullmatch("".join(tight.split())):
        factor = rational(found[1])
        return None if factor is None else factor * Fraction(10) ** int(found[2])
    return None


def _with_unit(bare: str, latex: bool) -> Fraction | None:
    """The number before at most four words of a unit; `million` and its like count."""
    found = _UNIT.fullmatch(bare)
    if not found:
        return None
    words = re.findall(r"[^\W\d_]+", found["unit"].casefold())
    number = _value(found["number"].strip(), latex)
    if number is None or any(word in _NO_UNIT for word in words):
        return None
    scale = _SCALE.get(words[0]) or _SCALE.get(words[0].rstrip("s"), 0)
    return number * Fraction(10**scale)


def _spelled(text: str) -> str:
    """LaTeX commands and Unicode signs in plain spelling; nested fractions and roots from the inside out."""
    text = _rewritten(text, _SPELLED)
    for _ in range(6):
        before, text = text, _rewritten(text, _INNERMOST)
        if text == before:
            break
    return _rewritten(text, _ATOMS)


def _rewritten(text: str, rewritings: Rewritings) -> str:
    for sign, pattern, replacement in rewritings:
        if sign in text:
            text = re.sub(pattern, replacement, text)  # compiled at its first use
    return text


def _sorted_set(bare: str) -> str:
    """A flat set's members in order: {2,1} = {1,2}."""
    inner = bare[1:-1]
    if bare[:1] == "{" and bare[-1:] == "}" and not any(mark in inner for mark in "{}[]()|:"):
        return "{" + ",".join(sorted(inner.split(","))) + "}"
    return bare
