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
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

PART_TAGS: dict[str, type[Any]] = {
    "text": TextPart,
    "image": ImagePart,
    "tool_call": ToolCallPart,
    "tool_result": ToolResultPart,
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
    return _json({"messages": message_refs, "parameters": msgspec.to_builtins(parameters)})


def request_json(request: Request, facts: Sequence[str]) -> str:
    """A request in one text, with more facts about it; a parameter that is not set leaves no trace."""
    given = msgspec.to_builtins(request.parameters).items()
    parameters = {name: value for name, value in given if value is not None and value != []}
    return _json([[message_json(message) for message in request.messages], parameters, facts])


def manifest_from_json(text: str) -> tuple[list[str], Parameters]:
    """What `manifest_json` wrote."""
    fields = msgspec.json.decode(text)
    return fields["messages"], msgspec.convert(fields["parameters"], Parameters)


def _part(fields: dict[str, Any]) -> Part:
    part: Part = msgspec.convert(fields, PART_TAGS[fields.pop("type")])
    return part


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
