"""`projections`: how the read models stand, and building them anew."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain.errors import InvalidRequest
from .options import AsJson, Config, Database, open_orchestrator
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..application.read_models import ProjectionStatus

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Show how the read models stand, or build them anew.",
)
BAR = 30  # characters


@app.command(epilog="Example: model-orchestrator projections status")
def status(as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """Show each read model's checkpoint, how far it is behind the log, and its rows. Reports catch up by themselves."""
    import asyncio

    async def ask() -> tuple[list[ProjectionStatus], int]:
        async with open_orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            return orchestrator.read_models.status(), orchestrator.read_models.size()

    found, size = asyncio.run(ask())
    if as_json:
        print_json({"size_bytes": size, "projections": [_document(one) for one in found]})
        return
    columns = ("name", "version", "state", "checkpoint", "lag", "rows")
    print_table(columns, (_cells(one) for one in found))
    print(f"size {size:,} bytes")
    for one in found:
        if one.stopped_at is not None:
            say(
                f"{one.name} stands still before position {one.stopped_at} ({one.stopped_type}): {one.stopped_why}; "
                "a release that can read this event goes on from there"
            )


@app.command(epilog="Example: model-orchestrator projections rebuild attempts")
def rebuild(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One read model; all without it.")] = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Fold the log anew beside the live tables, then swap; a rebuild that was stopped goes on where it was."""
    import asyncio

    from ..infrastructure.read_models.registry import BY_NAME

    if name is not None and name not in BY_NAME:
        raise InvalidRequest(f"{name!r} is no read model: expected one of {', '.join(BY_NAME)}")
    progress = _bar() if sys.stderr.isatty() else None

    async def work() -> list[ProjectionStatus]:
        async with open_orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            orchestrator.read_models.rebuild(None if name is None else [name], progress)
            return orchestrator.read_models.status()

    built = [one for one in asyncio.run(work()) if name in (None, one.name)]
    if as_json:
        print_json([_document(one) for one in built])
    else:
        for one in built:
            say(f"{one.name} is rebuilt up to position {one.checkpoint}")


def _bar() -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        filled = BAR * done // max(1, total)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r[{'#' * filled}{' ' * (BAR - filled)}] {done:,} of {total:,} events{end}")
        sys.stderr.flush()

    return show


def _cells(one: ProjectionStatus) -> list[str]:
    rows = ", ".join(f"{table} {count:,}" for table, count in one.rows.items())
    return [one.name, str(one.version), one.state, f"{one.checkpoint:,}", f"{one.lag:,}", rows]


def _document(one: ProjectionStatus) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "state": one.state,
        "checkpoint": one.checkpoint,
        "lag": one.lag,
        "stopped": None
        if one.stopped_at is None
        else {"position": one.stopped_at, "type": one.stopped_type, "why": one.stopped_why},
        "rows": one.rows,
    }
