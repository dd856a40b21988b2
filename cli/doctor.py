"""`doctor`: check keys, reach, models and the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import print_json

if TYPE_CHECKING:
    from ..infrastructure.doctor import Finding

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
MARKS = {True: "ok", None: "note", False: "BAD"}


@app.command(epilog="Example: model-orchestrator doctor")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    database: Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Check keys, reach, models, the database and versions; connects to the providers, sends them nothing."""
    import asyncio

    from ..infrastructure.doctor import examine
    from ..infrastructure.settings import Settings

    async def findings() -> list[Finding]:
        return [finding async for finding in examine(Settings.load(config, database_url=database))]

    found = asyncio.run(findings())
    if as_json:
        print_json([_document(one) for one in found])
    else:
        for one in found:
            print(f"{MARKS[one.ok]:<5} {one.name}: {one.says}")
    raise typer.Exit(1 if any(one.ok is False for one in found) else 0)


def _document(one: Finding) -> dict[str, Any]:
    document = {"name": one.name, "ok": one.ok, "says": one.says}
    return document if one.breaker is None else document | {"breaker": one.breaker}
