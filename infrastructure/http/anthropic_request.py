"""A Messages body in the orchestrator's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

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
from . import anthropic_body as sent
from .body import check_depth, decoded, image_of_data, image_of_url, pseudonym, refuse, run_options, texts
from .tools import check_names, check_results, checked_choice, tool
from .wire import Asked

_ROLES: dict[type, Role] = {sent.User: Role.USER, sent.Assistant: Role.ASSISTANT, sent.System: Role.SYSTEM}
_USES = {"auto": ToolUse.AUTO, "any": ToolUse.REQUIRED, "none": ToolUse.NONE}


def anthropic_asked(body: bytes) -> Asked:
    """The request of a body. Raises InvalidRequest."""
    given = decoded(sent.DECODER, body, sent.EXPECTED)
    _check_honoured(given)
    messages = [turn for index, one in enumerate(given.messages) for turn in _turns(f"messages[{index}]", one)]
    if all(message.role is Role.SYSTEM for message in messages):
        refuse("messages", "expected a message of role user beside the system's")
    check_results(messages)
    if given.system:
        messages.insert(0, Message(role=Role.SYSTEM, parts=tuple(texts("system", list(_strings(given.system))))))
    user = given.metadata.user_id if given.metadata else None
    return Asked(
        model=given.model,
        request=Request(messages=tuple(messages), parameters=_parameters(given)),
        stream=bool(given.stream),
        include_usage=True,  # every stream of this protocol tells it
        options=run_options(given.orchestration, subject=pseudonym(user), tags={}),
    )


def _check_honoured(given: sent.Body) -> None:
    """No field asks for another answer than can be given."""
    for name in sent.REFUSED:
        if getattr(given, name) is not None:
            refuse(name, "it cannot be honoured here: leave it out")
    if given.output_config is not None and given.output_config.effort is not None:
        refuse("output_config.effort", "it cannot be honoured here: leave it out")
    for index, one in enumerate(given.tools or ()):
        if one.input_examples:
            refuse(f"tools[{index}].input_examples", "they cannot be honoured here: put them into the description")


def _parameters(given: sent.Body) -> Parameters:
    tools = tuple(_tool(f"tools[{index}]", one) for index, one in enumerate(given.tools or ()))
    check_names(tools)
    stop = tuple(given.stop_sequences or ())
    if "" in stop:
        refuse("stop_sequences", "a stop sequence is empty")
    disabled = given.tool_choice.disable_parallel_tool_use if given.tool_choice and tools else None
    return Parameters(
        temperature=given.temperature,
        max_tokens=given.max_tokens,
        stop=stop,
        response_format=_response_format(given),
        tools=tools,
        top_p=given.top_p,
        top_k=given.top_k,
        tool_choice=checked_choice("tool_choice", _tool_choice(given.tool_choice), tools),
        parallel_tool_calls=None if disabled is None else not disabled,
    )


def _response_format(given: sent.Body) -> ResponseFormat | None:
    wanted = (given.output_config and given.output_config.format) or given.output_format
    if wanted is None:
        return None
    check_depth("output_config.format.schema", wanted.schema)
    return ResponseFormat(json_schema=wanted.schema)


def _tool(path: str, given: sent.Tool) -> Tool:
    return tool(path, given.name, given.description, given.input_schema, strict=given.strict)


def _tool_choice(given: sent.Choice | None) -> ToolChoice | None:
    if given is None:
        return None
    if given.type != "tool":
        return ToolChoice(use=_USES[given.type])
    if given.name is None:
        refuse("tool_choice.name", "this field is required")
    return ToolChoice(name=given.name)


def _turns(path: str, given: sent.User | sent.Assistant | sent.System) -> Iterator[Message]:
    """The message; one of the user's in several, where tool results and words are mixed."""
    content, role = given.content, _ROLES[type(given)]
    if isinstance(content, str):
        yield Message(role=role, parts=tuple(texts(f"{path}.content", [content])))
        return
    parts = [_part(f"{path}.content[{index}]", block) for index, block in enumerate(content)]
    parts = [part for part in parts if not isinstance(part, TextPart) or part.text]
    if not any(not isinstance(part, TextPart) or part.text.strip() for part in parts):
        refuse(f"{path}.content", "it is empty")
    if not isinstance(given, sent.User):
        yield Message(role=role, parts=tuple(parts))
        return
    for is_result, group in groupby(parts, key=lambda part: isinstance(part, ToolResultPart)):
        yield Message(role=Role.TOOL if is_result else Role.USER, parts=tuple(group))


def _part(path: str, block: sent.Text | sent.Image | sent.Use | sent.Result) -> Part:
    match block:
        case sent.Text():
            return TextPart(text=block.text)
        case sent.Image():
            return _image(f"{path}.source", block.source)
        case sent.Use():
            check_depth(f"{path}.input", block.input)
            return ToolCallPart(id=block.id, name=block.name, arguments=msgspec.json.encode(block.input).decode())
        case sent.Result():
            text = "".join(_strings(block.content or ""))
            return ToolResultPart(call_id=block.tool_use_id, text=text, is_error=bool(block.is_error))


def _image(path: str, source: sent.Base64 | sent.Address) -> ImagePart:
    if isinstance(source, sent.Base64):
        return image_of_data(f"{path}.data", source.media_type, source.data)
    return image_of_url(f"{path}.url", source.url)


def _strings(content: str | Sequence[sent.Text]) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for block in content:
        yield block.text
