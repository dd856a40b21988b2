"""One form for equal answers: 1,000 and 1000.0, \\frac{1}{2} and 0.5, 'a' and "a", Paris. and paris.

A form is a short text. What has none (prose, a question back, "I don't know") is None, so that two models that say
nothing never agree. Every pattern is possessive or bounded, and an answer is at most `LONGEST` characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .literal_form import literal_form
from .math_form import expression_form, number_form, rational
from .phrases import IGNORANCE, REFUSALS, joined, says, words_of

LONGEST = 2_000  # characters of an answer
PHRASE = 8  # words of a short string
PHRASE_CHARACTERS = 80
WIDE_PHRASE = 24  # characters where a script puts no space between words
ROUNDS = 8  # a form is a fixed point; what has not settled by then is none

_WRAPPED = re.compile(
    r"```\w*\n(?P<fence>[^`]*)```|`(?P<tick>[^`]*)`|\*\*(?P<bold>[^*]*)\*\*[.:]?|\*(?P<slant>[^*]*)\*[.:]?"
    r"|“(?P<quote>[^”]*)”|«(?P<angle>[^»]*)»|„(?P<low>[^“”]*)[“”]"
)
_MATH_WRAPPED = re.compile(
    r"\$\$(?P<two>[^$]+)\$\$\.?|\$(?P<one>[^$]+)\$\.?|\\\((?P<round>.*)\\\)\.?|\\\[(?P<square>.*)\\\]\.?"
    r"|\\(?:boxed|text|textbf|mathrm|mathbf)\s*\{(?P<command>[^{}]*)\}",
    re.DOTALL,
)
_LETTER = re.compile(r"\(?([A-Ja-j])\)?[.:]?|(?:option|choice|antwort|opción)\s+\(?([A-Ja-j])\)?[.:]?", re.IGNORECASE)
_LETTER_AND_TEXT = re.compile(r"\(?([A-J])[).:]\s*\S")
_WORD = re.compile(r"[^\W_]+")
_PLAIN = re.compile(r"[\w\s\-–'’,.&/%+#°·()]++")
_SENTENCES = re.compile(r"\w{3}[.!?;]\s|[。！？]\S")
LEAD = re.compile(
    r"(?:it|that|this)(?:\s(?:is|was|would be|equals)|['’]s)\s+(?=\S)|(?:es|das) ist\s+(?=\S)|c['’]est\s+(?=\S)",
    re.IGNORECASE,
)  # words before an answer that say nothing of it
_ARTICLE = re.compile(r"(?:the|a|an)\s+(?=\S{2})")
_WIDE = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff]")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D, 0xA0: 0x20}

_YES = frozenset("yes ja oui sí si sì sim да tak evet हाँ はい 是 是的 예 네 نعم".split())
_NO = frozenset("no nein non não nee нет nie hayır नहीं いいえ 否 不是 아니요 لا".split())
_NOTHING = frozenset(
    """
    null none nil nan n/a na unknown undefined unclear unanswerable tbd todo empty answer your_answer
    unbekannt inconnu sure ok okay done understood hello hi thanks
    """.split()
)


def normal_form(value: str, *, code: bool = False, options: Mapping[str, str] | None = None) -> str | None:
    """The form of an answer, equal where the answers are; None where it has none. A form is its own form.

    `code`: the question asks for the value of an expression, so that case, spaces and quotes inside it count.
    `options`: the choices the question lists, by letter; then an answer is one of the letters or nothing.
    """
    if len(value) > LONGEST:
        return None
    form = _settled(value, code)
    return form if form is None or not options else _chosen(value, form, options)


def _settled(value: str, code: bool) -> str | None:
    for _ in range(ROUNDS):
        form = _code_form(value) if code else _form(value)
        if form is None or form == value:
            return form
        value = form
    return None


def _code_form(value: str) -> str | None:
    """A Python literal in one notation; what is none is the content of a string, as it stands."""
    bare = _unwrapped(value.strip(), _WRAPPED)
    return literal_form(bare) or (bare if bare and "\n" not in bare else None)


def _form(value: str) -> str | None:
    bare = (value if value.isascii() else value.translate(_FULL_WIDTH)).strip()
    bare = LEAD.sub("", _unwrapped(bare, _WRAPPED, _MATH_WRAPPED), count=1) if LEAD.match(bare) else bare
    bare = _unwrapped(bare, _WRAPPED, _MATH_WRAPPED)
    if bare.casefold() in _NOTHING:
        return None
    if choice := _LETTER.fullmatch(bare):
        return (choice[1] or choice[2]).upper()
    return number_form(bare) or _collection(bare) or expression_form(bare) or _phrase(bare)


def _collection(bare: str) -> str | None:
    """A list, tuple, dict or set; other literals are read as words and numbers."""
    return literal_form(bare) if bare[:1] in tuple("[({") else None


def _unwrapped(value: str, *wrappings: re.Pattern[str]) -> str:
    """What stands inside quotes, emphasis, fences and, where asked for, the marks and braces of LaTeX."""
    for _ in range(ROUNDS):
        before = value
        for wrapping in wrappings:
            if found := wrapping.fullmatch(value):
                value = next(part.strip() for part in found.groups() if part is not None)
        if _MATH_WRAPPED in wrappings and _braced(value):
            value = value[1:-1].strip()
        if value == before:
            break
    return value


def _braced(value: str) -> bool:
    """Whether one pair of braces encloses it all, and is no set's."""
    depth = 0
    for place, character in enumerate(value if value.startswith("{") and "," not in value else ""):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return place == len(value) - 1
    return False


def _phrase(bare: str) -> str | None:
    """Yes, no or a few words, without case, quotes, end marks and a leading article."""
    if bare.endswith(("...", ",")) or "\n" in bare or _SENTENCES.search(bare):
        return None
    folded = " ".join(bare.casefold().split()).strip(" .!。！।\"'“”‘’*_")
    if not _PLAIN.fullmatch(folded):
        return None
    words = _WORD.findall(folded)
    if not words or len(words) > PHRASE or len(folded) > _room(folded) or folded in _NOTHING or _evades(bare):
        return None
    if folded in _YES or folded in _NO:
        return "yes" if folded in _YES else "no"
    return _ARTICLE.sub("", folded, count=1) if _ARTICLE.match(folded) else folded


def _room(folded: str) -> int:
    return WIDE_PHRASE if _WIDE.search(folded) else PHRASE_CHARACTERS


def _evades(bare: str) -> bool:
    """It says that it does not know, or will not tell."""
    said = joined(words_of(bare))
    return bool(says(IGNORANCE, said) or says(REFUSALS, said))


def _chosen(value: str, form: str, options: Mapping[str, str]) -> str | None:
    """The letter of the option meant: by its letter, or by its text where only one option has it.

    A number stands for itself where no option is one: "how many of the statements (a) to (f) are true?"
    """
    if form in options:
        return form
    led = _LETTER_AND_TEXT.match(_unwrapped(value.translate(_FULL_WIDTH).strip(), _WRAPPED))
    if led and led[1] in options:
        return led[1]
    texts = {letter: _settled(text[:LONGEST], code=False) for letter, text in options.items()}
    same = [letter for letter, text in texts.items() if text == form]
    if len(same) == 1:
        return same[0]
    counts = rational(form) is not None and not any(text and rational(text) is not None for text in texts.values())
    return form if counts else None
