"""What an endpoint needs of a wire protocol: requests in, answers, streams and errors out. One module a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...application.result import OrchestrationResult
from ...domain.request import Request
from .failure import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request in the orchestrator's words."""

    model: str  # a strategy, a policy or a model, as the client wrote it
    request: Request  # with its parameters
    stream: bool = False
    include_usage: bool = False  # as a stream's last chunk
    options: Mapping[str, Any] = field(default_factory=dict)  # more of RunOptions: max_cost, category, tags, ...


class StreamWriter(Protocol):
    """Writes one answer as server-sent events; each method gives whole events, or nothing."""

    def opening(self, *, run_id: str, model: str | None, created: int) -> bytes:
        """What comes first, once the first piece of an answer is there; `created` is in Unix seconds.

        The model is the one that speaks; None: not known yet, and the client's own word for it stands in.
        """

    def delta(self, text: str) -> bytes:
        """A piece of the answer's text."""

    def closing(self, result: OrchestrationResult) -> bytes:
        """Tool calls, the reason of the end, usage, the `orchestration` object and the protocol's last event.

        Before them the opening and the answer's text, where nothing of them was written.
        """

    def failed(self, failure: Failure) -> bytes:
        """The protocol's error event: after the first byte there is no status any more."""


class ErrorShape(Protocol):
    """How errors look."""

    def error(self, failure: Failure) -> bytes:
        """The body of an error."""


class WireProtocol(ErrorShape, Protocol):
    """One vendor's shapes."""

    def asked(self, body: bytes) -> Asked:
        """The request. Raises InvalidRequest, or Refused with another status."""

    def whole(self, result: OrchestrationResult) -> bytes:
        """The answer in one piece."""

    def writer(self, asked: Asked) -> StreamWriter:
        """A writer for one stream."""
