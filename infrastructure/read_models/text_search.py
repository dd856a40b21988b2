"""Finding runs by words: every stored text is read and looked at, so what is erased is not found any more.

There is no index: it would be a second copy of texts to erase and to protect.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from ...domain.errors import InvalidRequest
from ...domain.request import TextPart
from ..content_cipher import MARK
from ..content_codec import manifest_from_json, message_from_json
from .log_rows import Ask, log_rows

A_QUERY = 500  # refs


def runs_with(url: str, words: str) -> list[str]:
    """The runs of which one text, of the request or an answer, has all of the words, in any case.

    Raises InvalidRequest without a word, while texts are encrypted, and for a database in memory.
    """
    wanted = [word.casefold() for word in words.split()]
    if not wanted:
        raise InvalidRequest("text: there is no word to search for")
    with log_rows(url, "texts of a database in memory cannot be searched") as ask:
        found = _refs_with(ask, wanted)
        runs: set[str] = set()
        while some := tuple(islice(found, A_QUERY)):
            marks = ", ".join("?" * len(some))
            runs.update(row[0] for row in ask(f"SELECT stream FROM log.content_uses WHERE ref IN ({marks})", some))
    return sorted(runs)


def _refs_with(ask: Ask, wanted: list[str]) -> Iterator[str]:
    for ref, body in ask("SELECT ref, body FROM log.contents", ()):
        if bytes(body).startswith(MARK):
            raise InvalidRequest("texts of this database are encrypted, and cannot be searched")
        text = _searched(ref, bytes(body).decode()).casefold()
        if all(word in text for word in wanted):
            yield ref


def _searched(ref: str, body: str) -> str:
    """What people wrote or read: the texts of a message, or an answer; nothing of a request's list of messages."""
    if ref.startswith("m-"):
        return "\n".join(part.text for part in message_from_json(body).parts if isinstance(part, TextPart))
    if body.startswith('{"messages":["m-'):
        try:
            manifest_from_json(body)
        except (msgspec.MsgspecError, LookupError, TypeError):
            return body
        return ""
    return body
