"""The trace that a run belongs to: who serves a request sets its headers here, and the run's span becomes their child.

with child_of(headers.get("traceparent"), headers.get("tracestate")):
    await orchestrator.run(...)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

NOTHING: Mapping[str, str] = {}
carrier: ContextVar[Mapping[str, str]] = ContextVar("model_orchestrator_trace", default=NOTHING)  # W3C headers


@contextmanager
def child_of(traceparent: str | None, tracestate: str | None = None) -> Iterator[None]:
    """Runs that start inside belong to that trace; a malformed header is as good as none."""
    found = {"traceparent": traceparent, "tracestate": tracestate}
    token = carrier.set({name: value for name, value in found.items() if value})
    try:
        yield
    finally:
        carrier.reset(token)
