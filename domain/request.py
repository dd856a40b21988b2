"""What a caller asks: messages with typed parts, and the parameters of the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """An image: base64 `data` with its `media_type`, or a `url`; exactly one of the two."""

    data: str | None = None
    media_type: str | None = None  # such as image/png
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallPart:
    """A model asks for a tool; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResultPart:
    """What a tool answered to the call `call_id`."""

    call_id: str
    text: str
    is_error: bool = False


Part = TextPart | ImagePart | ToolCallPart | ToolResultPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined by line ends."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function the model may call; `parameters` is a JSON schema, which a strict one's arguments always keep."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    strict: bool = False


class ToolUse(StrEnum):
    """Whether a model calls tools."""

    AUTO = "auto"  # as it likes: what no choice means, too
    NONE = "none"
    REQUIRED = "required"  # one or more, whichever


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """Which tools a model calls: as `use` says, or the one of that `name`."""

    use: ToolUse = ToolUse.REQUIRED
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFormat:
    """The shape asked for: any JSON object, or one that keeps `json_schema`."""

    name: str = "answer"
    json_schema: dict[str, Any] | None = None
    strict: bool = True  # kept for certain, where the protocol leaves the choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How to answer; None leaves a parameter to the provider's default."""

    temperature: float | None = None
    max_tokens: int | None = None  # of output
    stop: tuple[str, ...] = ()
    seed: int | None = None
    response_format: ResponseFormat | None = None
    tools: tuple[Tool, ...] = ()
    top_p: float | None = None  # 0..1
    top_k: int | None = None
    presence_penalty: float | None = None  # -2..2
    frequency_penalty: float | None = None  # -2..2
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None  # False: at most one tool call an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A conversation to be continued."""

    messages: tuple[Message, ...]
    parameters: Parameters = Parameters()

    @property
    def prompt(self) -> str:
        """The text of the user's last message: what an assessment reads."""
        for message in reversed(self.messages):
            if message.role is Role.USER and message.text:
                return message.text
        return ""


def prompt_request(prompt: str, *, system: str | None = None, parameters: Parameters = Parameters()) -> Request:
    """A request of one user message, after a system message where given."""
    turns = [(Role.SYSTEM, system)] if system else []
    turns.append((Role.USER, prompt))
    return Request(
        messages=tuple(Message(role=role, parts=(TextPart(text=text or ""),)) for role, text in turns),
        parameters=parameters,
    )
