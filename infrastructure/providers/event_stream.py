"""Server-sent events out of the chunks of a reply, wherever the network cut them.

Works on bytes, so a character split over two chunks is whole again before anybody decodes it.
Source: HTML Living Standard, section 9.2.6, "Interpreting an event stream" (2026-11-24).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .reply import Malformed

MOST = 8 * 1024 * 1024  # bytes of one event: an answer of 128,000 tokens is about 0.5 MB


class StreamEvent(NamedTuple):
    """One event: its name, empty where it has none, and its data."""

    name: bytes
    data: bytes


@dataclass(slots=True)
class EventReader:
    """Takes chunks, gives events; comments, ids and retry times are left out, and so is an event without data."""

    _pieces: list[bytes] = field(default_factory=list)  # of a line whose end has not come
    _name: bytes = b""
    _data: list[bytes] = field(default_factory=list)
    _size: int = 0  # bytes of the event so far
    _after_cr: bool = False

    def feed(self, chunk: bytes) -> Iterator[StreamEvent]:
        """The events that end in this chunk. Raises Malformed above MOST bytes an event.

        Raises UnicodeDecodeError for a line that is passed over and is no text: the reply is no event stream.
        """
        for line in self._lines(chunk):
            if not line:
                name, data = self._name, b"\n".join(self._data)
                self._name, self._data, self._size = b"", [], 0
                if data:
                    yield StreamEvent(name, data)
            elif line.startswith(b"data:"):
                self._data.append(_value(line, 5))
            elif line.startswith(b"event:"):
                self._name = _value(line, 6)
            else:
                line.decode()

    def end(self) -> None:
        """The chunks have ended; an event that has no empty line after it is none. Raises UnicodeDecodeError."""
        b"".join(self._pieces).decode()

    def _lines(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk, by LF, CR or CRLF; the rest is kept."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        elif chunk:
            self._after_cr = False
        self._size += len(chunk)
        if b"\n" not in chunk:
            self._check()
            self._pieces.append(chunk)
            return []
        *lines, rest = chunk.split(b"\n")
        if self._pieces:
            lines[0] = b"".join((*self._pieces, lines[0]))
        self._check()
        self._pieces = [rest] if rest else []
        return lines

    def _check(self) -> None:
        if self._size > MOST:
            raise Malformed(f"an event of more than {MOST} bytes")


def _value(line: bytes, start: int) -> bytes:
    """What follows the colon, less one space."""
    return line[start + 1 :] if line[start : start + 1] == b" " else line[start:]
