"""Answers, streams and errors as Messages gives them. Source: anthropic 2.13.0, types (2026-11-24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...application.result import OrchestrationResult
from .facts import bare, failed_run, orchestration, seconds
from .failure import Failure
from .wire import Asked

STOP = {"length": "max_tokens", "tool_calls": "tool_use", "refusal": "refusal"}  # anything else: end_turn
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def anthropic_whole(result: OrchestrationResult) -> bytes:
    """A `message`."""
    content: list[dict[str, Any]] = [{"type": "text", "text": result.response}] if result.response else []
    for call in _calls(result):
        content.append({"type": "tool_use", "id": call["id"], "name": call["name"], "input": _input(call)})
    return _encode(
        {
            **_message(result.run_id, result.model_used),
            "content": content,
            "stop_reason": _stop(result),
            "usage": _usage(result),
            "orchestration": _facts(result),
        }
    )


def anthropic_error(failure: Failure) -> bytes:
    """An error's body."""
    return _encode(
        {
            "type": "error",
            "error": {"type": _ERRORS.get(failure.status, "api_error"), "message": failure.message},
            "request_id": failure.run_id,
            "orchestration": failed_run(failure),
        }
    )


class AnthropicWriter:
    """Writes one answer as named events; its text is one block, and each tool call another."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._opened = False
        self._wrote = False

    def opening(self, *, run_id: str, model: str | None, created: int) -> bytes:
        """The start of the message; its usage is not known yet."""
        self._opened = True
        usage = {"input_tokens": 0, "output_tokens": 0}
        message = {**_message(run_id, model or self._asked.model), "content": [], "stop_reason": None, "usage": usage}
        return _event({"type": "message_start", "message": message})

    def delta(self, text: str) -> bytes:
        """A piece of the text block, which the first one starts."""
        if not text:
            return b""
        start = b"" if self._wrote else _start(0, {"type": "text", "text": ""})
        self._wrote = True
        return b"".join(
            (
                start,
                b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,',
                b'"delta":{"type":"text_delta","text":',
                _encode(text),
                b"}}\n\n",
            )
        )

    def closing(self, result: OrchestrationResult) -> bytes:
        """What was not written yet, the tool calls, then the reason of the end with the usage."""
        written = []
        if not self._opened:
            opened = self.opening(run_id=result.run_id, model=result.model_used, created=seconds(result.timestamp))
            written.append(opened)
        if not self._wrote:
            written.append(self.delta(result.response))
        if self._wrote:
            written.append(_block_stop(0))
        for index, call in enumerate(_calls(result), start=int(self._wrote)):
            empty = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": {}}
            piece = {"type": "input_json_delta", "partial_json": _encode(_input(call)).decode()}
            delta = {"type": "content_block_delta", "index": index, "delta": piece}
            written += [_start(index, empty), _event(delta), _block_stop(index)]
        end = {
            "type": "message_delta",
            "delta": {"stop_reason": _stop(result), "stop_sequence": None},
            "usage": _usage(result),
            "orchestration": _facts(result),
        }
        return b"".join((*written, _event(end), _event({"type": "message_stop"})))

    def failed(self, failure: Failure) -> bytes:
        """The error event; nothing follows it."""
        return b"event: error\ndata: " + anthropic_error(failure) + b"\n\n"


def _event(event: dict[str, Any]) -> bytes:
    kind: str = event["type"]
    return b"event: " + kind.encode() + b"\ndata: " + _encode(event) + b"\n\n"


def _start(index: int, block: dict[str, Any]) -> bytes:
    return _event({"type": "content_block_start", "index": index, "content_block": block})


def _block_stop(index: int) -> bytes:
    return _event({"type": "content_block_stop", "index": index})


def _message(run_id: str, model: str) -> dict[str, Any]:
    head = {"id": f"msg_{bare(run_id)}", "type": "message", "role": "assistant"}
    return {**head, "model": model, "stop_sequence": None}


def _stop(result: OrchestrationResult) -> str:
    return STOP.get(result.metadata.get("finish_reason", ""), "end_turn")


def _calls(result: OrchestrationResult) -> list[dict[str, str]]:
    return result.metadata.get("tool_calls") or []


def _input(call: dict[str, str]) -> dict[str, Any]:
    """The arguments, which this protocol carries as an object; a text that is none is given as it is, under a name."""
    try:
        arguments: dict[str, Any] = msgspec.json.decode(call["arguments"] or "{}", type=dict[str, Any])
        return arguments
    except (msgspec.DecodeError, RecursionError):
        return {"arguments": call["arguments"]}


def _facts(result: OrchestrationResult) -> dict[str, Any]:
    """The `orchestration` object, with a warning of arguments that a model wrote as no object."""
    facts = orchestration(result)
    odd = [call["name"] for call in _calls(result) if _input(call) == {"arguments": call["arguments"]}]
    if odd:
        facts["warnings"] = [*facts["warnings"], *(f"the arguments of {name} are no JSON object" for name in odd)]
    return facts


def _usage(result: OrchestrationResult) -> dict[str, Any]:
    """Of the attempt whose answer stands; zeros where the answer was given again, or its provider did not say."""
    usage = result.metadata.get("usage") or {}
    read, written = usage.get("cache_read", 0), usage.get("cache_write", 0)
    counts: dict[str, Any] = {
        "input_tokens": usage.get("input_tokens", 0) - read - written,  # without the cached ones
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": usage.get("output_tokens", 0),
    }
    if reasoning := usage.get("reasoning"):
        counts["output_tokens_details"] = {"thinking_tokens": reasoning}
    return counts
