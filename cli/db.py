"""`db`: upgrade, finalize, back up, restore and vacuum the database, or show how it stands."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import print_json, say

if TYPE_CHECKING:
    from ..infrastructure.store.database import DatabaseStatus
    from ..infrastructure.store.sqlite_upkeep import Copied

app = typer.Typer(
    help="Upgrade, finalize, back up, restore and vacuum the database, or show how it stands.",
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


@app.command(epilog="Example: model-orchestrator db finalize --database postgresql://me@host/orchestrator")
def finalize(
    database: Database = None,
    config: Config = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Even while processes that may be of an older release use it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """End a rolling deploy: from now on workers write what is new with this release, which an older one cannot read."""
    from ..infrastructure.database_url import masked
    from ..infrastructure.store.finalizing import finalize

    url = _url(database, config)
    done = finalize(url, anyway=anyway)
    was = "stood there already" if done.before == done.now else f"stood at {done.before}"
    say(f"{masked(url)} is at level {done.now} of events; it {was}")
    if as_json:
        print_json({"database": masked(url), "level_before": done.before, "level": done.now})


@app.command(epilog="Example: model-orchestrator db backup /backups/monday.db")
def backup(
    file: Annotated[Path, typer.Argument(help="The copy; it must not exist yet.")],
    database: Database = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Copy a SQLite database as it stands now, while others write; for PostgreSQL say how."""
    from ..infrastructure.store.sqlite_upkeep import backup

    url = _url(database, config)
    path = _sqlite(url, "pg_dump --format=custom", f"--file={quote(str(file))}")
    _say_copied("backed up", backup(path, file), as_json=as_json)


@app.command(epilog="Example: model-orchestrator db restore /backups/monday.db --database sqlite:///restored.db")
def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `db backup` made.")],
    database: Database = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make a database of a backup, never over one that is there. What was erased since is back: erase it again."""
    from ..infrastructure.store.sqlite_upkeep import restore

    url = _url(database, config)
    path = _sqlite(url, "pg_restore --exit-on-error", quote(str(file)))
    _say_copied("restored", restore(file, path), as_json=as_json)


@app.command(epilog="Example: model-orchestrator db vacuum")
def vacuum(database: Database = None, config: Config = None, as_json: AsJson = False) -> None:
    """Rewrite a SQLite file without what was deleted from it; writers wait. For PostgreSQL say how."""
    from ..infrastructure.store.database import status
    from ..infrastructure.store.sqlite_upkeep import vacuum

    url = _url(database, config)
    tables = (
        "log.contents, log.content_uses, log.content_keys, log.idempotency_keys, log.cached_answers, log.dataset_rows"
    )
    path = _sqlite(url, "psql", f"--command='VACUUM (FULL) {tables}'")
    before = status(url).size
    vacuum(path)
    after = status(url).size
    say(f"{path}: {before:,} bytes before, {after:,} bytes now")
    if as_json:
        print_json({"database": url, "bytes_before": before, "bytes": after})


def _sqlite(url: str, tool: str, arguments: str) -> Path:
    """The database's file. Raises InvalidRequest with the command that PostgreSQL's own tools have for it."""
    from ..domain.errors import InvalidRequest
    from ..infrastructure.database_url import masked
    from ..infrastructure.store.database import file_of

    if not url.startswith("sqlite:"):
        address = masked(url)
        password = "PGPASSWORD=... " if "****" in address else ""
        command = f"{password}{tool} --dbname={quote(address.replace(':****', ''))} {arguments}"
        raise InvalidRequest(f"PostgreSQL has its own tools for this: {command}")
    return file_of(url)


def _say_copied(done: str, copied: Copied, *, as_json: bool) -> None:
    say(f"{done} {copied.events:,} events in {copied.file} ({copied.size:,} bytes)")
    if as_json:
        print_json({"file": str(copied.file), "events": copied.events, "size_bytes": copied.size})


def _url(database: str | None, config: Path | None) -> str:
    from ..infrastructure.settings import Settings

    return Settings.load(config, database_url=database).database_url


def _lines(now: DatabaseStatus) -> list[tuple[str, str]]:
    return [
        ("database", now.database),
        ("server", now.server),
        ("size", f"{now.size:,} bytes"),
        ("schema", f"{now.revision or 'none'} (newest: {now.newest})"),
        ("level", "unknown" if now.level is None else f"{now.level} (newest: {now.newest_level})"),
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
        "level": now.level,
        "newest_level": now.newest_level,
        "events": now.events,
        "durability": now.durability,
        "warnings": list(now.warnings),
    }
