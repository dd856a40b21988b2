"""Messages as Anthropic's server speaks it."""

from __future__ import annotations

import json
from typing import Any

from ...domain.finish import FinishReason
from ...domain.pricing import Usage
from ...domain.request import ResponseFormat, Tool, ToolChoice, ToolUse
from ..providers.simulated_text import Asked, pieces
from .faults import Fault
from .protocol import REFUSAL_TEXT, BadBody, Protocol, Reply, limit, need, only, strings, texts

_KNOWN = frozenset(
    {
        "model", "messages", "max_tokens", "system", "temperature", "top_p", "top_k", "stop_sequences", "output_config",
        "tools", "tool_choice", "stream", "metadata", "thinking", "service_tier",
    }
)  # fmt: skip
_TOOL_USES = {"auto": ToolUse.AUTO, "any": ToolUse.REQUIRED, "none": ToolUse.NONE}
_STOP = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
}
_FAILURES = {
    Fault.RATE_LIMIT: (429, "rate_limit_error", "This request would exceed your rate limit"),
    Fault.QUOTA: (402, "billing_error", "Your credit balance is too low to access the API"),
    Fault.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    Fault.SERVER_ERROR: (500, "api_error", "Internal server error"),
    Fault.AUTH: (401, "authentication_error", "invalid x-api-key"),
    Fault.BAD_REQUEST: (400, "invalid_request_error", "messages: invalid"),
    Fault.NOT_FOUND: (404, "not_found_error", "model: not found"),
    Fault.TOO_LARGE: (413, "request_too_large", "Request exceeds the maximum size"),
    Fault.UNPROCESSABLE: (422, "invalid_request_error", "The request cannot be processed"),
    Fault.CONTEXT_WINDOW: (400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
}


class AnthropicProtocol(Protocol):
    """`POST /v1/messages`."""

    def asked(self, body: dict[str, Any]) -> Asked:
        """The request in the simulator's words."""
        only(body, _KNOWN)
        messages = need(body, "messages", list)
        if not messages:
            raise BadBody("messages: at least one message is required")
        spoken = [(_role(message), *texts(message.get("content"))) for message in messages]
        system = texts(body["system"])[0] if body.get("system") is not None else []
        results = _tool_results(messages[-1])
        users = [found for role, found, _ in spoken if role == "user"]
        return Asked(
            model=need(body, "model", str),
            prompt="\n".join(users[-1]) if users else "",
            conversation="\n".join([*system, *(text for _, found, _ in spoken for text in found)]),
            messages=len(messages) + len(system),
            images=sum(images for _, _, images in spoken),
            max_tokens=limit(need(body, "max_tokens", int), "max_tokens") or 1,
            stop=strings(body.get("stop_sequences"), "stop_sequences"),
            tools=tuple(_tool(tool) for tool in body.get("tools") or ()),
            tool_result="\n".join(results) if results else None,
            tool_choice=_tool_choice(need(body, "tool_choice", dict, optional=True)),
            response_format=_response_format(body.get("output_config")),
        )

    def whole(self, reply: Reply) -> dict[str, Any]:
        """The reply in one piece."""
        return {**_message(reply), "content": _blocks(reply), "stop_reason": _stop(reply), **_usage(reply.usage)}

    def events(self, reply: Reply) -> list[str]:
        """The reply as named events; input counts come first, output counts last."""
        start = {**_message(reply), "content": [], "stop_reason": None, **_usage(reply.usage, output=False)}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
        for index, block in enumerate(_blocks(reply)):
            events += _block_events(index, block)
        delta = {"type": "message_delta", "delta": {"stop_reason": _stop(reply), "stop_sequence": None}}
        events.append({**delta, **_usage(reply.usage)})
        return [_event(event) for event in (*events, {"type": "message_stop"})]

    def error(self, status: int, kind: str, message: str) -> dict[str, Any]:
        """Anthropic's error body."""
        if kind == "invalid_request":
            kind = "invalid_request_error"
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_simulated"}

    def error_event(self) -> str:
        """The provider is overloaded after the answer began."""
        return _event(self.error(529, "overloaded_error", "Overloaded"))

    def failure(self, fault: Fault) -> tuple[int, str, str]:
        """How Anthropic words it."""
        return _FAILURES[fault]


def _event(event: dict[str, Any]) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _role(message: Any) -> str:
    if not isinstance(message, dict):
        raise BadBody("messages: expected objects")
    role: str = need(message, "role", str)
    if role not in ("user", "assistant"):
        raise BadBody(f"messages: unexpected role {role!r}")
    return role


def _tool_results(message: dict[str, Any]) -> list[str]:
    """What tools said in a message."""
    content = message.get("content")
    if not isinstance(content, list):
        return []
    return [text for part in content if part.get("type") == "tool_result" for text in texts(part.get("content", ""))[0]]


def _tool(tool: Any) -> Tool:
    if not isinstance(tool, dict):
        raise BadBody("tools: expected objects")
    schema = need(tool, "input_schema", dict)
    if schema.get("type") != "object":
        raise BadBody("tools: input_schema.type must be object")
    return Tool(name=need(tool, "name", str), description=tool.get("description") or "", parameters=schema)


def _tool_choice(value: dict[str, Any] | None) -> ToolChoice | None:
    if value is None:
        return None
    kind = need(value, "type", str)
    if kind == "tool":
        return ToolChoice(name=need(value, "name", str))
    if kind not in _TOOL_USES:
        raise BadBody("tool_choice.type: expected auto, any, tool or none")
    return ToolChoice(use=_TOOL_USES[kind])


def _response_format(value: Any) -> ResponseFormat | None:
    wanted = value.get("format") if isinstance(value, dict) else None
    return ResponseFormat(json_schema=wanted.get("schema")) if isinstance(wanted, dict) else None


def _stop(reply: Reply) -> str:
    return "refusal" if reply.refusal else _STOP[reply.written.finish]


def _message(reply: Reply) -> dict[str, Any]:
    head = {"id": f"msg_{reply.id}", "type": "message", "role": "assistant"}
    return {**head, "model": reply.asked.model, "stop_sequence": None}


def _blocks(reply: Reply) -> list[dict[str, Any]]:
    """Text, then tool calls."""
    text = REFUSAL_TEXT if reply.refusal else reply.written.text
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    for call in reply.written.tool_calls:
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)})
    return blocks


def _block_events(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    """A block's start, its pieces and its stop."""
    if block["type"] == "text":
        empty: dict[str, Any] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    else:
        empty = {**block, "input": {}}
        text = json.dumps(block["input"])
        halves = ("", text[: len(text) // 2], text[len(text) // 2 :])
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in halves]
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _usage(usage: Usage | None, *, output: bool = True) -> dict[str, Any]:
    """Exclusive input counts; of a stream's first event, the output has only begun."""
    if usage is None:
        return {}
    counts: dict[str, Any] = {
        "input_tokens": usage.input_uncached,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
        "output_tokens": usage.output_tokens if output else 1,
    }
    if output and usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return {"usage": counts}
