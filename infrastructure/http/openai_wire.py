"""`POST /v1/chat/completions` as OpenAI's clients know it: pure translation, no request is served here."""

from __future__ import annotations

from ...application.result import OrchestrationResult
from .failure import Failure
from .openai_reply import OpenAIWriter, openai_error, openai_whole
from .openai_request import openai_asked
from .wire import Asked, StreamWriter


class OpenAIWire:
    """OpenAI's shapes: a `WireProtocol`."""

    def asked(self, body: bytes) -> Asked:
        """The request of a body. Raises InvalidRequest."""
        return openai_asked(body)

    def whole(self, result: OrchestrationResult) -> bytes:
        """A `chat.completion`."""
        return openai_whole(result)

    def writer(self, asked: Asked) -> StreamWriter:
        """A writer of chunks."""
        return OpenAIWriter(asked)

    def error(self, failure: Failure) -> bytes:
        """An error's body."""
        return openai_error(failure)
