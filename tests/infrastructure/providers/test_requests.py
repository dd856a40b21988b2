"""How a call is said in each protocol, and what is rejected before any contact."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from model_orchestrator.application.ports import ModelCall
from model_orchestrator.domain.catalogue import EVERY_REQUEST_FEATURE, Feature, ModelProvider
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.request import (
    ImagePart,
    Message,
    Parameters,
    Part,
    Request,
    ResponseFormat,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    ToolUse,
    prompt_request,
)
from model_orchestrator.infrastructure.providers.anthropic_client import AnthropicClient
from model_orchestrator.infrastructure.providers.anthropic_request import anthropic_body
from model_orchestrator.infrastructure.providers.openai_client import OpenAIClient
from model_orchestrator.infrastructure.providers.openai_request import openai_body
from tests.contracts.model_client import model, said, user
from tests.simulator import RunningSimulator

CALL = ToolCallPart(id="c1", name="weather", arguments='{"place": "Paris"}')


def call(*messages: Message, features: frozenset[Feature] = EVERY_REQUEST_FEATURE, **parameters: Any) -> ModelCall:
    return ModelCall(
        model=model(ModelProvider.OPENAI, "m", features=features),
        request=Request(messages=messages or (user("hi"),), parameters=Parameters(**parameters)),
        max_output_tokens=99,
        timeout=5,
    )


REJECTED_BY_BOTH = {
    "an image of the assistant": (
        said(Role.USER, TextPart(text="x")),
        said(Role.ASSISTANT, ImagePart(url="https://x")),
    ),
    "a tool call of the user": (said(Role.USER, CALL),),
    "text as a tool": (user("x"), said(Role.TOOL, TextPart(text="y"))),
    "an image without a type": (said(Role.USER, ImagePart(data="AAAA")),),
    "an image of two sources": (said(Role.USER, ImagePart(data="AAAA", media_type="image/png", url="https://x")),),
    "an image of no source": (said(Role.USER, ImagePart()),),
    "an empty message": (Message(role=Role.USER, parts=()),),
    "no user message": (said(Role.SYSTEM, TextPart(text="x")),),
}
REJECTED_BY_OPENAI = {
    "text after a tool call": call(user("x"), said(Role.ASSISTANT, CALL, TextPart(text="then"))),
    "top_k": call(top_k=5),
    "a tool's error mark": call(
        user("x"), said(Role.ASSISTANT, CALL), said(Role.TOOL, ToolResultPart(call_id="c1", text="y", is_error=True))
    ),
}
REJECTED_BY_ANTHROPIC = {
    "a seed": call(seed=1),
    "a temperature over 1": call(temperature=1.5),
    "a penalty": call(frequency_penalty=0.5),
    "JSON without a schema": call(response_format=ResponseFormat()),
    "a late system message": call(user("x"), said(Role.SYSTEM, TextPart(text="y"))),
    "arguments that are no object": call(
        user("x"), said(Role.ASSISTANT, ToolCallPart(id="c1", name="n", arguments="[1]"))
    ),
    "arguments that are no JSON": call(
        user("x"), said(Role.ASSISTANT, ToolCallPart(id="c1", name="n", arguments="{oops"))
    ),
}


def rejected(client: OpenAIClient | AnthropicClient, asked: ModelCall, simulator: RunningSimulator) -> None:
    """InvalidRequest, and the server saw nothing."""

    async def ask() -> None:
        with pytest.raises(InvalidRequest, match="nothing was sent"):
            await client.complete(asked)
        await client.aclose()

    asyncio.run(ask())
    assert simulator.calls == 0


@pytest.mark.parametrize("what", REJECTED_BY_BOTH)
def test_what_no_protocol_carries_is_rejected(what: str, simulator: RunningSimulator) -> None:
    """Before any contact, never dropped."""
    rejected(OpenAIClient("k", simulator.openai_url), call(*REJECTED_BY_BOTH[what]), simulator)
    rejected(AnthropicClient("k", simulator.anthropic_url), call(*REJECTED_BY_BOTH[what]), simulator)


@pytest.mark.parametrize("what", REJECTED_BY_OPENAI)
def test_what_openai_does_not_carry_is_rejected(what: str, simulator: RunningSimulator) -> None:
    """Before any contact, never dropped."""
    rejected(OpenAIClient("k", simulator.openai_url), REJECTED_BY_OPENAI[what], simulator)


@pytest.mark.parametrize("what", REJECTED_BY_ANTHROPIC)
def test_what_anthropic_does_not_carry_is_rejected(what: str, simulator: RunningSimulator) -> None:
    """Before any contact, never dropped."""
    rejected(AnthropicClient("k", simulator.anthropic_url), REJECTED_BY_ANTHROPIC[what], simulator)


@pytest.mark.parametrize(
    ("feature", "asked"),
    [
        (Feature.SEED, {"seed": 1}),
        (Feature.STOP, {"stop": ("x",)}),
        (Feature.TEMPERATURE, {"temperature": 0.0}),
        (Feature.TOOLS, {"tools": (Tool(name="t"),)}),
        (Feature.JSON, {"response_format": ResponseFormat()}),
        (Feature.JSON_SCHEMA, {"response_format": ResponseFormat(json_schema={"type": "object"})}),
    ],
)
def test_what_a_model_has_not_is_rejected_by_name(
    feature: Feature, asked: dict[str, Any], simulator: RunningSimulator
) -> None:
    """Its catalogue entry says so."""
    lacking = call(features=EVERY_REQUEST_FEATURE - {feature}, **asked)
    with pytest.raises(InvalidRequest, match=rf"{feature.value}\b"):
        asyncio.run(OpenAIClient("k", simulator.openai_url).complete(lacking))


def test_the_output_limit_is_always_sent_under_the_right_name() -> None:
    """OpenAI's own newer name at OpenAI, the old one elsewhere."""
    assert openai_body(call(), at_vendor=True)["max_completion_tokens"] == 99
    assert openai_body(call(), at_vendor=False)["max_tokens"] == 99
    assert anthropic_body(call())["max_tokens"] == 99


def test_openai_is_asked_for_its_plain_tier_and_nobody_else_for_any() -> None:
    """A project's setting could double the price above what was held."""
    assert openai_body(call(), at_vendor=True)["service_tier"] == "default"
    assert "service_tier" not in openai_body(call(), at_vendor=False)


def test_openai_takes_at_most_four_stop_sequences() -> None:
    """Another server decides for itself."""
    many = call(stop=("a", "b", "c", "d", "e"))
    with pytest.raises(InvalidRequest, match="5 stop sequences"):
        openai_body(many, at_vendor=True)
    assert openai_body(many, at_vendor=False)["stop"] == ["a", "b", "c", "d", "e"]


def test_every_parameter_is_in_an_openai_body() -> None:
    """Under its name there; what is not set is not sent."""
    tool = Tool(name="t", description="d", parameters={"type": "object"})
    schema = ResponseFormat(name="n", json_schema={"type": "object"})
    body = openai_body(
        call(temperature=0.0, seed=0, stop=("x",), tools=(tool,), response_format=schema), at_vendor=True
    )
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_completion_tokens": 99,
        "service_tier": "default",
        "temperature": 0.0,
        "seed": 0,
        "stop": ["x"],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "tools": [
            {"type": "function", "function": {"name": "t", "description": "d", "parameters": {"type": "object"}}}
        ],
    }


def test_every_part_is_in_an_anthropic_body() -> None:
    """System text apart, tool results spoken by the user, images as blocks."""
    parts: tuple[Part, ...] = (TextPart(text="look"), ImagePart(data="AAAA", media_type="image/png"))
    body = anthropic_body(
        call(
            said(Role.SYSTEM, TextPart(text="be brief")),
            said(Role.USER, *parts),
            said(Role.ASSISTANT, TextPart(text="hm"), CALL),
            said(Role.TOOL, ToolResultPart(call_id="c1", text="no", is_error=True)),
            temperature=0.0,
            tools=(Tool(name="t"),),
        )
    )
    assert body["system"] == "be brief"
    assert body["temperature"] == 0.0
    assert body["tools"] == [{"name": "t", "input_schema": {"type": "object"}}]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "no", "is_error": True}
    use = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"place": "Paris"}}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "look"}, image]},
        {"role": "assistant", "content": [{"type": "text", "text": "hm"}, use]},
        {"role": "user", "content": [result]},
    ]


def test_sampling_and_tool_choice_are_in_an_openai_body() -> None:
    """Under their names there."""
    body = openai_body(
        call(
            top_p=0.0,
            presence_penalty=0.0,
            frequency_penalty=-1.0,
            tools=(Tool(name="t", strict=True),),
            tool_choice=ToolChoice(name="t"),
            parallel_tool_calls=False,
            response_format=ResponseFormat(json_schema={"type": "object"}, strict=False),
        ),
        at_vendor=False,
    )
    assert (body["top_p"], body["presence_penalty"], body["frequency_penalty"]) == (0.0, 0.0, -1.0)
    assert body["tools"] == [{"type": "function", "function": {"name": "t", "strict": True}}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "t"}}
    assert body["parallel_tool_calls"] is False
    assert body["response_format"]["json_schema"]["strict"] is False
    assert openai_body(call(tool_choice=ToolChoice(use=ToolUse.NONE)), at_vendor=False)["tool_choice"] == "none"


@pytest.mark.parametrize(
    ("choice", "parallel", "said"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(use=ToolUse.AUTO), True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice(use=ToolUse.REQUIRED), None, {"type": "any"}),
        (ToolChoice(use=ToolUse.NONE), False, {"type": "none"}),
        (ToolChoice(name="t"), None, {"type": "tool", "name": "t"}),
    ],
)
def test_tool_choice_is_in_an_anthropic_body(
    choice: ToolChoice | None, parallel: bool | None, said: dict[str, Any] | None
) -> None:
    """With whether one answer may call several tools."""
    body = anthropic_body(call(tools=(Tool(name="t", strict=True),), tool_choice=choice, parallel_tool_calls=parallel))
    assert body.get("tool_choice") == said
    assert body["tools"] == [{"name": "t", "input_schema": {"type": "object"}, "strict": True}]


def test_sampling_goes_to_anthropic_beside_the_sdks_arguments() -> None:
    """Earlier models take it under the API's earlier version; the SDK has no argument for it any more."""
    body = anthropic_body(call(temperature=0.5, top_p=0.0, top_k=0))
    sampling = {"temperature": 0.5, "top_p": 0.0, "top_k": 0}
    assert body == {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}], **sampling}
    arguments = AnthropicClient("k", None)._arguments(body)
    assert arguments["extra_body"] == sampling
    assert arguments["extra_headers"] == {"anthropic-version": "2023-06-01"}
    assert not set(sampling) & set(arguments)


def test_a_prompt_is_plain_text_on_the_wire() -> None:
    """Some servers know no lists of parts."""
    asked = ModelCall(
        model=model(ModelProvider.OPENAI, "m"),
        request=prompt_request("hi", system="be brief"),
        max_output_tokens=9,
        timeout=None,
    )
    messages = openai_body(asked, at_vendor=False)["messages"]
    assert messages == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]


def test_importing_the_adapters_imports_no_sdk() -> None:
    """Only a call does."""
    code = (
        "import sys\n"
        "from model_orchestrator.infrastructure.providers import anthropic_client, lean_client, openai_client\n"
        "openai_client.OpenAIClient('k', None); anthropic_client.AnthropicClient('k', None)\n"
        "lean_client.LeanOpenAIClient('k', None); lean_client.LeanAnthropicClient('k', None)\n"
        "print(sorted({'openai', 'anthropic', 'httpx2', 'pydantic', 'aiohttp', 'msgspec', 'yarl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
