"""Answers, streams and errors as Chat Completions gives them. Source: openai 3.57.0, types/chat (2026-11-24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...application.result import OrchestrationResult
from .facts import bare, failed_run, field_of, orchestration, seconds
from .failure import Failure
from .wire import Asked

FINISH = {"length": "length", "tool_calls": "tool_calls", "refusal": "content_filter"}  # anything else: stop
DONE = b"data: [DONE]\n\n"
_ERRORS = {  # by status: type, and code where it is not our kind
    400: ("invalid_request_error", None),
    401: ("authentication_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("permission_error", None),
    404: ("not_found_error", None),
    405: ("invalid_request_error", None),
    408: ("timeout_error", None),
    409: ("conflict_error", None),
    413: ("request_too_large", None),
    415: ("invalid_request_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("overloaded_error", None),
}
_CODES = {"context_window": "context_length_exceeded"}
_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def openai_whole(result: OrchestrationResult) -> bytes:
    """A `chat.completion`."""
    calls = result.metadata.get("tool_calls")
    message: dict[str, Any] = {"role": "assistant", "content": result.response or None, "refusal": None}
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    elif message["content"] is None:
        message["content"] = ""
    return _encode(
        {
            "id": f"chatcmpl-{bare(result.run_id)}",
            "object": "chat.completion",
            "created": seconds(result.timestamp),
            "model": result.model_used,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(result)}],
            "usage": _usage(result),
            "orchestration": orchestration(result),
        }
    )


def openai_error(failure: Failure) -> bytes:
    """An error's body."""
    kind, code = _ERRORS.get(failure.status, ("api_error", None))
    return _encode(
        {
            "error": {
                "message": failure.message,
                "type": kind,
                "param": field_of(failure),
                "code": code or _CODES.get(failure.kind, failure.kind),
                "orchestration": failed_run(failure),
            }
        }
    )


class OpenAIWriter:
    """Writes one answer as chunks."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._envelope: dict[str, Any] = {}  # what every chunk says
        self._head = b""  # the same as bytes, up to the choices
        self._wrote = False

    def opening(self, *, run_id: str, model: str | None, created: int) -> bytes:
        """The chunk that says who speaks."""
        self._envelope = {
            "id": f"chatcmpl-{bare(run_id)}",
            "object": "chat.completion.chunk",
            "created": created,
            "model": model or self._asked.model,
        }
        if self._asked.include_usage:
            self._envelope["usage"] = None  # in every chunk but the last
        self._head = b"data: " + _encode(self._envelope)[:-1] + b',"choices":'
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def delta(self, text: str) -> bytes:
        """A chunk of text."""
        if not text:
            return b""
        self._wrote = True
        return b"".join(
            (
                self._head,
                b'[{"index":0,"delta":{"content":',
                _encode(text),
                b'},"logprobs":null,"finish_reason":null}]}\n\n',
            )
        )

    def closing(self, result: OrchestrationResult) -> bytes:
        """What was not written yet, the tool calls, the finish, the usage where it was asked for, and `[DONE]`."""
        written = []
        if not self._head:
            opened = self.opening(run_id=result.run_id, model=result.model_used, created=seconds(result.timestamp))
            written.append(opened)
        if not self._wrote:
            written.append(self.delta(result.response))
        for index, call in enumerate(result.metadata.get("tool_calls") or ()):
            head = {"index": index, **_call(call), "function": {"name": call["name"], "arguments": ""}}
            arguments = {"index": index, "function": {"arguments": call["arguments"]}}
            written += [self._chunk({"tool_calls": [head]}), self._chunk({"tool_calls": [arguments]})]
        facts = {"orchestration": orchestration(result)}
        if self._asked.include_usage:
            written += [self._chunk({}, _finish(result)), self._last({"usage": _usage(result), **facts})]
        else:
            written.append(self._chunk({}, _finish(result), facts))
        return b"".join((*written, DONE))

    def failed(self, failure: Failure) -> bytes:
        """A chunk that is an error; nothing follows it."""
        return b"data: " + openai_error(failure) + b"\n\n"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, more: dict[str, Any] | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        rest = b"," + _encode(more)[1:] if more else b"}"
        return self._head + _encode(choices) + rest + b"\n\n"

    def _last(self, more: dict[str, Any]) -> bytes:
        """The chunk without a choice."""
        return b"data: " + _encode({**self._envelope, "choices": [], **more}) + b"\n\n"


def _finish(result: OrchestrationResult) -> str:
    return FINISH.get(result.metadata.get("finish_reason", ""), "stop")


def _call(call: dict[str, str]) -> dict[str, Any]:
    return {
        "id": call["id"],
        "type": "function",
        "function": {"name": call["name"], "arguments": call["arguments"]},
    }


def _usage(result: OrchestrationResult) -> dict[str, Any]:
    """Of the attempt whose answer stands; zeros where the answer was given again, or its provider did not say."""
    usage = result.metadata.get("usage") or {}
    given, written = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
    return {
        "prompt_tokens": given,
        "completion_tokens": written,
        "total_tokens": given + written,
        "prompt_tokens_details": {"cached_tokens": usage.get("cache_read", 0), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.get("reasoning", 0), "audio_tokens": 0},
    }
