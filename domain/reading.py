"""A prompt as the signals see it: its words, what they name, and the marks of its form.

Only the head and the tail of a long prompt are read (`WINDOW` characters each) while its length counts whole, and
every pattern is one pass without nested quantifiers, so that a prompt of any size or shape costs a bounded time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

from .vocabulary import ACTS, ASKING, NOUN_TOO, OBJECTS, TOPICS, UNSPACED

WINDOW = 16_000  # characters read at each end
KNOWN_WORDS = 20_000  # whose meaning is kept at hand; most prompts are made of the same few thousand
LONGEST_STEM = 18  # letters of a word that are compared with the vocabulary
LONGEST_WORD = (
    40  # letters of a word that is kept at hand; no entry is as long, so a longer one is told by its beginning
)

_WORD = re.compile(r"[^\W\d_]+|[0-9][0-9.,]*")
_SENTENCE = re.compile(r"[.!?;:\n。！？；：؟]")
_LATEX = re.compile(r"\\[a-zA-Z]{2,}|\$[^$\s]{1,30}\$")
_NOTATION = re.compile(  # a slash or an angle bracket between whole words is a path, a tag or "and/or"
    r"\\[a-zA-Z]{2,}|\$[a-zA-Z(\\]|[∑∫√∞∂∏∈∀∃≤≥≠≡≈±²³π]|[a-zA-Z0-9)}]\s?(?:\^|=\s?[a-zA-Z0-9(\\{-])"
    r"|(?:(?<![a-zA-Z])[a-zA-Z]|[0-9)}])\s?[+*/<>]\s?(?:[0-9(\\{]|[a-zA-Z](?![a-zA-Z]))"
)
_CODE = re.compile(
    r"```|#include|\b(?:def|class|function|func|fn) \w{1,60}[(:{]"
    r"|\b(?:import|from|public|private|const|let|var) \w{1,60} ?[=;(]"
    r"|\bselect .{1,80} from |\binsert into |\bcreate table |\bupdate .{1,80} set ",
    re.IGNORECASE,
)
_CODE_MARK = re.compile(r"[;{]\s?$|\w\(\)|==|!=|=>|->|&&|\|\||</\w|^ {2,8}(?:return|if|for|while)\b", re.MULTILINE)
_OPTION = re.compile(r"^\s?\(?[A-J][.):]\s", re.MULTILINE)
_STEP = re.compile(r"^\s?(?:[0-9]{1,2}[.)]|[-*•])\s", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was found in the prompt's window."""

    characters: int  # of the whole prompt
    words: tuple[str, ...]  # lower case
    topics: dict[str, int]  # how many different words of each topic
    acts: frozenset[str]  # what its first and last sentences ask for
    opening: frozenset[str]  # what its first sentence asks for
    objects: frozenset[str]  # of what
    small: bool  # the first sentence says that little is wanted
    numbers: int  # in figures or words, answer options left out
    notation: int  # marks of formulas, answer options left out
    latex: int
    code: int  # marks of program text; three are taken for code
    options: int  # of a multiple choice
    steps: int  # listed lines
    questions: int


def read(prompt: str) -> Reading:
    """The prompt's window, its words and what they name."""
    window = prompt if len(prompt) <= 2 * WINDOW else f"{prompt[:WINDOW]}\n{prompt[-WINDOW:]}"
    lower = window.lower()
    words = tuple(_WORD.findall(lower))
    unspaced = _unspaced(window)
    sentences = _sentences(lower)
    acts = [_acts(sentence) | (unspaced & ACTS.keys()) for sentence in sentences]
    options = list(_OPTION.finditer(window))
    body = window[: options[0].start()] if len(options) >= 3 else window
    return Reading(
        characters=len(prompt),
        words=words,
        topics=_topics(words, unspaced),
        acts=frozenset().union(*acts),
        opening=acts[0] if acts else frozenset(),
        objects=frozenset(kind for sentence in sentences for word in sentence for kind in _objects().get(word, ()))
        | (unspaced & OBJECTS.keys()),
        small=any("small" in _objects().get(word, ()) for word in (sentences[0] if sentences else ())),
        numbers=sum(map(_is_number, _cut(words if body is window else _WORD.findall(body.lower())))),
        notation=len(_NOTATION.findall(body)),
        latex=len(_LATEX.findall(body)),
        code=3 * len(_CODE.findall(window)) + len(_CODE_MARK.findall(window)),
        options=len(options),
        steps=len(_STEP.findall(window)),
        questions=window.count("?"),
    )


@cache
def _stems() -> dict[str, str]:
    """Every entry of the topics with its topic."""
    return {stem: topic for topic, stems in TOPICS.items() for stem in stems.split()}


@cache
def _verbs() -> dict[str, frozenset[str]]:
    """Every verb with the acts it names."""
    return _inverted(ACTS)


@cache
def _objects() -> dict[str, frozenset[str]]:
    """Every object with the kinds it belongs to."""
    return _inverted(OBJECTS)


def _inverted(names: dict[str, str]) -> dict[str, frozenset[str]]:
    words: dict[str, frozenset[str]] = {}
    for name, listed in names.items():
        for word in listed.split():
            words[word] = words.get(word, frozenset()) | {name}
    return words


def _sentences(text: str) -> list[list[str]]:
    """The words of the first three and the last three sentences, where a prompt says what it wants."""
    first, last = ([s for s in map(_WORD.findall, _SENTENCE.split(end)) if s] for end in (text[:2000], text[-1000:]))
    return [sentence[:40] for sentence in first[:3] + last[-3:]]


def _acts(sentence: list[str]) -> frozenset[str]:
    """What a sentence asks for, by the verbs among its first seven and its last two words."""
    acts: frozenset[str] = frozenset()
    for place, word in enumerate(sentence):
        if place >= 7 and place < len(sentence) - 2:
            continue
        if word not in NOUN_TOO or place == 0 or sentence[place - 1] in ASKING:
            acts |= _verbs().get(word, frozenset())
    return acts


def _unspaced(text: str) -> frozenset[str]:
    """The names found in scripts without spaces; an ASCII text has none."""
    if text.isascii():
        return frozenset()
    return frozenset(name for name, terms in UNSPACED.items() if any(term in text for term in terms.split()))


def _topics(words: tuple[str, ...], unspaced: frozenset[str]) -> dict[str, int]:
    """How many different entries of each topic the words begin with."""
    words, firsts = _cut(words), _firsts()
    entries = {*map(_entry, words), *map(_beginning, words[:-1])}  # a pair begins as its first word does
    entries |= {_entry(f"{first}_{second}") for first, second in pairwise(words) if first in firsts}
    stems, found = _stems(), dict.fromkeys(TOPICS, 0)
    for topic in (*(stems[entry] for entry in entries if entry), *(unspaced & TOPICS.keys())):
        found[topic] += 1
    return found


def _cut(words: Sequence[str]) -> tuple[str, ...]:
    return tuple([word[:LONGEST_WORD] for word in words])


@cache
def _firsts() -> frozenset[str]:
    """The first word of every entry of two."""
    return frozenset(stem.split("_", 1)[0] for stem in _stems() if "_" in stem)


@lru_cache(maxsize=KNOWN_WORDS)
def _is_number(word: str) -> bool:
    return word[0].isdecimal() or "number" in _objects().get(word, ())


@lru_cache(maxsize=KNOWN_WORDS)
def _entry(word: str) -> str | None:
    """The vocabulary's entry that the word is, or begins with."""
    stems = _stems()
    for exact in (word, word.removesuffix("s")):
        for entry in (exact, f"{exact}="):
            if entry in stems:
                return entry
    return _beginning(word)


@lru_cache(maxsize=KNOWN_WORDS)
def _beginning(word: str) -> str | None:
    """The shortest entry that the word begins with."""
    stems = _stems()
    return next((stem for n in range(6, min(len(word), LONGEST_STEM) + 1) if (stem := word[:n]) in stems), None)
