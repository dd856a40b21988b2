"""Requests survive the trip through their texts, whatever their parts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.request import (
    ImagePart,
    Message,
    Parameters,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from model_orchestrator.infrastructure.content_codec import (
    PART_TAGS,
    manifest_from_json,
    manifest_json,
    message_from_json,
    message_json,
)

texts = st.text(max_size=20)
schemas: st.SearchStrategy[dict[str, Any]] = st.dictionaries(texts, st.one_of(texts, st.integers(), st.booleans()))
parts = st.one_of(
    st.builds(TextPart, text=texts),
    st.builds(ImagePart, data=st.none() | texts, media_type=st.none() | texts, url=st.none() | texts),
    st.builds(ToolCallPart, id=texts, name=texts, arguments=texts),
    st.builds(ToolResultPart, call_id=texts, text=texts, is_error=st.booleans()),
)
messages = st.builds(Message, parts=st.lists(parts, max_size=4).map(tuple))
parameters = st.builds(
    Parameters,
    temperature=st.none() | st.floats(0, 2),
    max_tokens=st.none() | st.integers(1, 10**6),
    stop=st.lists(texts, max_size=2).map(tuple),
    seed=st.none() | st.integers(0, 2**31),
    response_format=st.none() | st.builds(ResponseFormat, name=texts, json_schema=st.none() | schemas),
    tools=st.lists(st.builds(Tool, name=texts, description=texts, parameters=schemas), max_size=2).map(tuple),
)


@given(messages)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    """Each part with its type."""
    assert message_from_json(message_json(message)) == message


@given(st.lists(texts), parameters)
def test_a_manifest_comes_back_as_it_was(refs: list[str], given_parameters: Parameters) -> None:
    """Message references in order, and every parameter."""
    assert manifest_from_json(manifest_json(refs, given_parameters)) == (refs, given_parameters)


def test_every_kind_of_part_has_a_tag() -> None:
    """One that had none could not be stored."""
    assert set(PART_TAGS.values()) == {TextPart, ImagePart, ToolCallPart, ToolResultPart}
