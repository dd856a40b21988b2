"""Whatever bytes come in, what goes out is a request or a refusal that repeats no text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.infrastructure.http import anthropic_body, openai_body
from model_orchestrator.infrastructure.http.anthropic_wire import AnthropicWire
from model_orchestrator.infrastructure.http.facts import orchestration
from model_orchestrator.infrastructure.http.openai_wire import OpenAIWire
from model_orchestrator.infrastructure.http.wire import Asked, WireProtocol

from .results import PLAIN

WIRES: dict[str, WireProtocol] = {"openai": OpenAIWire(), "anthropic": AnthropicWire()}
every_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
BODY: dict[str, Any] = {"model": "cheapest", "max_tokens": 9, "messages": [{"role": "user", "content": "SECRET"}]}

words = st.sampled_from(
    ["user", "assistant", "tool", "system", "text", "image_url", "image", "tool_use", "tool_result", "function", "auto"]
)
keys = st.sampled_from(
    [
        "role",
        "content",
        "type",
        "text",
        "name",
        "tool_calls",
        "tool_call_id",
        "id",
        "input",
        "function",
        "source",
        "url",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(
    [
        "model", "messages", "max_tokens", "temperature", "top_p", "top_k", "stop", "stop_sequences", "system", "seed",
        "tools", "tool_choice", "response_format", "output_config", "metadata", "user", "stream", "stream_options",
        "orchestration", "thinking", "n", "logit_bias", "modalities", "parallel_tool_calls",
    ]
)  # fmt: skip
options = st.dictionaries(
    st.sampled_from(["chain", "models", "tags", "subject", "policy", "max_cost", "threshold", "cache", "expect"]),
    values,
    max_size=3,
)


def answered(wire: WireProtocol, body: bytes) -> Asked | str:
    """The request, or the message of the refusal; anything else fails the test."""
    try:
        return wire.asked(body)
    except InvalidRequest as error:
        return str(error)


@every_wire
@given(body=values)
def test_any_value_is_a_request_or_refused(wire: WireProtocol, body: Any) -> None:
    """No other exception leaves."""
    answered(wire, json.dumps(body).encode())


@every_wire
@given(odd=st.dictionaries(fields, values, max_size=3))
def test_any_field_is_taken_or_refused(wire: WireProtocol, odd: dict[str, Any]) -> None:
    """In a body that is right otherwise."""
    answered(wire, json.dumps({**BODY, **odd}).encode())


@every_wire
@given(message=st.dictionaries(keys, values, max_size=5), role=words)
def test_any_message_is_taken_or_refused(wire: WireProtocol, message: dict[str, Any], role: str) -> None:
    """Whoever speaks it."""
    answered(wire, json.dumps({**BODY, "messages": [{**message, "role": role}]}).encode())


@every_wire
@given(given_options=options)
def test_any_option_is_taken_or_refused(wire: WireProtocol, given_options: dict[str, Any]) -> None:
    """Of the `orchestration` object."""
    answered(wire, json.dumps({**BODY, "orchestration": given_options}).encode())


@every_wire
@given(body=st.binary(max_size=60))
def test_any_bytes_are_refused(wire: WireProtocol, body: bytes) -> None:
    """So short, they are no request."""
    assert isinstance(answered(wire, body), str)


@every_wire
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not valid JSON"),
        (b'{"model": "x",', "not valid JSON"),
        (b'{"model": "\xff"}', "not valid UTF-8"),
        (b'{"model": "\\ud800"}', "not valid JSON"),
        (b'{"temperature": NaN}', "not valid JSON"),
        (b'{"temperature": 1e999}', "temperature: number out of range"),
        (b"[]", "the body: expected object, got array"),
        (b'{"tools": ' + b"[" * 100_000, r"tools\[0\]: expected object"),
        (b'{"service_tier": ' + b"[" * 100_000, "too deeply"),
    ],
    ids=["empty", "cut", "bytes", "surrogate", "no number", "too large", "a list", "deep tools", "deep elsewhere"],
)
def test_a_broken_body_is_told_what_is_wrong(wire: WireProtocol, body: bytes, said: str) -> None:
    """In a few words."""
    with pytest.raises(InvalidRequest, match=said):
        wire.asked(body)


@every_wire
@pytest.mark.parametrize("levels", [65, 300])
def test_a_schema_is_nested_no_deeper_than_its_readers_can_walk(wire: WireProtocol, levels: int) -> None:
    """The decoder would take more."""
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    function = {"name": "f", "parameters": schema}
    tool = (
        {"type": "function", "function": function} if wire is WIRES["openai"] else {"name": "f", "input_schema": schema}
    )
    with pytest.raises(InvalidRequest, match="nested more than 64 levels deep"):
        wire.asked(json.dumps({**BODY, "tools": [tool]}).encode())


@every_wire
@pytest.mark.parametrize(
    "body",
    [
        {**BODY, "messages": [{"role": "SECRET", "content": "SECRET"}]},
        {**BODY, "messages": [{"role": "user", "content": {"SECRET": "SECRET"}}]},
        {**BODY, "messages": [{"role": "user", "content": [{"type": "SECRET", "text": "SECRET"}]}]},
        {**BODY, "messages": ["SECRET"]},
        {**BODY, "temperature": "SECRET"},
        {**BODY, "orchestration": {"category": "SECRET" * 20}},
        {**BODY, "orchestration": {"max_cost": ["SECRET"]}},
        {**BODY, "orchestration": {"chain": [["SECRET"]]}},
    ],
)
def test_a_refusal_repeats_no_text(wire: WireProtocol, body: dict[str, Any]) -> None:
    """It may be logged."""
    said = answered(wire, json.dumps(body).encode())
    assert isinstance(said, str)
    assert "SECRET" not in said


@pytest.mark.parametrize("body", [openai_body.Body, anthropic_body.Body])
def test_the_document_names_every_field(body: type[Struct]) -> None:
    """Whether it is honoured, taken or refused; and every fact of an answer."""
    text = (Path(__file__).parents[3] / "docs" / "protocols.md").read_text(encoding="utf-8")
    names = {*body.__struct_fields__, *orchestration(PLAIN)} - {"messages"}
    assert {name for name in names if not re.search(rf"`{name}[`.]", text)} == set()
