"""A world for the loop: a log in memory that counts commits, a clock that is set, models that answer as told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_orchestrator.application.departure import Departure
from model_orchestrator.application.limits import Limits, RateLimiter
from model_orchestrator.application.orchestrator import Finished, RunLoop
from model_orchestrator.application.ports import (
    Answer,
    Append,
    AppendResult,
    DeltaSink,
    ModelCall,
    RecordedEvent,
)
from model_orchestrator.application.world import Caller, StartRun, World
from model_orchestrator.domain.events import RunEvent
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.pricing import Usage
from model_orchestrator.domain.request import prompt_request
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import Duration, Timestamp
from model_orchestrator.infrastructure.event_codec import decode
from model_orchestrator.infrastructure.run_log import StoredRunLog
from model_orchestrator.infrastructure.store.memory import MemoryStore

RUN = "run-1"


class CountingStore(MemoryStore):
    """Counts appends, and lets a test act just before one."""

    def __init__(self) -> None:
        super().__init__()
        self.appends: list[Append] = []
        self.before_append: Callable[[Append], Awaitable[None]] | None = None

    async def append(self, append: Append) -> AppendResult:
        """Append, after the test had its turn."""
        if self.before_append is not None:
            act, self.before_append = self.before_append, None
            await act(append)
        self.appends.append(append)
        return await super().append(append)


@dataclass
class SetClock:
    """Time that stands still, or moves by `step` at each look."""

    time: int = 1_800_000_000_000_000  # microseconds
    step: int = 0

    def now(self) -> Timestamp:
        self.time += self.step
        return Timestamp(self.time)

    def monotonic(self) -> Duration:
        return Duration(self.time)


@dataclass
class ToldClient:
    """Answers or fails as told; `calls` are what it was asked."""

    reply: Answer | Exception | Callable[[ModelCall], Awaitable[Answer]]
    calls: list[ModelCall] = field(default_factory=list)

    async def complete(self, call: ModelCall, sink: DeltaSink | None = None) -> Answer:
        """The told reply."""
        self.calls.append(call)
        if isinstance(self.reply, Exception):
            raise self.reply
        if isinstance(self.reply, Answer):
            return self.reply
        return await self.reply(call)

    async def aclose(self) -> None:
        """Nothing to close."""


def answer(text: str = "Python is a programming language.", **changes: Any) -> Answer:
    fields: dict[str, Any] = {
        "text": text,
        "finish_reason": FinishReason.STOP,
        "usage": Usage(input_uncached=2, output=40),
        "raw_usage": {"prompt_tokens": 2, "completion_tokens": 40},
    }
    return Answer(**(fields | changes))


class Stage:
    """One run in such a world."""

    def __init__(self, reply: Answer | Exception | Callable[[ModelCall], Awaitable[Answer]] | None = None) -> None:
        self.store = CountingStore()
        self.clock = SetClock()
        self.client = ToldClient(reply or answer())
        self.log = StoredRunLog(self.store, self.clock, actor="test")
        self.observed: list[RunEvent] = []
        self.budgets: tuple[tuple[str, str], ...] = ()
        self.limiter: RateLimiter | None = None
        self.caller = Caller()

    def loop(
        self, prompt: str = "What is Python?", *, epoch: int = 1, departure: Departure | None = None, **command: Any
    ) -> RunLoop:
        world = World(
            provider="live",
            catalogue=SEED,
            catalogue_hash="catalogue-hash",
            policy=SEED_POLICY,
            policy_hash="policy-hash",
            usable=SEED.models,
            unusable=(),
            client_for=lambda model: self.client,
            worker="test:1",
            observe=lambda run_id, event, at: self.observed.append(event),
            draw=lambda: 0.0,
            budgets=self.budgets,
            limiter=self.limiter,
            limits_of=lambda model: Limits(requests=60),
        )
        fields: dict[str, Any] = {"run_id": RUN, "request": prompt_request(prompt), "owner": self.caller.owner}
        started = StartRun(**(fields | command))
        return RunLoop(started, world.open_to(self.caller), self.log, self.clock, epoch=epoch, departure=departure)

    def run(self, prompt: str = "What is Python?", **command: Any) -> Finished:
        """Drive the run to its end."""
        return asyncio.run(self.loop(prompt, **command).run())

    def recorded(self) -> Sequence[RecordedEvent]:
        return asyncio.run(self.store.read_stream(RUN))

    def events(self) -> list[Any]:
        """The run's events, decoded."""
        return [decode(one.type, one.schema_version, one.payload) for one in self.recorded()]

    def types(self) -> list[str]:
        return [one.type for one in self.recorded()]
