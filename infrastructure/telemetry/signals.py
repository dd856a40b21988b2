"""What OTEL_* asks for: which signals leave, and by which exporter. Everything else the SDK reads itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORTERS = ("otlp", "console", "none")
PROTOCOL = "http/protobuf"
EXTRA = "model-orchestrator[otel]"


@dataclass(frozen=True, slots=True)
class Signals:
    """The exporter of each signal: otlp or console; None: it does not leave."""

    traces: str | None
    metrics: str | None


def signals_of(env: Mapping[str, str]) -> Signals | None:
    """None where nothing is to leave: no OTLP endpoint and no exporter is named, or OTEL_SDK_DISABLED is true.

    Raises ValueError for what cannot be served; its text says what to do.
    """
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    found = Signals(traces=_exporter(env, "TRACES"), metrics=_exporter(env, "METRICS"))
    return found if found.traces or found.metrics else None


def _exporter(env: Mapping[str, str], signal: str) -> str | None:
    variable = f"OTEL_{signal}_EXPORTER"
    endpoint = env.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or env.get(ENDPOINT)
    name = env.get(variable, "").strip().lower() or ("otlp" if endpoint else "none")
    if name not in EXPORTERS:
        raise ValueError(f"{variable} names an exporter that is not there: expected one of {', '.join(EXPORTERS)}")
    for one in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if name == "otlp" and env.get(one, "").strip().lower() not in ("", PROTOCOL):
            raise ValueError(f"{one}: only {PROTOCOL} is spoken here; a collector listens for it on port 4318")
    return None if name == "none" else name


def is_installed() -> bool:
    """Whether the extra `otel` is there; nothing of it is imported."""
    try:
        return all(find_spec(one) for one in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"))
    except ModuleNotFoundError:
        return False
