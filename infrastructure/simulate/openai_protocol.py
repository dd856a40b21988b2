"""Chat Completions as OpenAI's server speaks it."""

from __future__ import annotations

import json
from typing import Any

from ...domain.finish import FinishReason
from ...domain.pricing import Usage
from ...domain.request import ResponseFormat, Tool, ToolCallPart, ToolChoice, ToolUse
from ..providers.simulated_text import Asked, pieces
from .faults import Fault
from .protocol import REFUSAL_TEXT, BadBody, Protocol, Reply, limit, need, only, strings, texts

CREATED = 1_764_000_000  # Unix seconds; fixed, so that a reply is the same each time
_KNOWN = frozenset(
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stop", "response_format",
        "tools", "tool_choice", "stream", "stream_options", "logprobs", "top_logprobs", "top_p", "n", "user",
        "presence_penalty", "frequency_penalty", "parallel_tool_calls", "service_tier", "store", "metadata",
    }
)  # fmt: skip
_FINISH = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
}
_FAILURES = {
    Fault.RATE_LIMIT: (429, "rate_limit_exceeded", "Rate limit reached for requests"),
    Fault.QUOTA: (429, "insufficient_quota", "You exceeded your current quota"),
    Fault.OVERLOADED: (529, "overloaded", "The server is overloaded"),
    Fault.SERVER_ERROR: (500, "server_error", "The server had an error"),
    Fault.AUTH: (401, "invalid_api_key", "Incorrect API key provided"),
    Fault.BAD_REQUEST: (400, "invalid_value", "Invalid value"),
    Fault.NOT_FOUND: (404, "model_not_found", "The model does not exist"),
    Fault.TOO_LARGE: (413, "request_too_large", "The request is too large"),
    Fault.UNPROCESSABLE: (422, "invalid_value", "The request cannot be processed"),
    Fault.CONTEXT_WINDOW: (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
}


class OpenAIProtocol(Protocol):
    """`POST /v1/chat/completions`."""

    def asked(self, body: dict[str, Any]) -> Asked:
        """The request in the simulator's words."""
        only(body, _KNOWN)
        messages = need(body, "messages", list)
        if not messages:
            raise BadBody("messages: at least one is needed")
        spoken = [(_role(message), *_spoken(message)) for message in messages]
        limits = [need(body, name, int, optional=True) for name in ("max_completion_tokens", "max_tokens")]
        last_role, last_texts, _ = spoken[-1]
        users = [found for role, found, _ in spoken if role == "user"]
        return Asked(
            model=need(body, "model", str),
            prompt="\n".join(users[-1]) if users else "",
            conversation="\n".join(text for _, found, _ in spoken for text in found),
            messages=len(messages),
            images=sum(images for _, _, images in spoken),
            max_tokens=next((most for most in limits if limit(most, "max_tokens")), 4096),
            seed=need(body, "seed", int, optional=True),
            stop=_stop(body.get("stop")),
            tools=tuple(_tool(tool) for tool in body.get("tools") or ()),
            tool_result="\n".join(last_texts) if last_role == "tool" else None,
            tool_choice=_tool_choice(body.get("tool_choice")),
            response_format=_response_format(body.get("response_format")),
        )

    def whole(self, reply: Reply) -> dict[str, Any]:
        """The reply in one piece."""
        message: dict[str, Any] = {"role": "assistant", "content": reply.written.text or None, "refusal": None}
        if reply.refusal:
            message |= {"content": None, "refusal": REFUSAL_TEXT}
        if reply.written.tool_calls:
            message["tool_calls"] = [_call(call) for call in reply.written.tool_calls]
        logprobs = _logprobs(reply, pieces(reply.written.text))
        choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": _finish(reply)}
        return {**_envelope(reply, "chat.completion"), "choices": [choice], **_usage(reply.usage)}

    def events(self, reply: Reply) -> list[str]:
        """The reply as chunks, the usage in one of its own where it was asked for, then `[DONE]`."""
        text_name, text = ("refusal", REFUSAL_TEXT) if reply.refusal else ("content", reply.written.text)
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{text_name: piece} for piece in pieces(text)]
        for index, call in enumerate(reply.written.tool_calls):
            deltas += _call_deltas(index, call)
        chunks = [[_choice(delta, _logprobs(reply, [delta.get("content") or ""]))] for delta in deltas]
        chunks.append([_choice({}, None, _finish(reply))])
        envelope = _envelope(reply, "chat.completion.chunk")
        events = [{**envelope, "choices": choices} for choices in chunks]
        if reply.usage is not None and (reply.body.get("stream_options") or {}).get("include_usage"):
            events.append({**envelope, "choices": [], **_usage(reply.usage)})
        return [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]

    def error(self, status: int, kind: str, message: str) -> dict[str, Any]:
        """OpenAI's error body."""
        broad = "invalid_request_error" if status < 429 else kind
        return {"error": {"message": message, "type": broad, "param": None, "code": kind}}

    def error_event(self) -> str:
        """A chunk that is an error."""
        return f"data: {json.dumps(self.error(500, 'server_error', 'The server had an error'))}\n\n"

    def failure(self, fault: Fault) -> tuple[int, str, str]:
        """How OpenAI words it."""
        return _FAILURES[fault]


def _role(message: Any) -> str:
    if not isinstance(message, dict):
        raise BadBody("messages: expected objects")
    role: str = need(message, "role", str)
    if role not in ("system", "developer", "user", "assistant", "tool"):
        raise BadBody(f"messages: unknown role {role!r}")
    return role


def _spoken(message: dict[str, Any]) -> tuple[list[str], int]:
    """The texts of a message, arguments of its tool calls included, and its images."""
    calls = [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
    if message.get("content") is None and calls:
        return calls, 0
    found, images = texts(message.get("content"))
    return found + calls, images


def _stop(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else strings(value, "stop")


def _tool(tool: Any) -> Tool:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        raise BadBody("tools: a tool has no function")
    return Tool(
        name=need(function, "name", str),
        description=function.get("description") or "",
        parameters=function.get("parameters") or {},
    )


def _tool_choice(value: Any) -> ToolChoice | None:
    if value is None:
        return None
    if isinstance(value, dict):
        return ToolChoice(name=need(need(value, "function", dict), "name", str))
    if value not in list(ToolUse):
        raise BadBody("tool_choice: expected auto, none, required or a function")
    return ToolChoice(use=ToolUse(value))


def _response_format(value: Any) -> ResponseFormat | None:
    if not isinstance(value, dict) or value.get("type") == "text":
        return None
    schema = value.get("json_schema") or {}
    return ResponseFormat(name=schema.get("name", "answer"), json_schema=schema.get("schema"))


def _finish(reply: Reply) -> str:
    return "stop" if reply.refusal else _FINISH[reply.written.finish]


def _choice(delta: dict[str, Any], logprobs: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def _logprobs(reply: Reply, words: list[str]) -> dict[str, Any] | None:
    """A log-probability for each word, where they were asked for: the longer the word, the less likely."""
    if not reply.body.get("logprobs") or reply.refusal:
        return None
    told: list[dict[str, Any]] = [
        {"token": word, "logprob": -len(word) / 100, "bytes": None, "top_logprobs": []} for word in words if word
    ]
    return {"content": told, "refusal": None}


def _call(call: ToolCallPart) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _call_deltas(index: int, call: ToolCallPart) -> list[dict[str, Any]]:
    """The head of a call, then its arguments in two pieces."""
    half = len(call.arguments) // 2
    head = {"index": index, **_call(call), "function": {"name": call.name, "arguments": ""}}
    parts = [
        {"index": index, "function": {"arguments": piece}} for piece in (call.arguments[:half], call.arguments[half:])
    ]
    return [{"tool_calls": [part]} for part in (head, *parts)]


def _envelope(reply: Reply, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{reply.id}", "object": kind, "created": CREATED, "model": reply.asked.model}


def _usage(usage: Usage | None) -> dict[str, Any]:
    """Inclusive counts, with what they include beside them."""
    if usage is None:
        return {}
    counts = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }
    return {"usage": counts}
