"""Events come whole out of chunks, wherever those were cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.infrastructure.providers import event_stream
from model_orchestrator.infrastructure.providers.event_stream import EventReader, StreamEvent
from model_orchestrator.infrastructure.providers.reply import Malformed

STREAM = (
    ": a comment\n\n"
    "event: first\nid: 1\ndata: Grüße\n\n"
    "data:two\ndata:  lines: 世界\nretry: 5\n\n"
    "event: ping\n\n"
    "event: last\ndata: 🎉\n\n"
    "data: never ended"
).encode()
EVENTS = [
    StreamEvent(b"first", "Grüße".encode()),
    StreamEvent(b"", "two\n lines: 世界".encode()),
    StreamEvent(b"last", "🎉".encode()),
]


def read(*chunks: bytes) -> list[StreamEvent]:
    """Every event of the chunks."""
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


@given(st.lists(st.integers(0, len(STREAM))), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_are_the_same_however_the_stream_is_cut(cuts: list[int], ends: bytes) -> None:
    """In the middle of a character or of a line's end, in empty chunks; with LF, CRLF or CR."""
    stream = STREAM.replace(b"\n", ends)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert read(*(stream[start:end] for start, end in pairwise(places))) == EVENTS


def test_a_stream_of_single_bytes_is_read() -> None:
    """The slowest network there is."""
    stream = STREAM.replace(b"\n", b"\r\n")
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == EVENTS


def test_an_event_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line, and many lines, that never end an event."""
    monkeypatch.setattr(event_stream, "MOST", 1000)
    for piece in (b"x" * 100, b"data: x\n" * 10):
        with pytest.raises(Malformed):
            read(*[piece] * 20)


def test_events_below_the_bound_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is of one event, not of the stream."""
    monkeypatch.setattr(event_stream, "MOST", 1000)
    assert len(read(*[b"data: x\n\n"] * 1000)) == 1000


def test_a_stream_that_is_no_text_is_no_event_stream() -> None:
    """In a line that is passed over, and in what is left at the end."""
    with pytest.raises(UnicodeDecodeError):
        read(b"\xff\xfe\n")
    reader = EventReader()
    assert list(reader.feed(b"\xff\xfe")) == []
    with pytest.raises(UnicodeDecodeError):
        reader.end()
