"""Requests as JSON texts and back: a manifest that names each message's text, and the messages with tagged parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..domain.request import (
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
    ToolResultPart,
)

PART_TAGS: dict[str, type[Any]] = {
    "text": TextPart,
    "image": ImagePart,
    "tool_call": ToolCallPart,
    "tool_result": ToolResultPart,
}
_LATER: dict[
    type, dict[str, Any]
] = {  # fields that came after the first release, and what they are where a request does not use them
    Parameters: dict.fromkeys(
        ("top_p", "top_k", "presence_penalty", "frequency_penalty", "tool_choice", "parallel_tool_calls")
    ),
    Tool: {"strict": False},
    ResponseFormat: {"strict": True},
}
_TAGS_BY_PART = {part: tag for tag, part in PART_TAGS.items()}


def message_json(message: Message) -> str:
    """One message, each part with its `type`."""
    parts = [{"type": _TAGS_BY_PART[type(part)], **msgspec.to_builtins(part)} for part in message.parts]
    return _json({"role": message.role.value, "parts": parts})


def message_from_json(text: str) -> Message:
    """The message `message_json` wrote."""
    fields = msgspec.json.decode(text)
    return Message(role=Role(fields["role"]), parts=tuple(_part(part) for part in fields["parts"]))


def manifest_json(message_refs: list[str], parameters: Parameters) -> str:
    """A request: where its messages stand, in order, and its parameters."""
    return _json({"messages": message_refs, "parameters": _parameters(parameters)})


def request_json(request: Request, facts: Sequence[str]) -> str:
    """A request in one text, with more facts about it; a parameter that is not set leaves no trace."""
    given = _parameters(request.parameters).items()
    parameters = {name: value for name, value in given if value is not None and value != []}
    return _json([[message_json(message) for message in request.messages], parameters, facts])


def manifest_from_json(text: str) -> tuple[list[str], Parameters]:
    """What `manifest_json` wrote."""
    fields = msgspec.json.decode(text)
    return fields["messages"], msgspec.convert(fields["parameters"], Parameters)


def _parameters(parameters: Parameters) -> dict[str, Any]:
    """The parameters as they were always written; a later field only where it says something."""
    fields = _without_unused(Parameters, msgspec.to_builtins(parameters))
    fields["tools"] = [_without_unused(Tool, tool) for tool in fields["tools"]]
    if fields["response_format"] is not None:
        fields["response_format"] = _without_unused(ResponseFormat, fields["response_format"])
    return fields


def _without_unused(kind: type, fields: dict[str, Any]) -> dict[str, Any]:
    unused = _LATER[kind]
    return {name: value for name, value in fields.items() if name not in unused or value != unused[name]}


def _part(fields: dict[str, Any]) -> Part:
    part: Part = msgspec.convert(fields, PART_TAGS[fields.pop("type")])
    return part


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
