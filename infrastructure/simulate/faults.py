"""What can go wrong on demand, and who asked for it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """One way a provider can fail, or an answer can be special."""

    RATE_LIMIT = "rate_limit"  # 429 with Retry-After
    QUOTA = "quota"  # 429 that waiting does not cure
    OVERLOADED = "overloaded"  # 529
    SERVER_ERROR = "server_error"  # 500
    AUTH = "auth"  # 401
    BAD_REQUEST = "bad_request"  # 400
    NOT_FOUND = "not_found"  # 404
    TOO_LARGE = "too_large"  # 413
    UNPROCESSABLE = "unprocessable"  # 422
    CONTEXT_WINDOW = "context_window"  # 400, worded as each vendor does
    REDIRECT = "redirect"  # 307 to another address
    TIME_OUT = "time_out"  # the answer is ready, and is held
    CUT = "cut"  # the connection breaks before the first byte
    MALFORMED = "malformed"  # 200 with broken JSON
    GARBAGE = "garbage"  # 200 with JSON of another shape
    HTML = "html"  # 200 with a page, as a captive portal sends
    STREAM_CUT = "stream_cut"  # the connection breaks half-way
    STREAM_SHORT = "stream_short"  # the stream ends in good order, without its last event
    STREAM_ERROR = "stream_error"  # an error event half-way
    NO_USAGE = "no_usage"  # a whole answer that does not say what it cost
    CACHED = "cached"  # part of the input comes from the cache
    REASONING = "reasoning"  # part of the output is reasoning
    REFUSAL = "refusal"  # the model declines for safety


UNBILLED = frozenset(
    {
        Fault.RATE_LIMIT, Fault.QUOTA, Fault.OVERLOADED, Fault.SERVER_ERROR, Fault.AUTH, Fault.BAD_REQUEST,
        Fault.NOT_FOUND, Fault.TOO_LARGE, Fault.UNPROCESSABLE, Fault.CONTEXT_WINDOW, Fault.REDIRECT,
    }
)  # fmt: skip

HEADER = "x-simulate-fault"
_MARKER = re.compile(r"\[fault:(\w+)\]")


class UnknownFault(ValueError):
    """No fault has that name."""


def fault_named(name: str) -> Fault:
    """The fault of that name. Raises UnknownFault, which lists the names."""
    try:
        return Fault(name)
    except ValueError:
        raise UnknownFault(f"unknown fault {name!r}; expected one of {', '.join(Fault)}") from None


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to come; `retry_after` is the header's text, where the fault has one."""

    fault: Fault
    retry_after: str | None = None


@dataclass(slots=True)
class _Queued:
    planned: Planned
    model: str | None  # None: any
    count: int


@dataclass(slots=True)
class FaultBook:
    """Who gets which fault: a header first, then a marker in model name or prompt, then the queue, then chance."""

    rates: Mapping[Fault, float] = field(default_factory=dict)  # share of calls, 0..1
    seed: int = 0
    _queue: list[_Queued] = field(default_factory=list)
    _calls: int = 0

    def queue(self, entry: Any) -> None:
        """Take `{"fault", "count", "model", "retry_after"}` for calls to come. Raises ValueError."""
        if not isinstance(entry, dict) or not isinstance(entry.get("fault"), str):
            raise ValueError('expected {"fault": NAME, "count": N, "model": ID, "retry_after": TEXT}')
        count = entry.get("count", 1)
        if not isinstance(count, int) or count < 1:
            raise ValueError("count must be a whole number of at least 1")
        wait = entry.get("retry_after")
        planned = Planned(fault_named(entry["fault"]), None if wait is None else str(wait))
        self._queue.append(_Queued(planned, entry.get("model"), count))

    def clear(self) -> None:
        """Forget what is queued."""
        self._queue.clear()

    def next(self, *, header: str | None, model: str, prompt: str) -> Planned | None:
        """The fault of the call that just came in. Raises UnknownFault for a name that is none."""
        self._calls += 1
        if header:
            return Planned(fault_named(header))
        for marked in (model, prompt):
            if (marker := _MARKER.search(marked)) is not None:
                return Planned(fault_named(marker[1]))
        return self._queued(model) or self._by_chance()

    def _queued(self, model: str) -> Planned | None:
        for entry in self._queue:
            if entry.model in (None, model):
                entry.count -= 1
                if entry.count == 0:
                    self._queue.remove(entry)
                return entry.planned
        return None

    def _by_chance(self) -> Planned | None:
        """A draw that the seed and the number of the call decide."""
        draw = random.Random(f"{self.seed}:{self._calls}").random()
        for fault, rate in self.rates.items():
            if draw < rate:
                return Planned(fault)
            draw -= rate
        return None
