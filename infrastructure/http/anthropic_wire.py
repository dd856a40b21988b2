"""Anthropic's Messages: a first, small form."""

from __future__ import annotations

from .openai_wire import OpenAIWire


class AnthropicWire(OpenAIWire):
    """Messages."""
