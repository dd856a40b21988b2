"""A call as a Chat Completions body. Source: openai 3.57.0, types/chat/completion_create_params.py (2026-11-24)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...application.ports import ModelCall
from ...domain.catalogue import Feature
from ...domain.request import (
    ImagePart,
    Message,
    Parameters,
    Part,
    ResponseFormat,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from .carry import reject

MAX_STOPS = 4  # at OpenAI
WHO = "OpenAI's protocol"


def openai_body(call: ModelCall, *, at_vendor: bool) -> dict[str, Any]:
    """The body without `stream`. Raises InvalidRequest for what Chat Completions cannot carry.

    OpenAI's reasoning models take only `max_completion_tokens`, and all its models take it; other servers know
    `max_tokens` for certain.
    """
    parameters = call.request.parameters
    limit = "max_completion_tokens" if at_vendor else "max_tokens"
    if at_vendor and len(parameters.stop) > MAX_STOPS:
        reject(WHO, f"{len(parameters.stop)} stop sequences (at most {MAX_STOPS})")
    body: dict[str, Any] = {
        "model": call.model.api_id,
        "messages": [spoken for message in call.request.messages for spoken in _messages(message)],
        limit: call.max_output_tokens,
        **_parameters(parameters),
    }
    if at_vendor:
        body["service_tier"] = "default"  # unset, a project's setting could double the price above what was held
    if Feature.LOGPROBS in call.model.features:
        body["logprobs"] = True
    return body


def _parameters(parameters: Parameters) -> dict[str, Any]:
    """The parameters that are set, under this protocol's names."""
    if parameters.top_k is not None:
        reject(WHO, "top_k")
    named = {
        "temperature": parameters.temperature,
        "seed": parameters.seed,
        "stop": list(parameters.stop) or None,
        "response_format": parameters.response_format and _response_format(parameters.response_format),
        "tools": [_tool(tool) for tool in parameters.tools] or None,
        "top_p": parameters.top_p,
        "presence_penalty": parameters.presence_penalty,
        "frequency_penalty": parameters.frequency_penalty,
        "tool_choice": parameters.tool_choice and _tool_choice(parameters.tool_choice),
        "parallel_tool_calls": parameters.parallel_tool_calls,
    }
    return {name: value for name, value in named.items() if value is not None}


def _response_format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.json_schema is None:
        return {"type": "json_object"}
    kept = {"name": wanted.name, "schema": wanted.json_schema, "strict": wanted.strict}
    return {"type": "json_schema", "json_schema": kept}


def _tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.name is None:
        return choice.use.value
    return {"type": "function", "function": {"name": choice.name}}


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = tool.parameters
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _messages(message: Message) -> list[dict[str, Any]]:
    """One message, or one for each tool result."""
    if message.role is Role.TOOL:
        return [_tool_result(part) for part in message.parts if isinstance(part, ToolResultPart)]
    spoken: dict[str, Any] = {"role": message.role.value}
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    content = [part for part in message.parts if not isinstance(part, ToolCallPart)]
    if calls:
        if tuple(message.parts) != (*content, *calls):
            reject(WHO, "text after a tool call in one message")
        spoken["tool_calls"] = [_tool_call(call) for call in calls]
    if content:
        spoken["content"] = _content(content)
    return [spoken]


def _content(parts: Sequence[Part]) -> str | list[dict[str, Any]]:
    """Plain text where one part is all there is: some servers know nothing else."""
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return [_content_part(part) for part in parts]


def _content_part(part: Part) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return {"type": "image_url", "image_url": {"url": url}}
    assert isinstance(part, TextPart)
    return {"type": "text", "text": part.text}


def _tool_call(call: ToolCallPart) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tool_result(result: ToolResultPart) -> dict[str, Any]:
    if result.is_error:
        reject(WHO, "the error mark of a tool result; say in its text that the tool failed")
    return {"role": "tool", "tool_call_id": result.call_id, "content": result.text}
