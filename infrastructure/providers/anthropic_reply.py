"""A Messages reply, plain or streamed.

Source: anthropic 2.13.0, types/message.py and types/raw_message_stream_event.py (2026-11-24).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...domain.finish import FinishReason
from ...domain.pricing import Usage
from .reply import Malformed, Reply, ToolCallSoFar, need
from .usage import anthropic_usage

FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
}


@dataclass(slots=True)
class AnthropicReply(Reply):
    """The terminal event is `message_stop`. Thinking is counted as usage, and is no part of the answer's text."""

    def usage(self) -> Usage | None:
        """The input count excludes both cache counts."""
        return anthropic_usage(self.raw_usage)

    def whole(self, data: dict[str, Any]) -> None:
        """A message with its content blocks."""
        if data.get("type") == "error":
            raise Malformed(f"an error inside the reply: {data.get('error')}")
        self._envelope(data)
        for index, block in enumerate(need(data.get("content"), list, "content")):
            self._block(index, need(block, dict, "content block"), whole=True)
        self._stopped(data.get("stop_reason"))
        self.ended, self.first_token = True, None

    def add(self, event: dict[str, Any]) -> None:
        """One event of the stream; kinds that are unknown are skipped, as the protocol asks."""
        match event.get("type"):
            case "message_start":
                self._envelope(need(event.get("message"), dict, "message"))
            case "content_block_start":
                self._block(_index(event), need(event.get("content_block"), dict, "content block"), whole=False)
            case "content_block_delta":
                self._delta(_index(event), need(event.get("delta"), dict, "delta"))
            case "message_delta":
                self._stopped(need(event.get("delta"), dict, "delta").get("stop_reason"))
                self._count(event.get("usage"))
            case "message_stop":
                self.ended = True
            case "error":
                raise Malformed(f"an error inside the stream: {event.get('error')}")

    def _envelope(self, message: dict[str, Any]) -> None:
        self.id = message.get("id") or self.id
        self.response_model = message.get("model") or self.response_model
        self._count(message.get("usage"))

    def _count(self, usage: Any) -> None:
        """Counts are cumulative: a later one replaces, one that is not repeated stays."""
        if isinstance(usage, dict):
            said = {name: count for name, count in usage.items() if count is not None}
            self.raw_usage = {**(self.raw_usage or {}), **said}

    def _block(self, index: int, block: dict[str, Any], *, whole: bool) -> None:
        """A text or tool block; a streamed tool's input follows in pieces."""
        if block.get("type") == "text" and block.get("text"):
            self.arrived(need(block["text"], str, "text"))
        if block.get("type") == "tool_use":
            call = ToolCallSoFar(id=need(block.get("id"), str, "id"), name=need(block.get("name"), str, "name"))
            if whole:
                call.arguments = json.dumps(need(block.get("input"), dict, "input"), ensure_ascii=False)
            self.tool_calls[index] = call
            self.arrived()

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        if delta.get("type") == "text_delta":
            self.arrived(need(delta.get("text"), str, "text"))
        if delta.get("type") == "input_json_delta" and index in self.tool_calls:
            self.tool_calls[index].arguments += need(delta.get("partial_json"), str, "partial_json")

    def _stopped(self, reason: Any) -> None:
        if reason is not None:
            self.finish = FINISH.get(reason, FinishReason.OTHER)


def _index(event: dict[str, Any]) -> int:
    return need(event.get("index"), int, "index")  # type: ignore[no-any-return]
