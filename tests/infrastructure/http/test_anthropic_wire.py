"""Anthropic's own SDK asks, streams and calls tools through the Messages wire."""

from __future__ import annotations

import base64
import json
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam
from pydantic import BaseModel

from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.request import (
    ImagePart,
    Parameters,
    ResponseFormat,
    Role,
    TextPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from model_orchestrator.infrastructure.http.anthropic_wire import AnthropicWire
from model_orchestrator.infrastructure.http.failure import Failure, Refused

from .results import PLAIN, result
from .service import anthropic_client

WIRE = AnthropicWire()
HELLO: list[MessageParam] = [{"role": "user", "content": "What is Python?"}]
WEATHER: ToolParam = {
    "name": "weather",
    "description": "The weather of a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
PIXEL = base64.b64encode(b"pixel").decode()


def asked(**body: Any) -> Any:
    return WIRE.asked(json.dumps({"model": "cheapest", "max_tokens": 99, "messages": HELLO, **body}).encode())


def test_the_sdk_completes() -> None:
    """The answer, its usage and the run that made it."""
    client, service = anthropic_client()
    message = client.messages.create(model="cheapest", max_tokens=99, messages=HELLO)
    assert service.result is not None
    assert [block.type == "text" and block.text for block in message.content] == [service.result.response]
    assert (message.stop_reason, message.model) == ("end_turn", service.result.model_used)
    assert message.id == f"msg_{service.result.run_id.removeprefix('run-')}"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (
        service.result.input_tokens,
        service.result.output_tokens,
    )
    assert message.model_extra is not None
    assert message.model_extra["orchestration"]["run_id"] == service.result.run_id


def test_the_sdk_streams() -> None:
    """Its accumulator has the text, the end and the usage."""
    client, service = anthropic_client()
    with client.messages.stream(model="cheapest", max_tokens=99, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert service.result is not None
    assert len(pieces) > 5
    assert "".join(pieces) == service.result.response
    assert (message.stop_reason, message.model) == ("end_turn", service.result.model_used)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (
        service.result.input_tokens,
        service.result.output_tokens,
    )


def test_a_raw_stream_has_the_events_of_the_vendor() -> None:
    """In their order, with the run in the one that ends the message."""
    client, service = anthropic_client()
    events = list(client.messages.create(model="cheapest", max_tokens=99, messages=HELLO, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert service.result is not None
    assert events[-2].model_extra is not None
    assert events[-2].model_extra["orchestration"]["run_id"] == service.result.run_id


def test_a_tool_is_called_answered_and_told_of() -> None:
    """The whole round, with the SDK's own blocks sent back."""
    client, _ = anthropic_client()
    first = client.messages.create(model="cheapest", max_tokens=99, messages=HELLO, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    call = first.content[-1]
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("weather", {"place": "What is Python?"})
    told: list[MessageParam] = [
        *HELLO,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "It rains"}]},
    ]
    second = client.messages.create(model="cheapest", max_tokens=99, messages=told, tools=[WEATHER])
    assert second.stop_reason == "end_turn"
    assert second.content[0].type == "text"
    assert "It rains" in second.content[0].text


def test_a_streamed_tool_call_is_put_together_by_the_sdk() -> None:
    """Its input comes as pieces of JSON."""
    client, _ = anthropic_client()
    with client.messages.stream(model="cheapest", max_tokens=99, messages=HELLO, tools=[WEATHER]) as stream:
        message = stream.get_final_message()
    assert [block.type == "tool_use" and block.input for block in message.content] == [{"place": "What is Python?"}]
    assert message.stop_reason == "tool_use"


def test_no_tool_is_called_where_none_is_wanted() -> None:
    """As tool_choice says."""
    client, _ = anthropic_client()
    message = client.messages.create(
        model="cheapest", max_tokens=99, messages=HELLO, tools=[WEATHER], tool_choice={"type": "none"}
    )
    assert message.stop_reason == "end_turn"


def test_the_sdk_parses_an_answer_of_a_schema() -> None:
    """Into a model of its own."""

    class Capital(BaseModel):
        city: str

    client, service = anthropic_client()
    parsed = client.messages.parse(model="cheapest", max_tokens=99, messages=HELLO, output_format=Capital)
    assert parsed.parsed_output is not None
    assert parsed.parsed_output.city
    assert service.asked is not None
    wanted = service.asked.request.parameters.response_format
    assert wanted is not None
    assert wanted.json_schema is not None
    assert "city" in wanted.json_schema["properties"]


def test_every_parameter_arrives() -> None:
    """Under the orchestrator's names."""
    schema = {"type": "object"}
    found = asked(
        system=[{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        temperature=0.5,
        top_p=0.25,
        top_k=5,
        stop_sequences=["END"],
        tools=[{**WEATHER, "strict": True, "type": "custom"}],
        tool_choice={"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        output_config={"format": {"type": "json_schema", "schema": schema}},
        thinking={"type": "disabled"},
        metadata={"user_id": "alice"},
        service_tier="auto",
        stream=True,
        orchestration={"threshold": 0.5},
    )
    assert found.stream
    assert found.options == {"subject": "alice", "threshold": 0.5}
    assert found.request.messages[0].role is Role.SYSTEM
    parameters = found.request.parameters
    assert parameters.tools[0].strict
    assert parameters == Parameters(
        temperature=0.5,
        max_tokens=99,
        top_p=0.25,
        top_k=5,
        stop=("END",),
        tools=parameters.tools,
        tool_choice=ToolChoice(name="weather"),
        parallel_tool_calls=False,
        response_format=ResponseFormat(json_schema=schema),
    )


def test_a_conversation_arrives_turn_by_turn() -> None:
    """Tool results are a turn of their own, before what the user says beside them."""
    use = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"place": "Paris"}}
    results = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": [{"type": "text", "text": "no"}],
        "is_error": True,
    }
    data = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": data},
                {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
                {"type": "text", "text": "look"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "hm"}, use]},
        {"role": "user", "content": [results, {"type": "text", "text": "and now?"}]},
    ]
    turns = asked(messages=messages).request.messages
    assert [(turn.role, turn.parts) for turn in turns] == [
        (
            Role.USER,
            (
                ImagePart(data=PIXEL, media_type="image/png"),
                ImagePart(url="https://a.example/b.png"),
                TextPart(text="look"),
            ),
        ),
        (
            Role.ASSISTANT,
            (TextPart(text="hm"), ToolCallPart(id="t1", name="weather", arguments='{"place":"Paris"}')),
        ),
        (Role.TOOL, (ToolResultPart(call_id="t1", text="no", is_error=True),)),
        (Role.USER, (TextPart(text="and now?"),)),
    ]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "thinking": ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking.type: expected disabled"),
    "effort": ({"output_config": {"effort": "high"}}, "output_config.effort: "),
    "servers": ({"mcp_servers": []}, "mcp_servers: "),
    "speed": ({"speed": "fast"}, "speed: expected standard"),
    "an unknown field": ({"n": 1}, "n: it is unknown"),
    "no limit": ({"max_tokens": None}, "max_tokens: expected int"),
    "heat": ({"temperature": 1.5}, "temperature: expected float <= 1"),
    "a role": ({"messages": [{"role": "tool", "content": "x"}]}, r"messages\[0\].role: expected user, assistant"),
    "a document": (
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
        r"messages\[0\].content\[0\].type: expected text, image or tool_result",
    ),
    "an image of a tool": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "x", "content": [{"type": "image"}]}],
                }
            ]
        },
        r"messages\[0\].content\[0\].content\[0\].type: expected text",
    ),
    "a stray result": (
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]},
        "messages: a tool's result is of no call",
    ),
    "an empty prompt": ({"messages": [{"role": "user", "content": []}]}, r"messages\[0\].content: it is empty"),
    "no base64": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%"}}
                    ],
                }
            ]
        },
        r"messages\[0\].content\[0\].source.data: expected base64",
    ),
    "a vendor's tool": ({"tools": [{"type": "web_search_20250305", "name": "s"}]}, r"tools\[0\].type: expected custom"),
    "a schema": ({"tools": [{"name": "a", "input_schema": {"type": "array"}}]}, r"tools\[0\].input_schema: expected"),
    "examples": (
        {"tools": [{**WEATHER, "input_examples": [{}]}]},
        r"tools\[0\].input_examples: they cannot be honoured",
    ),
    "no tool named": (
        {"tools": [WEATHER], "tool_choice": {"type": "tool"}},
        "tool_choice.name: this field is required",
    ),
    "a form": ({"output_config": {"format": {"type": "x"}}}, "output_config.format.type: expected json_schema"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_is_refused_by_name(what: str) -> None:
    """Before anything is run: never dropped."""
    body, message = REFUSED[what]
    with pytest.raises(InvalidRequest, match=f"^{message}"):
        asked(**body)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (400, "invalid_request", "invalid_request_error"),
        (401, "auth", "authentication_error"),
        (402, "budget", "billing_error"),
        (403, "forbidden", "permission_error"),
        (404, "not_found", "not_found_error"),
        (408, "deadline", "timeout_error"),
        (413, "too_large", "request_too_large"),
        (429, "rate_limited", "rate_limit_error"),
        (502, "server", "api_error"),
        (503, "overloaded", "overloaded_error"),
    ],
)
def test_an_error_has_the_vendors_names(status: int, kind: str, said: str) -> None:
    """By its status."""
    body = json.loads(WIRE.error(Refused(status, kind, "no").failure))
    assert (body["type"], body["error"]) == ("error", {"type": said, "message": "no"})


def test_an_error_is_raised_by_the_sdk() -> None:
    """As its own class."""
    client, _ = anthropic_client()
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: expected int >= 1"):
        client.messages.create(model="cheapest", max_tokens=0, messages=HELLO)


def test_a_failure_after_the_first_byte_is_an_error_the_sdk_raises() -> None:
    """There is no status any more."""
    client, service = anthropic_client()
    failure = Failure(status=502, kind="cut", message="the stream was cut")

    def cut(asked: Any, result: Any, pieces: list[str]) -> bytes:
        writer = WIRE.writer(asked)
        return writer.opening(run_id="run-1", model="m", created=1) + writer.delta("a") + writer.failed(failure)

    service.stream = cut  # type: ignore[method-assign]
    with pytest.raises(anthropic.APIError, match="the stream was cut"):
        list(client.messages.create(model="cheapest", max_tokens=9, messages=HELLO, stream=True))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("tool_calls", "tool_use"), ("refusal", "refusal")],
)
def test_the_end_has_the_vendors_word(ours: str, theirs: str) -> None:
    """One of those the SDK knows."""
    assert json.loads(WIRE.whole(result(finish_reason=ours)))["stop_reason"] == theirs


def test_usage_tells_cached_tokens_apart() -> None:
    """Beside the input count, not in it."""
    usage = {"input_tokens": 10, "output_tokens": 8, "cache_read": 4, "cache_write": 1, "reasoning": 5}
    assert json.loads(WIRE.whole(result(usage=usage)))["usage"] == {
        "input_tokens": 5,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 1,
        "output_tokens": 8,
        "output_tokens_details": {"thinking_tokens": 5},
    }


def test_arguments_that_are_no_object_are_given_as_they_are_with_a_warning() -> None:
    """They were paid for."""
    calls = [{"id": "c", "name": "weather", "arguments": "{oops"}]
    body = json.loads(WIRE.whole(result(response="", tool_calls=calls, finish_reason="tool_calls")))
    assert body["content"] == [{"type": "tool_use", "id": "c", "name": "weather", "input": {"arguments": "{oops"}}]
    assert body["orchestration"]["warnings"] == ["the arguments of weather are no JSON object"]


def test_a_closing_writes_what_was_not_written() -> None:
    """An answer that came in one piece, after no opening."""
    text = WIRE.writer(asked(stream=True)).closing(PLAIN).decode()
    assert text.count("event: message_start") == 1
    assert f'"text":"{PLAIN.response}"' in text
    assert text.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')


def test_a_long_word_for_a_user_becomes_a_pseudonym() -> None:
    """Some clients send whole identifiers: the same one is always the same subject, and no other."""
    long, other = ("user_" + letter * 80 for letter in "ab")
    subjects = [asked(metadata={"user_id": one}).options["subject"] for one in (long, long, other)]
    assert subjects[0] == subjects[1] != subjects[2]
    assert len(subjects[0]) <= 64
