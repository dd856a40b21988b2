"""`db`: upgrade the database, or show how it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import print_json, say

if TYPE_CHECKING:
    from ..infrastructure.store.database import DatabaseStatus

app = typer.Typer(
    help="Upgrade the database, or show how it stands.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Database = Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")]
Config = Annotated[Path | None, typer.Option("--config", help="A settings file.", metavar="FILE")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command(epilog="Example: model-orchestrator db upgrade --database postgresql://me@host/orchestrator")
def upgrade(database: Database = None, config: Config = None, as_json: AsJson = False) -> None:
    """Create the tables, or bring them to this release. A SQLite file does this by itself on first use."""
    from ..infrastructure.store.database import status, upgrade

    url = _url(database, config)
    upgrade(url)
    now = status(url)
    say(f"{now.database} has schema {now.revision}")
    if as_json:
        print_json(_document(now))


@app.command("status", epilog="Example: model-orchestrator db status --json")
def show_status(database: Database = None, config: Config = None, as_json: AsJson = False) -> None:
    """Show where the database is, its size, its schema, how durable a commit is; exit 1 where it needs an upgrade."""
    from ..infrastructure.store.database import status

    now = status(_url(database, config))
    if as_json:
        print_json(_document(now))
    else:
        for name, value in _lines(now):
            print(f"{name:<10} {value}")
    for warning in now.warnings:
        say(f"warning: {warning}")
    if not now.usable:
        newer = now.revision is not None and now.revision > now.newest
        advice = "a newer release wrote it: install that one" if newer else "run: model-orchestrator db upgrade"
        say(f"this release needs schema {now.newest}; {advice}")
        raise typer.Exit(1)


def _url(database: str | None, config: Path | None) -> str:
    from ..infrastructure.settings import Settings

    return Settings.load(config, database_url=database).database_url


def _lines(now: DatabaseStatus) -> list[tuple[str, str]]:
    return [
        ("database", now.database),
        ("server", now.server),
        ("size", f"{now.size:,} bytes"),
        ("schema", f"{now.revision or 'none'} (newest: {now.newest})"),
        ("events", "unknown" if now.events is None else f"{now.events:,}"),
        ("durability", ", ".join(f"{name}={value}" for name, value in now.durability.items())),
    ]


def _document(now: DatabaseStatus) -> dict[str, Any]:
    return {
        "database": now.database,
        "server": now.server,
        "size_bytes": now.size,
        "schema": now.revision,
        "newest_schema": now.newest,
        "events": now.events,
        "durability": now.durability,
        "warnings": list(now.warnings),
    }
