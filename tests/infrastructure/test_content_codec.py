"""Requests survive the trip through their texts, whatever their parts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.request import (
    ImagePart,
    Message,
    Parameters,
    Request,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    ToolUse,
)
from model_orchestrator.infrastructure.content_codec import (
    PART_TAGS,
    manifest_from_json,
    manifest_json,
    message_from_json,
    message_json,
    request_json,
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
    response_format=st.none()
    | st.builds(ResponseFormat, name=texts, json_schema=st.none() | schemas, strict=st.booleans()),
    tools=st.lists(
        st.builds(Tool, name=texts, description=texts, parameters=schemas, strict=st.booleans()), max_size=2
    ).map(tuple),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(0, 100),
    presence_penalty=st.none() | st.floats(-2, 2),
    frequency_penalty=st.none() | st.floats(-2, 2),
    tool_choice=st.none() | st.builds(ToolChoice, use=st.sampled_from(ToolUse), name=st.none() | texts),
    parallel_tool_calls=st.none() | st.booleans(),
)


@given(messages)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    """Each part with its type."""
    assert message_from_json(message_json(message)) == message


@given(st.lists(texts), parameters)
def test_a_manifest_comes_back_as_it_was(refs: list[str], given_parameters: Parameters) -> None:
    """Message references in order, and every parameter."""
    assert manifest_from_json(manifest_json(refs, given_parameters)) == (refs, given_parameters)


def test_what_the_first_release_could_not_say_leaves_no_trace() -> None:
    """A request without it is stored in the bytes it always was, and its fingerprint stays."""
    asked = Parameters(tools=(Tool(name="t"),), response_format=ResponseFormat())
    assert manifest_json(["a"], asked) == (
        '{"messages":["a"],"parameters":{"max_tokens":null,"response_format":{"json_schema":null,"name":"answer"},'
        '"seed":null,"stop":[],"temperature":null,"tools":[{"description":"","name":"t","parameters":{}}]}}'
    )
    assert "strict" not in request_json(Request(messages=(), parameters=asked), [])


@pytest.mark.parametrize(
    "later",
    [
        {"top_p": 0.0},
        {"top_k": 0},
        {"presence_penalty": 0.0},
        {"frequency_penalty": 1.0},
        {"tool_choice": ToolChoice(use=ToolUse.AUTO)},
        {"parallel_tool_calls": False},
        {"tools": (Tool(name="t", strict=True),)},
        {"response_format": ResponseFormat(strict=False)},
    ],
)
def test_what_it_can_say_now_tells_requests_apart(later: dict[str, Any]) -> None:
    """In their fingerprints, and so in caching and idempotency."""
    usual = {"tools": (Tool(name="t"),), "response_format": ResponseFormat()}
    plain = {name: value for name, value in usual.items() if name in later}
    texts_of = [request_json(Request(messages=(), parameters=Parameters(**of)), []) for of in (plain, later)]
    assert texts_of[0] != texts_of[1]


def test_every_kind_of_part_has_a_tag() -> None:
    """One that had none could not be stored."""
    assert set(PART_TAGS.values()) == {TextPart, ImagePart, ToolCallPart, ToolResultPart}
