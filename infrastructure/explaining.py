"""A run's decision explained from the log, feature by feature where its weights are kept and can say so."""

from __future__ import annotations

from typing import Any

from ..application.explaining import explanation
from ..application.runs import find_run, load_run
from ..domain.run import Run
from .bootstrap import Orchestrator
from .weights_store import stored_router

SHOWN = 12  # features a model


async def explain_run(orchestrator: Orchestrator, name: str) -> dict[str, Any]:
    """The decision of the run called `name`. Raises RunNotFound, and InvalidRequest where it has not decided."""
    run = (await load_run(orchestrator.log, await find_run(orchestrator.store, name))).run
    return explanation(run) | {"features": await _features(orchestrator, run)}


async def _features(orchestrator: Orchestrator, run: Run) -> dict[str, list[dict[str, Any]]] | None:
    """What each feature of the prompt added to the models' success, the largest first.

    None where no weights decided, where they or the prompt are gone, or where they cannot tell.
    """
    if run.routing is None or run.routing.forecast is None or run.started is None or run.started.request is None:
        return None
    weights = await stored_router(orchestrator.store, run.routing.forecast.weights)
    request = await orchestrator.log.request(run.started.request)
    explain = getattr(weights.model, "explain", None) if weights else None
    if request is None or explain is None:
        return None
    asked = {call.model: explain(request.prompt, call.model) for call in run.routing.plan[:1]}
    return {model: _largest(found) for model, found in asked.items() if found} or None


def _largest(contributions: dict[str, float]) -> list[dict[str, Any]]:
    ordered = sorted(contributions.items(), key=lambda one: -abs(one[1]))
    return [{"feature": name, "by": by} for name, by in ordered[:SHOWN]]
