"""`POST /v1/messages` as Anthropic's clients know it: pure translation, no request is served here."""

from __future__ import annotations

from ...application.result import OrchestrationResult
from .anthropic_reply import AnthropicWriter, anthropic_error, anthropic_whole
from .anthropic_request import anthropic_asked
from .failure import Failure
from .wire import Asked, StreamWriter


class AnthropicWire:
    """Anthropic's shapes: a `WireProtocol`."""

    def asked(self, body: bytes) -> Asked:
        """The request of a body. Raises InvalidRequest."""
        return anthropic_asked(body)

    def whole(self, result: OrchestrationResult) -> bytes:
        """A `message`."""
        return anthropic_whole(result)

    def writer(self, asked: Asked) -> StreamWriter:
        """A writer of events."""
        return AnthropicWriter(asked)

    def error(self, failure: Failure) -> bytes:
        """An error's body."""
        return anthropic_error(failure)
