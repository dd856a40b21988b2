"""The body of Chat Completions as clients send it. Source: openai 3.57.0, types/chat (2026-11-24).

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
Count = Annotated[int, Meta(ge=1, le=10**9)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]


class Text(Struct, tag="text", forbid_unknown_fields=True):
    """Text of a message."""

    text: str
    prompt_cache_breakpoint: Ignored = None


class Refusal(Struct, tag="refusal", forbid_unknown_fields=True):
    """An earlier answer's refusal."""

    refusal: str


class ImageUrl(Struct, forbid_unknown_fields=True):
    """Where an image is, or its data."""

    url: str
    detail: str | None = None


class Image(Struct, tag="image_url", forbid_unknown_fields=True):
    """An image of a message."""

    image_url: ImageUrl
    prompt_cache_breakpoint: Ignored = None


class Called(Struct, forbid_unknown_fields=True):
    """The function of a tool call; `arguments` is JSON text."""

    name: str
    arguments: str = ""


class ToolCall(Struct, forbid_unknown_fields=True):
    """A tool call of an earlier answer."""

    id: str
    function: Called
    type: Literal["function"] = "function"
    index: Ignored = None


class System(Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    """What the system says."""

    content: str | list[Text]
    name: Refused = None


class Developer(System, tag_field="role", tag="developer", forbid_unknown_fields=True):
    """The same under its newer name."""


class User(Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    """What the user says."""

    content: str | list[Text | Image]
    name: Refused = None


class Assistant(Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    """An earlier answer; `name`, `audio` and `function_call` are null."""

    content: str | list[Text | Refusal] | None = None
    tool_calls: list[ToolCall] | None = None
    refusal: str | None = None
    name: Refused = None
    audio: Refused = None
    function_call: Refused = None
    annotations: Ignored = None


class ToolResult(Struct, tag_field="role", tag="tool", forbid_unknown_fields=True):
    """What a tool answered."""

    content: str | list[Text]
    tool_call_id: str
    name: Ignored = None  # of the function: the call says it, too


class Function(Struct, forbid_unknown_fields=True):
    """A function that may be called."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Struct, forbid_unknown_fields=True):
    """A tool; those of other kinds are not served."""

    function: Function
    type: Literal["function"] = "function"


class Named(Struct, forbid_unknown_fields=True):
    """A function by its name."""

    name: str


class NamedTool(Struct, forbid_unknown_fields=True):
    """The tool that must be called."""

    function: Named
    type: Literal["function"] = "function"


class AnyText(Struct, tag="text", forbid_unknown_fields=True):
    """No form asked for."""


class JsonObject(Struct, tag="json_object", forbid_unknown_fields=True):
    """Any JSON object."""


class Schema(Struct, forbid_unknown_fields=True):
    """The schema an answer keeps."""

    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class JsonSchema(Struct, tag="json_schema", forbid_unknown_fields=True):
    """JSON of a schema."""

    json_schema: Schema


class StreamOptions(Struct, forbid_unknown_fields=True):
    """What a stream tells beside the answer."""

    include_usage: bool | None = None
    include_obfuscation: Ignored = None


class Body(Struct, forbid_unknown_fields=True):
    """The whole body."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[System | Developer | User | Assistant | ToolResult], Meta(min_length=1)]
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | list[str] | None = None
    response_format: AnyText | JsonObject | JsonSchema | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    orchestration: dict[str, Any] | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, Any] | None = None
    modalities: list[str] | None = None
    audio: Refused = None
    function_call: Refused = None
    functions: Refused = None
    moderation: Refused = None
    reasoning_effort: Refused = None
    verbosity: Refused = None
    web_search_options: Refused = None
    prediction: Ignored = None  # makes it faster only
    prompt_cache_key: Ignored = None
    prompt_cache_options: Ignored = None
    prompt_cache_retention: Ignored = None
    service_tier: Ignored = None  # a provider is always asked for its plain one, whose prices are known
    store: Ignored = None  # by the vendor; the log keeps its own


DECODER = msgspec.json.Decoder(Body)
REFUSED = (
    "audio",
    "function_call",
    "functions",
    "moderation",
    "reasoning_effort",
    "verbosity",
    "web_search_options",
)
REFUSED_OF_MESSAGES = ("name", "audio", "function_call")
EXPECTED: Expected = (
    (re.compile(r"messages\[\d+\]\.role"), "system, developer, user, assistant or tool"),
    (re.compile(r"messages\[\d+\]\.content\[\d+\]\.type"), "text, or image_url where the user speaks"),
    (re.compile(r".*tool.*\.type"), "function"),
    (re.compile(r"response_format\.type"), "text, json_object or json_schema"),
    (re.compile(r"tool_choice"), "auto, none, required or a function"),
)
