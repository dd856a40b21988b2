"""What both protocols say of a run beside their own fields: the `orchestration` object of an answer or an error."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from ...application.result import OrchestrationResult
from ...domain.units import plain
from .failure import Failure

_PATH = re.compile(r"([a-z_]+(?:\[\d+\]|\.[a-z_]+)*): ")


def orchestration(result: OrchestrationResult) -> dict[str, Any]:
    """An answered run: USD as a plain decimal text, null where unknown; tokens are of all its attempts."""
    said = result.metadata
    return {
        "run_id": result.run_id,
        "strategy": result.strategy,
        "model": result.model_used,
        "models_tried": list(dict.fromkeys(result.fallback_chain)),
        "confidence": result.confidence,
        "cost": None if result.cost is None else plain(result.cost),
        "money": said.get("money"),
        "cached": said.get("cached"),
        "warnings": said.get("warnings", []),
        "input_tokens": result.input_tokens,
        "output_tokens": result.output_tokens,
    }


def failed_run(failure: Failure) -> dict[str, Any]:
    """What is known of what failed: the kind, the run, and the figures such as limit and needed."""
    return {"kind": failure.kind, "run_id": failure.run_id, **failure.details}


def field_of(failure: Failure) -> str | None:
    """The path of the field that is off, where the message begins with one."""
    found = _PATH.match(failure.message) if failure.status == 400 and failure.run_id is None else None
    return found[1] if found else None


def seconds(timestamp: str) -> int:
    """Unix seconds of an ISO time; 0 where there is none."""
    return int(datetime.fromisoformat(timestamp).timestamp()) if timestamp else 0


def bare(run_id: str) -> str:
    """The UUID of a run's id."""
    return run_id.removeprefix("run-")
