"""Functions for programs that keep no Orchestrator: all calls of a process share its stores and connections."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from ..application.result import OrchestrationResult
from ..application.run_options import RunOptions
from .bootstrap import Orchestrator
from .portal import shared_portal
from .settings import Settings


def run_orchestration(
    prompt: str | None = None, *, database: str | None = None, config: Path | None = None, **options: Unpack[RunOptions]
) -> OrchestrationResult:
    """Answer a prompt, blocking; works inside a running event loop too. Takes what `Orchestrator.run` takes.

    `database` and `config` are as the CLI has them. All calls of a process share its stores and connections.
    """
    settings = Settings.load(config, database_url=database)
    return shared_portal().call(settings, lambda orchestrator: orchestrator.run(prompt, **options))


async def run_orchestration_async(
    prompt: str | None = None, *, database: str | None = None, config: Path | None = None, **options: Unpack[RunOptions]
) -> OrchestrationResult:
    """Answer a prompt from async code, sharing the process's stores and connections. Cancelling it cancels the run."""
    settings = Settings.load(config, database_url=database)
    return await shared_portal().call_async(settings, lambda orchestrator: orchestrator.run(prompt, **options))


def route_to_model(prompt: str, *, config: Path | None = None, **options: Unpack[RunOptions]) -> str:
    """The name of the cheapest model that can answer, by the expected cost of this prompt; nothing is called.

    Raises InvalidRequest, and RunFailure where no usable model can answer.
    """
    plan = Orchestrator(Settings.load(config)).plan(prompt, **options)
    return plan.calls[0].model
