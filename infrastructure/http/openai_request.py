"""A Chat Completions body in the orchestrator's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...domain.request import (
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
)
from . import openai_body as sent
from .body import check_depth, decoded, image_of_url, labels, pseudonym, refuse, run_options, texts
from .tools import check_names, check_results, checked_choice, tool
from .wire import Asked

SpokenPart = sent.Text | sent.Image | sent.Refusal


def openai_asked(body: bytes) -> Asked:
    """The request of a body. Raises InvalidRequest."""
    given = decoded(sent.DECODER, body, sent.EXPECTED)
    _check_honoured(given)
    messages = tuple(_message(f"messages[{index}]", one) for index, one in enumerate(given.messages))
    if all(message.role is Role.SYSTEM for message in messages):
        refuse("messages", "expected a message of role user beside the system's")
    check_results(messages)
    user = given.safety_identifier or given.user
    options = run_options(
        given.orchestration,
        subject=pseudonym(user),
        tags=labels("metadata", given.metadata or {}),
    )
    return Asked(
        model=given.model,
        request=Request(messages=messages, parameters=_parameters(given)),
        stream=bool(given.stream),
        include_usage=bool(given.stream_options and given.stream_options.include_usage),
        options=options,
    )


def _check_honoured(given: sent.Body) -> None:
    """No field asks for another answer than can be given."""
    for name in sent.REFUSED:
        if getattr(given, name) is not None:
            refuse(name, "it cannot be honoured here: leave it out")
    if given.n not in (None, 1):
        refuse("n", "expected 1: ask again for another answer, or use the strategy ensemble")
    if given.logprobs or given.top_logprobs:
        refuse("logprobs" if given.logprobs else "top_logprobs", "log-probabilities are not handed on: leave it out")
    if given.logit_bias:
        refuse("logit_bias", "it cannot be honoured here: leave it out")
    if given.modalities not in (None, ["text"]):
        refuse("modalities", 'expected ["text"]')


def _parameters(given: sent.Body) -> Parameters:
    tools = tuple(_tool(f"tools[{index}].function", one.function) for index, one in enumerate(given.tools or ()))
    check_names(tools)
    limits = {given.max_tokens, given.max_completion_tokens} - {None}
    if len(limits) > 1:
        refuse("max_tokens", "it differs from max_completion_tokens: give one of them")
    return Parameters(
        temperature=given.temperature,
        max_tokens=limits.pop() if limits else None,
        stop=_stop(given.stop),
        seed=given.seed,
        response_format=_response_format(given.response_format),
        tools=tools,
        top_p=given.top_p,
        presence_penalty=given.presence_penalty,
        frequency_penalty=given.frequency_penalty,
        tool_choice=checked_choice("tool_choice", _tool_choice(given.tool_choice), tools),
        parallel_tool_calls=given.parallel_tool_calls if tools else None,
    )


def _stop(given: str | list[str] | None) -> tuple[str, ...]:
    words = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    if "" in words:
        refuse("stop", "a stop sequence is empty")
    return words


def _response_format(given: sent.AnyText | sent.JsonObject | sent.JsonSchema | None) -> ResponseFormat | None:
    """A description that stands beside a schema goes into it."""
    if given is None or isinstance(given, sent.AnyText):
        return None
    if isinstance(given, sent.JsonObject):
        return ResponseFormat()
    wanted = given.json_schema
    path = "response_format.json_schema.schema"
    if wanted.schema is None:
        refuse(path, "this field is required")
    check_depth(path, wanted.schema)
    described = {"description": wanted.description, **wanted.schema} if wanted.description else wanted.schema
    return ResponseFormat(name=wanted.name, json_schema=described, strict=bool(wanted.strict))


def _tool(path: str, given: sent.Function) -> Tool:
    return tool(path, given.name, given.description, given.parameters, strict=given.strict)


def _tool_choice(given: str | sent.NamedTool | None) -> ToolChoice | None:
    if isinstance(given, sent.NamedTool):
        return ToolChoice(name=given.function.name)
    return None if given is None else ToolChoice(use=ToolUse(given))


def _message(path: str, given: sent.System | sent.Developer | sent.User | sent.Assistant | sent.ToolResult) -> Message:
    if isinstance(given, sent.ToolResult):
        text = "".join(_strings(given.content))
        return Message(role=Role.TOOL, parts=(ToolResultPart(call_id=given.tool_call_id, text=text),))
    for name in sent.REFUSED_OF_MESSAGES:
        if getattr(given, name, None) is not None:
            refuse(f"{path}.{name}", "it cannot be honoured here: leave it out")
    if isinstance(given, sent.Assistant):
        return Message(role=Role.ASSISTANT, parts=_said(path, given))
    role = Role.USER if isinstance(given, sent.User) else Role.SYSTEM
    return Message(role=role, parts=tuple(_parts(f"{path}.content", given.content)))


def _said(path: str, given: sent.Assistant) -> tuple[Part, ...]:
    """An earlier answer: its text, or its refusal, then its tool calls."""
    said = given.content or given.refusal or ()
    calls = [_call(call) for call in given.tool_calls or ()]
    spoken = [text for text in _strings(said) if text]
    return (*(texts(f"{path}.content", spoken) if spoken or not calls else ()), *calls)


def _call(given: sent.ToolCall) -> ToolCallPart:
    return ToolCallPart(id=given.id, name=given.function.name, arguments=given.function.arguments)


def _strings(content: str | Sequence[sent.Text | sent.Refusal]) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for part in content:
        yield part.text if isinstance(part, sent.Text) else part.refusal


def _parts(path: str, content: str | Sequence[sent.Text | sent.Image]) -> list[TextPart | ImagePart]:
    if isinstance(content, str):
        return [*texts(path, [content])]
    parts = [_part(f"{path}[{index}]", part) for index, part in enumerate(content)]
    if not any(isinstance(part, ImagePart) or part.text.strip() for part in parts):
        refuse(path, "it is empty")
    return [part for part in parts if isinstance(part, ImagePart) or part.text]


def _part(path: str, part: sent.Text | sent.Image) -> TextPart | ImagePart:
    if isinstance(part, sent.Text):
        return TextPart(text=part.text)
    if part.image_url.detail not in (None, "auto"):
        refuse(f"{path}.image_url.detail", "expected auto: another one cannot be honoured here")
    return image_of_url(f"{path}.image_url.url", part.image_url.url)
