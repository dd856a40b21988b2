"""The final answer in a model's text, in a form that is equal where answers are.

Two models that agree by accident of a wrong reading would be trusted for nothing, so a place is read only where models
put their answers: an "answer" key, a \\\\boxed, the words "the answer is", a text that is nothing else, or a last line
that concludes. Open prose has no answer. Only `WINDOW` characters at each end of a text are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .answer_json import answer_in_json
from .literal_form import literal_form
from .normal_form import LEAD, LONGEST, normal_form

LETTERS = "ABCDEFGHIJ"
WINDOW = 16_000  # characters read at each end
OPENING = 300  # characters in which an answer may stand before its explanation
CLOSING = 400  # characters in which it may stand after it
PLACES = 10  # marks that are looked at, from the last
FEW = 5  # marks at each end that are held against each other
SHORT = 300  # characters of a text whose first word, yes or no, is its answer

_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{")
_MARK = re.compile(
    r"(?:\b(?:answer|(?:final|correct|right|best)\s(?:choice|option|result|value|solution)|antwort|endergebnis|réponse"
    r"|respuesta|resposta|risposta|antwoord|odpowiedź|cevap|ответ)\b(?:\s(?:to|for|of)\s[^.:\n]{1,80}?)?[*_]{0,2}"
    r"(?:\s(?:is|are|would be|must be|lautet|ist|est|es|é|è|jest)\b|\s?[:：=—])|答案(?:是|为|為)?|答えは?|정답은?"
    r"|الإجابة(?: هي)?|उत्तर|####)[*_]{0,2}\s{0,3}[:：]?[*_]{0,2}[ \t]{0,20}\n{0,2}",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.。！!;；](?=\s|$)")
_CLAUSE = re.compile(
    r",?\s(?:because|since|as|which|where|so|weil|da|denn|car|parce|porque|perché)\s|\s[-–—]\s|,\s(?=[a-z]{2})"
)
_FENCED = re.compile(r"```(?>[^`]|`(?!``))*+(?:```|$)")
_CHOICE = re.compile(
    r"[*_(\[$\\{]*+(?:boxed|text|option|choice)?[\s({*]*+([A-J])(?:[)\].:,*}_$\\]|\s*$|\s++(?!and\b|or\b)(?=[a-z(-]))"
)
_FIRST_CHOICE = re.compile(r"[*_(]{0,3}([A-J])(?:[).:][*_]{0,2}\s|[*_)]{1,3}|\s*$)")
_LISTED = re.compile(r"^[ \t]*+[-*]?+[ \t]*+\(?+([A-Ja-j])[ \t]?+[).:][ \t]++(\S.*)$", re.MULTILINE)
_INLINE = re.compile(r"(?<![\w$])\(([A-Ja-j])\)")
_CODE = re.compile(
    r"\[PYTHON\]|\bassert\b.{0,400}==|^[ \t]*def \w{1,80}\(|^>>> |\breturn\b.{0,80}\bliteral\b", re.MULTILINE
)
_CONCLUDES = re.compile(
    r"(?:so|thus|hence|therefore|in total|altogether|consequently|finally|also|daher|somit|insgesamt|donc|por lo tanto"
    r"|por tanto|portanto|quindi|dunque|итак|следовательно|поэтому|所以|因此|したがって|따라서)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?[$€£]?(?:\d{1,3}(?:,\d{3})++|\d{1,30})(?:\.\d{1,30})?(?:/\d{1,30})?%?")
_CHOOSING = re.compile(
    r"\?|__|\b(?:which|choose|select|option|choice|correct|answer|following|welche|wähle|quelle|choisis|cuál|elige)\b",
    re.IGNORECASE,
)
_ENUMERATED = re.compile(r"\s*(?:1[.)]|[-*•])\s+\S")
_WORDY = re.compile(r"\w")
_VALUE = re.compile(r"-?[\d./]+|[A-J]|yes|no")
_ASSERTED = re.compile(r"^[ \t`]*+assert\b(.*==.*)$", re.MULTILINE)
_YES_NO = re.compile(
    r"[*_]{0,2}(yes|no|ja|nein|oui|non|sí|sì|да|нет|是|否|はい|いいえ)[*_]{0,2}(?:[,.:;!—，。、]|\s[-–—]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Extracted:
    """An answer as it is compared, and as it was written."""

    form: str
    written: str  # on one line, without emphasis and full stop


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question says of the form of its answer."""

    code: bool  # the value of a program's expression
    options: dict[str, str]  # by letter


def extract_answer(text: str, *, question: str = "") -> str | None:
    """The final answer in its normal form; None where there is none, or none that can be told. Total and pure."""
    found = find_answer(text, question=question)
    return None if found is None else found.form


def find_answer(text: str, *, question: str = "") -> Extracted | None:
    """The final answer in its normal form and as it was written; None as above."""
    read = text if len(text) <= 2 * WINDOW else f"{text[:WINDOW]}\n\n{text[-WINDOW:]}"
    asked = _asked(question if len(question) <= 2 * WINDOW else f"{question[:WINDOW]}\n{question[-WINDOW:]}")
    if (keyed := answer_in_json(read)) is not None:
        return _keyed(*keyed, asked)
    if (boxed := _boxed(read)) is not None:
        return _extracted(boxed, asked)
    prose = _FENCED.sub("\n", read).strip()
    for place in (_marked, _opening, _concluded):
        if (found := place(prose, asked)) is not None:
            return found
    return _whole(read.strip(), asked)


def conclusions(text: str, *, question: str = "") -> tuple[str, ...]:
    """The forms of the first and the last answers that the text says are one, in their order."""
    read = text if len(text) <= 2 * WINDOW else f"{text[:WINDOW]}\n\n{text[-WINDOW:]}"
    asked = _asked(question if len(question) <= 2 * WINDOW else f"{question[:WINDOW]}\n{question[-WINDOW:]}")
    prose = _FENCED.sub("\n", read).strip()
    ends = _marks(prose)
    told = (_led(prose[end : end + LONGEST], asked) for end in ends[:FEW] + ends[FEW:][-FEW:])
    opening = None if asked.code else _YES_NO.match(prose) if not asked.options else None
    said = [_extracted(opening[1], asked)] if opening else []
    return tuple(found.form for found in (*said, *told) if found is not None)


def offers_choice(question: str) -> bool:
    """Whether the question asks to choose among three or more options that stand a line each."""
    window = question if len(question) <= 2 * WINDOW else f"{question[:WINDOW]}\n{question[-WINDOW:]}"
    options = _asked(window).options
    listed = {letter.upper() for letter, _ in _LISTED.findall(window)}
    return len(options) > 2 and listed >= options.keys() and bool(_CHOOSING.search(window))


def options_of(question: str) -> dict[str, str]:
    """The options that the question lists, by letter; empty where it lists none."""
    window = question if len(question) <= 2 * WINDOW else f"{question[:WINDOW]}\n{question[-WINDOW:]}"
    return dict(_asked(window).options)


def asks_for_code(question: str) -> bool:
    """Whether the question asks for the value of a program's expression."""
    return bool(_CODE.search(question if len(question) <= 2 * WINDOW else f"{question[:WINDOW]}\n{question[-WINDOW:]}"))


def goes_through(text: str) -> bool:
    """Whether the text itself lists options, as one that speaks of each does."""
    return len(_LISTED.findall(text[: 2 * WINDOW])) > 1


def _extracted(value: str, asked: Asked, *, read_as: str | None = None) -> Extracted | None:
    """The value with its form, or with that of what it is read as."""
    form = normal_form(value if read_as is None else read_as, code=asked.code, options=asked.options)
    return None if form is None else Extracted(form, " ".join(value.split()).lstrip("*_").rstrip(" .。*_"))


@lru_cache(maxsize=2)  # a scorer asks several things of one question and one answer
def _asked(question: str) -> Asked:
    code = bool(_CODE.search(question))
    return Asked(code=code, options={} if code else _options(question))


def _options(question: str) -> dict[str, str]:
    """The last run of A, B, C ... that the question lists, one a line or in brackets within a line."""
    inline = _INLINE.split(question)
    for pairs in (_LISTED.findall(question), list(zip(inline[1::2], inline[2::2], strict=True))):
        runs: list[dict[str, str]] = [{}]
        for letter, text in pairs:
            if letter in "Aa":
                runs.append({})
            if letter.upper() == LETTERS[len(runs[-1]) : len(runs[-1]) + 1]:
                runs[-1][letter.upper()] = text.split("\n", 1)[0].strip(" ,;")
        if len(runs[-1]) > 1 and all(map(_WORDY.search, runs[-1].values())):
            return runs[-1]
    return {}


def _keyed(value: str | None, is_string: bool, asked: Asked) -> Extracted | None:
    """The value of an "answer" key; where a program's value is asked for, a text in it counts to the last space."""
    if value is None or len(value) > LONGEST:
        return None
    raw = asked.code and is_string and literal_form(value) is None
    return _extracted(value, asked, read_as=repr(value) if raw else None)


def _boxed(text: str) -> str | None:
    """The last \\boxed's content; brackets that do not close hold nothing."""
    for opening in list(_BOX.finditer(text))[: -PLACES - 1 : -1]:
        depth = 1
        for at in range(opening.end(), min(len(text), opening.end() + LONGEST)):
            depth += (text[at] == "{") - (text[at] == "}")
            if depth == 0:
                return text[opening.end() : at]
    return None


def _marked(text: str, asked: Asked) -> Extracted | None:
    """What follows the last "the answer is": an option's letter anywhere, else near the beginning or the end."""
    near = [end for end in _marks(text) if asked.options or end < OPENING or end > len(text) - CLOSING]
    return next(filter(None, (_led(text[end : end + LONGEST], asked) for end in near[: -PLACES - 1 : -1])), None)


@lru_cache(maxsize=2)
def _marks(prose: str) -> tuple[int, ...]:
    """Where each "the answer is" ends."""
    return tuple(mark.end() for mark in _MARK.finditer(prose))


def _led(rest: str, asked: Asked) -> Extracted | None:
    """The answer a text begins with: an option's letter, its first line or sentence, or a number before a comma."""
    if asked.options and (choice := _CHOICE.match(rest)):
        return Extracted(choice[1], choice[1]) if choice[1] in asked.options else None
    if _ENUMERATED.match(rest):
        return None  # a list of answers
    line = rest.split("\n", 1)[0].strip()
    sentence = _SENTENCE.split(line, maxsplit=1)[0]
    for part in filter(None, (line, sentence)):
        if (found := _extracted(part, asked)) is not None:
            return found
    return _value(_extracted(_CLAUSE.split(sentence, maxsplit=1)[0], asked))


def _value(found: Extracted | None) -> Extracted | None:
    """It, where it is a number, a letter, yes or no."""
    return found if found is not None and _VALUE.fullmatch(found.form) else None


def _opening(text: str, asked: Asked) -> Extracted | None:
    """The first line's option, or a short text's yes, no, or value that it says it is."""
    line = text.split("\n", 1)[0]
    if asked.options:
        found = _FIRST_CHOICE.match(line)
        return Extracted(found[1], found[1]) if found and found[1] in asked.options else None
    if len(text) > SHORT or asked.code:
        return None
    if (found := _YES_NO.match(line)) is not None:
        return _extracted(found[1], asked)
    said = LEAD.match(line)
    return _value(_led(_SENTENCE.split(line[said.end() :], maxsplit=1)[0], asked)) if said else None


def _concluded(text: str, asked: Asked) -> Extracted | None:
    """The one number of a last sentence that concludes; of a program's value, the last assertion's."""
    if asked.options:
        return None
    if asked.code:
        asserted = _ASSERTED.findall(text)
        form = _right_side(asserted[-1]) if asserted else None
        return None if form is None else Extracted(form, form)
    line = text[-CLOSING:].rsplit("\n", 1)[-1]
    sentence = re.split(r"(?<=[.!。])\s+", line.strip())[-1]
    numbers = _NUMBER.findall(sentence)
    return _extracted(numbers[0], asked) if len(numbers) == 1 and _CONCLUDES.match(sentence) else None


def _right_side(assertion: str) -> str | None:
    """The literal after an assertion's sign of equality, which may also stand inside of either side."""
    parts = assertion.split("==")
    rests = ("==".join(parts[place:]).strip("` ") for place in range(1, min(len(parts), PLACES + 1)))
    return next(filter(None, map(literal_form, rests)), None)


def _whole(text: str, asked: Asked) -> Extracted | None:
    """A text that is nothing but an answer; of a program's value, nothing but a literal or one word."""
    found = _extracted(text, asked)
    return None if found and asked.code and literal_form(found.form) is None and " " in found.form else found
