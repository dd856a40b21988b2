"""A call as a Messages body. Source: anthropic 2.13.0, types/message_create_params.py (2026-11-24)."""

from __future__ import annotations

from typing import Any

from ...application.ports import ModelCall
from ...domain.request import (
    ImagePart,
    Message,
    Parameters,
    Part,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    ToolUse,
)
from .carry import json_arguments, reject

MAX_TEMPERATURE = 1.0
SAMPLING = ("temperature", "top_p", "top_k")
# Of the API. The newer refuses sampling whatever the model; under the older, models before Claude 4.7 take it.
# Source: Anthropic's API reference, "Versions" (2026-11-29); anthropic 2.13.0 sends the newer.
VERSION, VERSION_WITH_SAMPLING = "2026-10-21", "2023-06-01"
WHO = "Anthropic's protocol"


def anthropic_body(call: ModelCall) -> dict[str, Any]:
    """The body without `stream`. Raises InvalidRequest for what Messages cannot carry."""
    messages = call.request.messages
    system = [message for message in messages if message.role is Role.SYSTEM]
    if list(messages[: len(system)]) != system:
        reject(WHO, "a system message after the first other message")
    body: dict[str, Any] = {
        "model": call.model.api_id,
        "max_tokens": call.max_output_tokens,
        "messages": [_message(message, call.model.name) for message in messages[len(system) :]],
        **_parameters(call.request.parameters),
    }
    if system:
        body["system"] = _content([part for message in system for part in message.parts], call.model.name)
    return body


def version_of(body: dict[str, Any]) -> str:
    """The version of the API that takes the body."""
    return VERSION_WITH_SAMPLING if any(name in body for name in SAMPLING) else VERSION


def _parameters(parameters: Parameters) -> dict[str, Any]:
    """The parameters that are set, under this protocol's names."""
    if parameters.seed is not None:
        reject(WHO, "a seed")
    if parameters.presence_penalty or parameters.frequency_penalty:
        reject(WHO, "a presence or frequency penalty")
    if parameters.temperature is not None and parameters.temperature > MAX_TEMPERATURE:
        reject(WHO, f"temperature {parameters.temperature} (at most {MAX_TEMPERATURE})")
    named = {
        **{name: getattr(parameters, name) for name in SAMPLING},
        "stop_sequences": list(parameters.stop) or None,
        "output_config": _output_config(parameters),
        "tools": [_tool(tool) for tool in parameters.tools] or None,
        "tool_choice": _tool_choice(parameters),
    }
    return {name: value for name, value in named.items() if value is not None}


def _output_config(parameters: Parameters) -> dict[str, Any] | None:
    wanted = parameters.response_format
    if wanted is None:
        return None
    if wanted.json_schema is None:
        reject(WHO, "a response format without a schema")
    return {"format": {"type": "json_schema", "schema": wanted.json_schema}}


def _tool_choice(parameters: Parameters) -> dict[str, Any] | None:
    """Also says whether one answer may call several tools; without tools there is nothing to say."""
    choice, parallel = parameters.tool_choice, parameters.parallel_tool_calls
    if not parameters.tools or (choice is None and parallel is None):
        return None
    chosen: dict[str, Any] = _chosen(choice or ToolChoice(use=ToolUse.AUTO))
    if parallel is None or chosen["type"] == "none":
        return chosen
    return {**chosen, "disable_parallel_tool_use": not parallel}


def _chosen(choice: ToolChoice) -> dict[str, Any]:
    if choice.name is not None:
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice.use is ToolUse.REQUIRED else choice.use.value}


def _tool(tool: Tool) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool.name, "input_schema": {"type": "object", **tool.parameters}}
    if tool.description:
        described["description"] = tool.description
    if tool.strict:
        described["strict"] = True
    return described


def _message(message: Message, model: str) -> dict[str, Any]:
    """Tool results are spoken by the user here."""
    role = Role.USER if message.role is Role.TOOL else message.role
    return {"role": role.value, "content": _content(list(message.parts), model)}


def _content(parts: list[Part], model: str) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return [_block(part, model) for part in parts]


def _block(part: Part, model: str) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image", "source": _source(part)}
        case ToolCallPart():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": json_arguments(part, model)}
        case ToolResultPart():
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": part.call_id, "content": part.text}
            return {**result, "is_error": True} if part.is_error else result


def _source(part: ImagePart) -> dict[str, Any]:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}
