"""The two protocols as every adapter speaks them, whatever carries the bytes."""

from __future__ import annotations

from typing import Any

from ...application.ports import DeltaSink, ModelCall
from .anthropic_reply import AnthropicReply
from .anthropic_request import anthropic_body
from .openai_reply import OpenAIReply
from .openai_request import openai_body
from .reply import Reply
from .vendor_client import VendorClient


class OpenAIDialect(VendorClient):
    """OpenAI's Chat Completions: OpenAI, Ollama, vLLM, llama.cpp, a gateway. An address of one's own has its `/v1`."""

    VENDOR = "https://api.openai.com/v1"

    def _body(self, call: ModelCall) -> dict[str, Any]:
        return openai_body(call, at_vendor=self.at_vendor)

    def _streamed(self) -> dict[str, Any]:
        """Ask for the usage too: without it a streamed answer says nothing of its cost."""
        return {"stream": True, "stream_options": {"include_usage": True}}

    def _reply(self, sink: DeltaSink | None) -> Reply:
        return OpenAIReply(sink=sink)


class AnthropicDialect(VendorClient):
    """Anthropic's Messages: Anthropic, or a gateway that speaks it. An address of one's own is without `/v1`."""

    VENDOR = "https://api.anthropic.com"

    def _body(self, call: ModelCall) -> dict[str, Any]:
        return anthropic_body(call)

    def _streamed(self) -> dict[str, Any]:
        return {"stream": True}

    def _reply(self, sink: DeltaSink | None) -> Reply:
        return AnthropicReply(sink=sink)
