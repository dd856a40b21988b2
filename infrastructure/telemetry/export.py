"""Observed runs as spans and metrics of the OpenTelemetry SDK: the one module that imports it.

The providers are our own, never the process's global ones: an application that traces itself keeps its settings.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import NoOpTracerProvider, Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ...application.world import money_of
from ...domain.events import AttemptFailed, AttemptLost, ModelCalled, RunFailed
from ...domain.run import Attempt, AttemptStatus
from ...domain.units import MILLION, Timestamp
from . import attributes
from .observed import ObservedRun
from .signals import Signals

NAME = "model-orchestrator"
# Source: GenAI semantic conventions, metrics, 2026-11.
TOKEN_LIMITS = tuple(4**power for power in range(14))
SECOND_LIMITS = tuple(0.01 * 2**power for power in range(14))


class Export:
    """Providers as OTEL_* has them. `trouble` is told who complains, such as an exporter."""

    def __init__(self, signals: Signals, version: str, trouble: Callable[[str], None]) -> None:
        self._handler = _Listening(trouble)
        logging.getLogger("opentelemetry").addHandler(self._handler)  # else Python prints each failure
        resource = _resource(version)
        self._exporters: list[SpanExporter | MetricExporter] = []
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False) if signals.traces else None
        if self._tracers is not None:
            spans = OTLPSpanExporter() if signals.traces == "otlp" else ConsoleSpanExporter(out=sys.stderr)
            self._exporters.append(spans)
            self._tracers.add_span_processor(BatchSpanProcessor(spans))
        self._meters: MeterProvider | None = None
        if signals.metrics:
            metrics = OTLPMetricExporter() if signals.metrics == "otlp" else ConsoleMetricExporter(out=sys.stderr)
            self._exporters.append(metrics)
            reader = PeriodicExportingMetricReader(metrics)
            self._meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._tracer = (self._tracers or NoOpTracerProvider()).get_tracer(NAME, version)
        meter = (self._meters or NoOpMeterProvider()).get_meter(NAME, version)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKEN_LIMITS,
        )
        self._durations = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=SECOND_LIMITS,
        )
        self._cost = meter.create_counter("model_orchestrator.cost", unit="USD", description="Known cost of calls.")

    def run(self, observed: ObservedRun) -> None:
        """One run: its span, a child for each call, and what the calls add to the metrics."""
        run = observed.run
        parent = TraceContextTextMapPropagator().extract(observed.headers)
        began, ended = observed.span
        money = money_of(run.started.provider).value if run.started else None
        name, found = attributes.run_name(run), attributes.run_attributes(run)
        span = self._tracer.start_span(name, parent, SpanKind.INTERNAL, found, start_time=_nanoseconds(began))
        for escalation, at in observed.escalations():
            span.add_event("escalated", attributes.escalation_attributes(escalation), _nanoseconds(at))
        for attempt in run.attempts:
            self._call(span, observed, attempt)
            self._measure(attempt, money)
        if isinstance(run.ended, RunFailed):
            _failed(span, run.ended, ended)
        span.end(_nanoseconds(ended))

    def close(self) -> None:
        """Send what is left; blocks, at the most as long as the SDK waits for a collector."""
        for provider in (self._tracers, self._meters):
            if provider is not None:
                provider.shutdown()
        logging.getLogger("opentelemetry").removeHandler(self._handler)

    def give_up(self) -> None:
        """Send nothing any more: a `close` that waits for the collector returns."""
        for one in self._exporters:
            one.shutdown()

    def _call(self, parent: Span, observed: ObservedRun, attempt: Attempt) -> None:
        began, ended = observed.span_of(attempt)
        span = self._tracer.start_span(
            attributes.call_name(attempt),
            set_span_in_context(parent),
            SpanKind.CLIENT,
            attributes.call_attributes(attempt),
            start_time=_nanoseconds(began),
        )
        if isinstance(attempt.outcome, AttemptFailed | AttemptLost):
            _failed(span, attempt.outcome, ended)
        span.end(_nanoseconds(ended))

    def _measure(self, attempt: Attempt, money: str | None) -> None:
        outcome, labels = attempt.outcome, attributes.measured(attempt, money)
        if outcome is not None and outcome.latency is not None:
            self._durations.record(outcome.latency / MILLION, labels)
        if isinstance(outcome, ModelCalled) and outcome.usage is not None:
            self._tokens.record(outcome.usage.input_tokens, labels | {"gen_ai.token.type": "input"})
            self._tokens.record(outcome.usage.output_tokens, labels | {"gen_ai.token.type": "output"})
        if attempt.status is not AttemptStatus.OPEN and attempt.spent:
            self._cost.add(float(attempt.spent), labels)


class _Listening(logging.Handler):
    """Hears what the SDK complains of."""

    def __init__(self, trouble: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._trouble = trouble

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on who complains, not what it says: that may hold an address with its secrets."""
        self._trouble(record.name)


def _failed(span: Span, event: RunFailed | AttemptFailed | AttemptLost, at: Timestamp) -> None:
    span.add_event("exception", attributes.exception_attributes(event), _nanoseconds(at))
    span.set_status(Status(StatusCode.ERROR, event.kind.value))


def _resource(version: str) -> Resource:
    """Ours, under what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say.

    Not Resource.create: its detectors run in a pool, which a process that is ending cannot start.
    """
    ours = Resource(
        {
            "service.name": NAME,
            "service.version": version,
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": sdk_version,
        }
    )
    return ours.merge(OTELResourceDetector().detect())


def _nanoseconds(at: Timestamp) -> int:
    return at * 1000
