"""OpenAI's own SDK asks, streams and calls tools through the Chat Completions wire."""

from __future__ import annotations

import base64
import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from model_orchestrator.domain.errors import ErrorKind, InvalidRequest, RunFailure
from model_orchestrator.domain.request import (
    ImagePart,
    Parameters,
    ResponseFormat,
    Role,
    TextPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    ToolUse,
)
from model_orchestrator.infrastructure.http.failure import Failure, Refused, failure_of
from model_orchestrator.infrastructure.http.openai_wire import OpenAIWire

from .results import PLAIN, result
from .service import CREATED, openai_client

WIRE = OpenAIWire()
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is Python?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
PIXEL = base64.b64encode(b"pixel").decode()


def asked(**body: Any) -> Any:
    return WIRE.asked(json.dumps({"model": "cheapest", "messages": HELLO, **body}).encode())


def test_the_sdk_completes() -> None:
    """The answer, its usage and the run that made it."""
    client, service = openai_client()
    completion = client.chat.completions.create(model="cheapest", messages=HELLO)
    assert service.result is not None
    assert completion.choices[0].message.content == service.result.response
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == service.result.model_used
    assert completion.id == f"chatcmpl-{service.result.run_id.removeprefix('run-')}"
    assert completion.usage is not None
    assert completion.usage.total_tokens == service.result.input_tokens + service.result.output_tokens
    facts = completion.model_extra["orchestration"] if completion.model_extra else {}
    assert (facts["run_id"], facts["money"]) == (service.result.run_id, "simulated")
    assert facts["models_tried"] == [completion.model]


def test_the_sdk_streams_with_usage() -> None:
    """Piece by piece, and the usage in a chunk of its own, which is the last."""
    client, service = openai_client()
    stream = client.chat.completions.create(
        model="cheapest", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert service.result is not None
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len(texts) > 5
    assert "".join(texts) == service.result.response
    assert {(chunk.id, chunk.model, chunk.created) for chunk in chunks} == {
        (f"chatcmpl-{service.result.run_id.removeprefix('run-')}", service.result.model_used, CREATED)
    }
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].model_extra is not None
    assert chunks[-1].model_extra["orchestration"]["run_id"] == service.result.run_id


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_no_field_of_a_chunk_is_said_twice() -> None:
    """Which of the two a client reads is its own choice."""
    wanted = asked(stream=True, stream_options={"include_usage": True})
    for chunk in WIRE.writer(wanted).closing(PLAIN).decode().split("\n\n")[:-2]:
        json.loads(chunk.removeprefix("data: "), object_pairs_hook=_once)


def test_a_stream_without_usage_tells_the_run_in_its_last_chunk() -> None:
    """Every chunk has a choice then."""
    client, _ = openai_client()
    chunks = list(client.chat.completions.create(model="cheapest", messages=HELLO, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert chunks[-1].model_extra is not None
    assert "orchestration" in chunks[-1].model_extra


def test_a_tool_is_called_answered_and_told_of() -> None:
    """The whole round, with the SDK's own message sent back."""
    client, _ = openai_client()
    first = client.chat.completions.create(model="cheapest", messages=HELLO, tools=[WEATHER])
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"place": "What is Python?"})
    told: list[Any] = [
        *HELLO,
        message.model_dump(),
        {"role": "tool", "tool_call_id": call.id, "content": "It rains"},
    ]
    second = client.chat.completions.create(model="cheapest", messages=told, tools=[WEATHER])
    assert second.choices[0].finish_reason == "stop"
    assert "It rains" in (second.choices[0].message.content or "")


def test_a_streamed_tool_call_is_put_together_by_the_sdk() -> None:
    """By its own accumulator."""
    client, _ = openai_client()
    with client.chat.completions.stream(model="cheapest", messages=HELLO, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    assert json.loads(message.tool_calls[0].function.arguments) == {"place": "What is Python?"}


def test_a_chosen_tool_is_called_and_none_where_none_is_wanted() -> None:
    """As tool_choice says."""
    client, _ = openai_client()
    other: ChatCompletionToolParam = {"type": "function", "function": {"name": "other"}}
    chosen = client.chat.completions.create(
        model="cheapest",
        messages=HELLO,
        tools=[WEATHER, other],
        tool_choice={"type": "function", "function": {"name": "other"}},
    )
    assert chosen.choices[0].message.tool_calls is not None
    assert [call.type == "function" and call.function.name for call in chosen.choices[0].message.tool_calls] == [
        "other"
    ]
    none = client.chat.completions.create(model="cheapest", messages=HELLO, tools=[WEATHER], tool_choice="none")
    assert none.choices[0].message.tool_calls is None


def test_the_sdk_parses_an_answer_of_a_schema() -> None:
    """Into a model of its own."""

    class Capital(BaseModel):
        city: str

    client, service = openai_client()
    parsed = client.chat.completions.parse(model="cheapest", messages=HELLO, response_format=Capital)
    assert parsed.choices[0].message.parsed is not None
    assert parsed.choices[0].message.parsed.city
    assert service.asked is not None
    wanted = service.asked.request.parameters.response_format
    assert wanted is not None
    assert (wanted.name, wanted.strict) == ("Capital", True)


def test_every_parameter_arrives() -> None:
    """Under the orchestrator's names."""
    client, service = openai_client()
    client.chat.completions.create(
        model="cheapest",
        messages=HELLO,
        temperature=0.5,
        top_p=0.25,
        presence_penalty=1,
        frequency_penalty=-1,
        seed=7,
        stop=["END"],
        max_completion_tokens=50,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        user="alice",
        metadata={"team": "blue"},
        store=False,
        service_tier="auto",
        n=1,
        extra_body={"orchestration": {"category": "support", "max_cost": "0.5", "tags": {"run": "a"}}},
    )
    assert service.asked is not None
    parameters = service.asked.request.parameters
    assert parameters.tools[0].name == "weather"
    assert parameters == Parameters(
        temperature=0.5,
        top_p=0.25,
        presence_penalty=1,
        frequency_penalty=-1,
        seed=7,
        stop=("END",),
        max_tokens=50,
        tools=parameters.tools,
        tool_choice=ToolChoice(use=ToolUse.REQUIRED),
        parallel_tool_calls=False,
        response_format=ResponseFormat(),
    )
    assert service.asked.options == {
        "subject": "alice",
        "tags": {"team": "blue", "run": "a"},
        "category": "support",
        "max_cost": "0.5",
    }


def test_a_conversation_arrives_turn_by_turn() -> None:
    """System and developer, text and images, an earlier answer with its calls, and what a tool said."""
    url = f"data:image/PNG;base64,{PIXEL}"
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": url, "detail": "auto"}},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
            ],
        },
        {"role": "assistant", "content": "hm", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "rain"}]},
        {"role": "assistant", "content": None, "refusal": "no"},
    ]
    turns = asked(messages=messages).request.messages
    assert [(turn.role, turn.parts) for turn in turns] == [
        (Role.SYSTEM, (TextPart(text="be brief"),)),
        (Role.SYSTEM, (TextPart(text="be kind"),)),
        (
            Role.USER,
            (
                TextPart(text="look"),
                ImagePart(data=PIXEL, media_type="image/png"),
                ImagePart(url="https://a.example/b.png"),
            ),
        ),
        (Role.ASSISTANT, (TextPart(text="hm"), ToolCallPart(id="c1", name="weather", arguments="{}"))),
        (Role.TOOL, (ToolResultPart(call_id="c1", text="rain"),)),
        (Role.ASSISTANT, (TextPart(text="no"),)),
    ]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "several answers": ({"n": 2}, "n: expected 1"),
    "log-probabilities": ({"logprobs": True}, "logprobs: "),
    "sound": ({"modalities": ["text", "audio"]}, "modalities: "),
    "old functions": ({"functions": []}, "functions: "),
    "a search": ({"web_search_options": {}}, "web_search_options: "),
    "effort": ({"reasoning_effort": "high"}, "reasoning_effort: "),
    "a bias": ({"logit_bias": {"1": 2}}, "logit_bias: "),
    "an unknown field": ({"top_q": 1}, "top_q: it is unknown"),
    "no messages": ({"messages": []}, "messages: expected array of length >= 1"),
    "a system alone": ({"messages": [{"role": "system", "content": "x"}]}, "messages: expected a message of role user"),
    "a role": ({"messages": [{"role": "robot", "content": "x"}]}, r"messages\[0\].role: expected system, developer"),
    "no role": ({"messages": [{"content": "x"}]}, r"messages\[0\].role: this field is required"),
    "an empty prompt": ({"messages": [{"role": "user", "content": " "}]}, r"messages\[0\].content: it is empty"),
    "a part": (
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        r"messages\[0\].content\[0\].type: expected text, or image_url",
    ),
    "detail": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x", "detail": "low"}}]}
            ]
        },
        r"messages\[0\].content\[0\].image_url.detail: expected auto",
    ),
    "an address": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///x"}}]}]},
        r"messages\[0\].content\[0\].image_url.url: ",
    ),
    "no base64": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,%"}}]}
            ]
        },
        r"messages\[0\].content\[0\].image_url.url: ",
    ),
    "a stray result": (
        {"messages": [*HELLO, {"role": "tool", "tool_call_id": "c9", "content": "x"}]},
        "messages: a tool's result is of no call",
    ),
    "a name": ({"messages": [{"role": "user", "content": "x", "name": "bob"}]}, r"messages\[0\].name: "),
    "two limits": ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens: it differs"),
    "no limit": ({"max_tokens": 0}, "max_tokens: expected int >= 1"),
    "heat": ({"temperature": 2.5}, "temperature: expected float <= 2"),
    "a kind of tool": ({"tools": [{"type": "custom"}]}, r"tools\[0\].type: expected function"),
    "a tool's name": (
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        r"tools\[0\].function.name: expected",
    ),
    "a tool's schema": (
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "string"}}}]},
        r"tools\[0\].function.parameters: expected type object",
    ),
    "two of a name": ({"tools": [WEATHER, WEATHER]}, r"tools\[1\]: an earlier tool has the same name"),
    "no such tool": (
        {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}},
        "tool_choice: there is no such tool",
    ),
    "a choice of none": ({"tool_choice": "required"}, "tool_choice: there are no tools"),
    "a form": ({"response_format": {"type": "xml"}}, "response_format.type: expected text, json_object"),
    "a label": ({"metadata": {"a": "x" * 65}}, "metadata.a: it is kept as a label here"),
    "an option": ({"orchestration": {"max_costs": 1}}, "orchestration: unknown option 'max_costs'.*max_cost"),
    "an option of the body": ({"orchestration": {"temperature": 1}}, "orchestration.temperature: say it as a field"),
    "a file of the machine": ({"orchestration": {"policy": "/etc/x.toml"}}, "orchestration.policy: expected the name"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_is_refused_by_name(what: str) -> None:
    """Before anything is run: never dropped."""
    body, message = REFUSED[what]
    with pytest.raises(InvalidRequest, match=f"^{message}"):
        asked(**body)


def test_an_error_names_its_field_for_the_sdk() -> None:
    """As the vendor's own do."""
    client, _ = openai_client()
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="cheapest", messages=HELLO, n=3)
    assert (caught.value.param, caught.value.type, caught.value.code) == (
        "n",
        "invalid_request_error",
        "invalid_request",
    )


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, "auth", ("authentication_error", "invalid_api_key")),
        (402, "budget", ("insufficient_quota", "insufficient_quota")),
        (404, "not_found", ("not_found_error", "not_found")),
        (408, "deadline", ("timeout_error", "deadline")),
        (413, "too_large", ("request_too_large", "too_large")),
        (429, "rate_limited", ("rate_limit_error", "rate_limit_exceeded")),
        (400, "context_window", ("invalid_request_error", "context_length_exceeded")),
        (502, "server", ("api_error", "server")),
        (503, "overloaded", ("overloaded_error", "overloaded")),
    ],
)
def test_an_error_has_the_vendors_names(status: int, kind: str, said: tuple[str, str]) -> None:
    """By its status."""
    body = json.loads(WIRE.error(Refused(status, kind, "no").failure))
    assert (body["error"]["type"], body["error"]["code"]) == said


def test_a_budget_error_says_what_would_fit() -> None:
    """In figures, beside the message."""
    error = RunFailure("no", kind=ErrorKind.BUDGET, run_id="run-1", details={"limit": "1", "would_fit": "2"})
    facts = json.loads(WIRE.error(failure_of(error)))["error"]["orchestration"]
    assert facts == {"kind": "budget", "run_id": "run-1", "limit": "1", "would_fit": "2"}


def test_a_failure_after_the_first_byte_is_an_error_the_sdk_raises() -> None:
    """There is no status any more."""
    client, service = openai_client()
    failure = Failure(status=502, kind="cut", message="the stream was cut")

    def cut(asked: Any, result: Any, pieces: list[str]) -> bytes:
        writer = WIRE.writer(asked)
        return writer.opening(run_id="run-1", model="m", created=1) + writer.delta("a") + writer.failed(failure)

    service.stream = cut  # type: ignore[method-assign]
    with pytest.raises(openai.APIError, match="the stream was cut"):
        list(client.chat.completions.create(model="cheapest", messages=HELLO, stream=True))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("stop", "stop"), ("length", "length"), ("refusal", "content_filter"), ("other", "stop")],
)
def test_the_end_has_the_vendors_word(ours: str, theirs: str) -> None:
    """One of those the SDK knows."""
    assert json.loads(WIRE.whole(result(finish_reason=ours)))["choices"][0]["finish_reason"] == theirs


def test_usage_tells_cached_and_reasoning_tokens() -> None:
    """Within the counts."""
    usage = {"input_tokens": 10, "output_tokens": 8, "cache_read": 4, "cache_write": 1, "reasoning": 5}
    said = json.loads(WIRE.whole(result(usage=usage)))["usage"]
    assert (said["prompt_tokens"], said["completion_tokens"], said["total_tokens"]) == (10, 8, 18)
    assert said["prompt_tokens_details"]["cached_tokens"] == 4
    assert said["completion_tokens_details"]["reasoning_tokens"] == 5


def test_an_unknown_cost_is_null_and_a_known_one_exact_text() -> None:
    """Never a float."""
    assert json.loads(WIRE.whole(result()))["orchestration"]["cost"] == "0.000001"
    assert json.loads(WIRE.whole(result(cost=None)))["orchestration"]["cost"] is None


def test_a_closing_writes_what_was_not_written() -> None:
    """An answer that came in one piece, after no opening."""
    text = WIRE.writer(asked(stream=True)).closing(PLAIN).decode()
    assert text.count('"role":"assistant"') == 1
    assert f'"content":"{PLAIN.response}"' in text
    assert text.endswith("data: [DONE]\n\n")
