"""The options that most commands have, and the orchestrator they open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..infrastructure.bootstrap import Orchestrator

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Database = Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")]
Config = Annotated[Path | None, typer.Option("--config", help="A settings file.")]


def open_orchestrator(config: Path | None, database: str | None) -> Orchestrator:
    """By the settings of a command, to be used as a context. Raises ConfigurationError."""
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    return Orchestrator(Settings.load(config, database_url=database))
