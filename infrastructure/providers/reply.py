"""What came back of one call so far, and when it is a whole answer."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from ...application.ports import Answer, DeltaSink
from ...domain.events import Money
from ...domain.finish import FinishReason
from ...domain.pricing import Usage
from ...domain.request import ToolCallPart
from ...domain.units import Duration
from .wire import Wire


class Malformed(ValueError):
    """The reply is not what the protocol says."""


def need(value: Any, kind: type, what: str) -> Any:
    """`value`, which must be of `kind`. Raises Malformed."""
    if not isinstance(value, kind):
        raise Malformed(f"{what}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def plain(reply: Any) -> dict[str, Any]:
    """An SDK object as the JSON object it was. Raises Malformed for anything else, such as a page of HTML."""
    if hasattr(reply, "to_dict"):
        reply = reply.to_dict(warnings=False)
    return need(reply, dict, "reply")  # type: ignore[no-any-return]


@dataclass(slots=True)
class ToolCallSoFar:
    """A tool call whose arguments arrive in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def part(self) -> ToolCallPart:
        """The call, whole. Raises Malformed without a name."""
        name = need(self.name or None, str, "tool call")
        return ToolCallPart(id=self.id, name=name, arguments=self.arguments or "{}")


@dataclass(slots=True)
class Reply(ABC):
    """One protocol's reply: `whole` takes a plain one, `add` each event of a stream; `ended` tells a whole answer."""

    sink: DeltaSink | None = None
    started: float = field(default_factory=time.perf_counter)
    ended: bool = False
    text: list[str] = field(default_factory=list)
    tool_calls: dict[int, ToolCallSoFar] = field(default_factory=dict)
    finish: FinishReason = FinishReason.OTHER
    raw_usage: dict[str, Any] | None = None
    logprobs: list[float] | None = None
    response_model: str | None = None
    id: str | None = None
    first_token: Duration | None = None

    @abstractmethod
    def whole(self, data: dict[str, Any]) -> None:
        """Take a reply that came in one piece. Raises Malformed."""

    @abstractmethod
    def add(self, event: dict[str, Any]) -> None:
        """Take the next event of a stream. Raises Malformed."""

    @abstractmethod
    def usage(self) -> Usage | None:
        """The provider's counts in disjoint classes; None where it did not say."""

    def arrived(self, delta: str = "") -> None:
        """Output came in; text goes to the sink. A sink that fails is left: the answer is paid for, so read on."""
        if self.first_token is None:
            self.first_token = Duration(round((time.perf_counter() - self.started) * 1_000_000))
        if not delta:
            return
        self.text.append(delta)
        if self.sink is not None:
            try:
                self.sink(delta)
            except Exception:
                self.sink = None

    def answer(self, wire: Wire) -> Answer:
        """The whole answer; its money is simulated where the server says so. Raises Malformed."""
        simulated = wire.headers.get("x-simulated") == "1"
        return Answer(
            text="".join(self.text),
            tool_calls=tuple(call.part() for _, call in sorted(self.tool_calls.items())),
            finish_reason=self.finish,
            usage=self.usage(),
            raw_usage=self.raw_usage,
            logprobs=None if self.logprobs is None else tuple(self.logprobs),
            response_model=self.response_model,
            provider_request_id=wire.headers.get("request-id") or wire.headers.get("x-request-id") or self.id,
            first_token=self.first_token,
            money=Money.SIMULATED if simulated else Money.REAL,
        )
