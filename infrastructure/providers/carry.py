"""What a wire protocol can carry: an adapter rejects the rest before any contact, and never drops it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ...application.ports import ModelCall
from ...domain.call_planning import features_asked
from ...domain.errors import InvalidRequest
from ...domain.request import ImagePart, Message, Role, TextPart, ToolCallPart, ToolResultPart

_ALLOWED: dict[Role, tuple[type, ...]] = {
    Role.SYSTEM: (TextPart,),
    Role.USER: (TextPart, ImagePart),
    Role.ASSISTANT: (TextPart, ToolCallPart),
    Role.TOOL: (ToolResultPart,),
}

_NAMES: dict[type, str] = {
    TextPart: "text",
    ImagePart: "an image",
    ToolCallPart: "a tool call",
    ToolResultPart: "a tool result",
}


def reject(who: str, what: str) -> NoReturn:
    """Refuse the request by name: nothing was sent. Raises InvalidRequest."""
    raise InvalidRequest(f"{who} cannot carry {what}; nothing was sent")


def check(call: ModelCall) -> None:
    """The parts are where both protocols have a place for them, and the model has the features asked for."""
    for feature in sorted(features_asked(call.request) - call.model.carries):
        reject(call.model.name, f"what the request asks for: {feature.value}")
    if not any(message.role is not Role.SYSTEM for message in call.request.messages):
        reject(call.model.name, "a request without a user message")
    for message in call.request.messages:
        _check_message(message, call.model.name)


def _check_message(message: Message, model: str) -> None:
    """Each part may stand in its role, and an image says what it is."""
    if not message.parts:
        reject(model, f"an empty {message.role} message")
    for part in message.parts:
        if not isinstance(part, _ALLOWED[message.role]):
            reject(model, f"{_NAMES[type(part)]} in a {message.role} message")
        if isinstance(part, ImagePart):
            _check_image(part, model)


def _check_image(part: ImagePart, model: str) -> None:
    """Data with its media type, or a URL; exactly one of the two."""
    if (part.data is None) == (part.url is None):
        reject(model, "an image without exactly one of data and url")
    if part.data is not None and not part.media_type:
        reject(model, "image data without its media type")


def json_arguments(part: ToolCallPart, model: str) -> dict[str, Any]:
    """The arguments of an earlier tool call as an object, for a protocol that carries no bare text."""
    try:
        arguments = json.loads(part.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        reject(model, f"the arguments of tool call {part.id}: they are no JSON object")
    return arguments
