"""The body of Messages as clients send it. Source: anthropic 2.13.0, types (2026-11-24).

A field that is not here is refused by name. What changes nothing about the answer is taken and left alone.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from .body import Expected

Ignored = Any  # changes nothing about the answer
Refused = Any  # cannot be honoured; null is nothing asked


class Text(Struct, tag="text", forbid_unknown_fields=True):
    """Text of a message."""

    text: str
    cache_control: Ignored = None  # changes the price only, and no cache is asked for
    citations: Ignored = None


class Base64(Struct, tag="base64", forbid_unknown_fields=True):
    """An image's data."""

    media_type: str
    data: str


class Address(Struct, tag="url", forbid_unknown_fields=True):
    """An image's address."""

    url: str


class Image(Struct, tag="image", forbid_unknown_fields=True):
    """An image of a message."""

    source: Base64 | Address
    cache_control: Ignored = None


class Use(Struct, tag="tool_use", forbid_unknown_fields=True):
    """A tool call of an earlier answer."""

    id: str
    name: str
    input: dict[str, Any]
    cache_control: Ignored = None
    caller: Ignored = None


class Result(Struct, tag="tool_result", forbid_unknown_fields=True):
    """What a tool answered; images in it are not carried."""

    tool_use_id: str
    content: str | list[Text] | None = None
    is_error: bool | None = None
    cache_control: Ignored = None


class User(Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    """What the user and the tools say."""

    content: str | list[Text | Image | Result]


class Assistant(Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    """An earlier answer, or the beginning of the next."""

    content: str | list[Text | Use]


class System(Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    """What the system says between others."""

    content: str | list[Text]


class Tool(Struct, forbid_unknown_fields=True):
    """A tool that may be called; `input_examples` is null."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: Ignored = None
    eager_input_streaming: Ignored = None
    input_examples: Refused = None
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: Literal[False] | None = None


class Choice(Struct, forbid_unknown_fields=True):
    """Which tool is called."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Format(Struct, forbid_unknown_fields=True):
    """The schema an answer keeps."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Struct, forbid_unknown_fields=True):
    """The form of the answer; `effort` is null."""

    format: Format | None = None
    effort: Refused = None


class Thinking(Struct, forbid_unknown_fields=True):
    """No thinking is asked for."""

    type: Literal["disabled"]


class Metadata(Struct, forbid_unknown_fields=True):
    """About whom the texts are."""

    user_id: str | None = None


class Body(Struct, forbid_unknown_fields=True):
    """The whole body."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[User | Assistant | System], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1, le=10**9)]
    system: str | list[Text] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    stop_sequences: list[str] | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None  # the name it had while it was new
    tools: list[Tool] | None = None
    tool_choice: Choice | None = None
    stream: bool | None = None
    thinking: Thinking | None = None
    metadata: Metadata | None = None
    orchestration: dict[str, Any] | None = None
    container: Refused = None
    context_management: Refused = None
    inference_geo: Refused = None
    mcp_servers: Refused = None
    speed: Literal["standard"] | None = None
    cache_control: Ignored = None
    diagnostics: Ignored = None
    service_tier: Ignored = None  # a provider is always asked for its plain one, whose prices are known


DECODER = msgspec.json.Decoder(Body)
REFUSED = ("container", "context_management", "inference_geo", "mcp_servers")
EXPECTED: Expected = (
    (re.compile(r"messages\[\d+\]\.role"), "user, assistant or system"),
    (
        re.compile(r"messages\[\d+\]\.content\[\d+\]\.type"),
        "text, image or tool_result of the user; text or tool_use of the assistant",
    ),
    (re.compile(r"messages\[\d+\]\.content\[\d+\]\.content\[\d+\]\.type"), "text: no other result is carried"),
    (re.compile(r".*\.source\.type"), "base64 or url"),
    (re.compile(r"system\[\d+\]\.type"), "text"),
    (re.compile(r"tools\[\d+\]\.type"), "custom: a vendor's own tools are not served"),
    (re.compile(r"tool_choice\.type"), "auto, any, none or tool"),
    (re.compile(r"output_(config\.)?format\.type"), "json_schema"),
    (re.compile(r"thinking\.type"), "disabled: thinking cannot be honoured here"),
    (re.compile(r"speed"), "standard"),
    (re.compile(r".*\.allowed_callers\[\d+\]"), "direct"),
    (re.compile(r".*\.defer_loading"), "false"),
)
