"""One function a strategy, for programs that choose it in code; each takes what `run_orchestration` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from ..application.result import OrchestrationResult
from ..application.run_options import RunOptions
from ..domain.errors import InvalidRequest
from .shared_orchestrator import run_orchestration, run_orchestration_async


def run_with_fallback(
    prompt: str | None = None, *, database: str | None = None, config: Path | None = None, **options: Unpack[RunOptions]
) -> OrchestrationResult:
    """Answer a prompt by a chain, blocking: an answer below the threshold hands on to the chain's next model.

    `chain`: a name or 1 to 5 models; `threshold`: 0 to 1. The result's `metadata["stop_reason"]` says why it ended.
    """
    return run_orchestration(prompt, database=database, config=config, **_with("fallback", options))


async def run_with_fallback_async(
    prompt: str | None = None, *, database: str | None = None, config: Path | None = None, **options: Unpack[RunOptions]
) -> OrchestrationResult:
    """`run_with_fallback`, awaited."""
    return await run_orchestration_async(prompt, database=database, config=config, **_with("fallback", options))


def run_ensemble(
    prompt: str | None = None, *, database: str | None = None, config: Path | None = None, **options: Unpack[RunOptions]
) -> OrchestrationResult:
    """Answer a prompt by several models at once, blocking; their answers become one.

    `models`: 2 or 3; `method`: vote, score, judge or fuse. The result's metadata has `agreement` (0 to 1, None where
    the answers cannot be compared), `dissent` (the models that said otherwise) and `justification`.
    """
    return run_orchestration(prompt, database=database, config=config, **_with("ensemble", options))


async def run_ensemble_async(
    prompt: str | None = None, *, database: str | None = None, config: Path | None = None, **options: Unpack[RunOptions]
) -> OrchestrationResult:
    """`run_ensemble`, awaited."""
    return await run_orchestration_async(prompt, database=database, config=config, **_with("ensemble", options))


def _with(strategy: str, options: RunOptions) -> RunOptions:
    """The options with the strategy. Raises InvalidRequest where they name another."""
    given = options.get("strategy", strategy)
    if given != strategy:
        raise InvalidRequest(f"strategy {given!r} was given to a run by {strategy}: use run_orchestration")
    return {**options, "strategy": strategy}
