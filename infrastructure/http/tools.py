"""What a request says of tools, the same in both protocols: their names, which is called, and what each answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ...domain.request import Message, Tool, ToolCallPart, ToolChoice, ToolResultPart, ToolUse
from .body import check_depth, refuse

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")  # Source: anthropic 2.13.0; OpenAI's are at most 64 (2026-11-24)


def tool(path: str, name: str, description: str | None, schema: dict[str, Any] | None, *, strict: bool | None) -> Tool:
    """A tool whose schema is one of an object. Raises InvalidRequest."""
    parameters = schema or {}
    if not _NAME.fullmatch(name):
        refuse(f"{path}.name", "expected 1 to 128 letters, digits, - and _")
    if parameters.get("type", "object") != "object":
        refuse(f"{path}.parameters" if path.endswith("function") else f"{path}.input_schema", "expected type object")
    check_depth(path, parameters)
    return Tool(name=name, description=description or "", parameters=parameters, strict=bool(strict))


def check_names(tools: Sequence[Tool]) -> None:
    """No two tools have one name. Raises InvalidRequest."""
    seen: set[str] = set()
    for index, one in enumerate(tools):
        if one.name in seen:
            refuse(f"tools[{index}]", "an earlier tool has the same name")
        seen.add(one.name)


def checked_choice(path: str, choice: ToolChoice | None, tools: Sequence[Tool]) -> ToolChoice | None:
    """The choice, where there are tools to choose from. Raises InvalidRequest."""
    if choice is None:
        return None
    if choice.name is not None and all(one.name != choice.name for one in tools):
        refuse(path, "there is no such tool in tools")
    if not tools:
        if choice.use is ToolUse.REQUIRED:
            refuse(path, "there are no tools to call: give tools")
        return None
    return choice


def check_results(messages: Sequence[Message]) -> None:
    """Every result is of a call that came before it. Raises InvalidRequest."""
    called: set[str] = set()
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                called.add(part.id)
            elif isinstance(part, ToolResultPart) and part.call_id not in called:
                refuse("messages", "a tool's result is of no call in the messages before it")
