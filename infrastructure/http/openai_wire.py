"""OpenAI's Chat Completions: a first, small form."""

from __future__ import annotations

import json
import time

from ...application.result import OrchestrationResult
from ...domain.errors import InvalidRequest
from ...domain.request import Message, Request, Role, TextPart
from .failure import Failure
from .wire import Asked, StreamWriter


class OpenAIWire:
    """Chat Completions."""

    def asked(self, body: bytes) -> Asked:
        """The request. Raises InvalidRequest."""
        try:
            given = json.loads(body)
            messages = tuple(
                Message(role=Role(one["role"]), parts=(TextPart(text=one["content"]),)) for one in given["messages"]
            )
            return Asked(model=given["model"], request=Request(messages=messages), stream=bool(given.get("stream")))
        except (ValueError, KeyError, TypeError):
            raise InvalidRequest("the body is no chat completion request") from None

    def whole(self, result: OrchestrationResult) -> bytes:
        """The answer in one piece."""
        message = {"role": "assistant", "content": result.response}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return json.dumps(
            {
                "id": result.run_id,
                "object": "chat.completion",
                "created": int(time.time()),
                "model": result.model_used,
                "choices": [choice],
            }
        ).encode()

    def writer(self, asked: Asked) -> StreamWriter:
        """A writer for one stream."""
        return _Writer()

    def error(self, failure: Failure) -> bytes:
        """The body of an error."""
        return json.dumps({"error": {"message": failure.message, "type": failure.kind, "code": failure.kind}}).encode()


class _Writer:
    def opening(self) -> bytes:
        return self._event({"role": "assistant", "content": ""})

    def delta(self, text: str) -> bytes:
        return self._event({"content": text})

    def closing(self, result: OrchestrationResult) -> bytes:
        return self._event({}, "stop") + b"data: [DONE]\n\n"

    def failed(self, failure: Failure) -> bytes:
        return b"data: " + OpenAIWire().error(failure) + b"\n\n"

    def _event(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "x", "choices": [choice]}
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"
