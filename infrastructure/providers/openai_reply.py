"""A Chat Completions reply, plain or streamed.

Source: openai 3.57.0, types/chat/chat_completion.py and chat_completion_chunk.py (2026-11-24).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...domain.finish import FinishReason
from ...domain.pricing import Usage
from .reply import Malformed, Reply, ToolCallSoFar, need
from .usage import openai_usage

FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.REFUSAL,
}


@dataclass(slots=True)
class OpenAIReply(Reply):
    """The terminal event is the chunk with `finish_reason`; the usage follows in one of its own."""

    refused: bool = False

    def usage(self) -> Usage | None:
        """The prompt count includes cached tokens, the completion count reasoning."""
        return openai_usage(self.raw_usage)

    def whole(self, data: dict[str, Any]) -> None:
        """One choice with its message."""
        self._envelope(data)
        choice = self._choice(data, needed=True)
        message = need(choice.get("message"), dict, "message")
        self._content(message)
        for index, call in enumerate(message.get("tool_calls") or ()):
            self._tool_call(index, need(call, dict, "tool call"))
        self._logprobs(choice)
        self._end(choice.get("finish_reason"))
        self.first_token = None

    def add(self, event: dict[str, Any]) -> None:
        """A chunk: a piece of text or of a tool call, the finish, or the usage alone."""
        self._envelope(event)
        choice = self._choice(event, needed=False)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._content(delta)
            for position, call in enumerate(delta.get("tool_calls") or ()):
                call = need(call, dict, "tool call")
                index = call.get("index")
                self._tool_call(index if isinstance(index, int) else position, call)
        self._logprobs(choice)
        if choice.get("finish_reason") is not None:
            self._end(choice["finish_reason"])

    def _envelope(self, data: dict[str, Any]) -> None:
        if data.get("error"):
            raise Malformed(f"an error inside the reply: {data['error']}")
        self.id = data.get("id") or self.id
        self.response_model = data.get("model") or self.response_model
        if isinstance(data.get("usage"), dict):
            self.raw_usage = data["usage"]

    def _choice(self, data: dict[str, Any], *, needed: bool) -> dict[str, Any]:
        choices = data.get("choices")
        if not choices and not needed:
            return {}
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise Malformed("the reply has no choice")
        return choices[0]

    def _content(self, message: dict[str, Any]) -> None:
        """Text, or the text of a refusal."""
        if message.get("content"):
            self.arrived(need(message["content"], str, "content"))
        if message.get("refusal"):
            self.refused = True
            self.arrived(need(message["refusal"], str, "refusal"))

    def _tool_call(self, index: int, data: dict[str, Any]) -> None:
        """The whole call, or a piece of its arguments."""
        function = need(data.get("function") or {}, dict, "function")
        call = self.tool_calls.setdefault(index, ToolCallSoFar())
        call.id = data.get("id") or call.id
        call.name = function.get("name") or call.name
        call.arguments += need(function.get("arguments") or "", str, "arguments")
        self.arrived()

    def _logprobs(self, choice: dict[str, Any]) -> None:
        """Log-probabilities of the content's tokens; one that is no number is a malformed reply."""
        reported = choice.get("logprobs")
        tokens = reported.get("content") if isinstance(reported, dict) else None
        for token in tokens or ():
            value = need(token, dict, "log-probability").get("logprob")
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise Malformed("a log-probability is no number")
            self.logprobs = self.logprobs if self.logprobs is not None else []
            self.logprobs.append(float(value))

    def _end(self, reason: Any) -> None:
        self.finish = FinishReason.REFUSAL if self.refused else FINISH.get(reason, FinishReason.OTHER)
        self.ended = True
