"""`privacy`: destroy stored texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest
from .options import AsJson, Config, Database
from .output import print_json, say

if TYPE_CHECKING:
    from ..application.privacy import Erased

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Destroy stored texts, and encrypt them.",
)
HOURS = {"h": 1, "d": 24, "w": 7 * 24}


@app.callback()
def group() -> None:
    """Destroy stored texts, and encrypt them."""


@app.command(epilog="Example: model-orchestrator privacy erase --older-than 90d --dry-run")
def erase(
    run: Annotated[str | None, typer.Argument(help="A run id, the beginning of one, or last.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Every run of this subject.")] = None,
    older_than: Annotated[str | None, typer.Option("--older-than", help="Runs started before: 12h, 90d, 52w.")] = None,
    by: Annotated[str, typer.Option("--by", help="Who erases.")] = "local",
    reason: Annotated[str | None, typer.Option("--reason", help="request, retention or leak.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which runs; erase nothing.")] = False,
    no_vacuum: Annotated[bool, typer.Option("--no-vacuum", help="Leave the file to a later `db vacuum`.")] = False,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Destroy prompts, answers and cached answers of runs for ever; events, costs and hashes stay.

    Exit 1 where a run was left alone because a living process works on it.
    """
    import asyncio

    if [run, subject, older_than].count(None) != 2:
        raise InvalidRequest("say what to erase: one of a run, --subject and --older-than")
    hours = None if older_than is None else hours_of(older_than)
    chosen = reason or ("request" if hours is None else "retention")
    done = asyncio.run(_erase(config, database, run, subject, hours, by, chosen, dry_run, vacuum=not no_vacuum))
    if as_json:
        print_json({"runs": list(done.runs), "left_alone": done.left_alone, "dry_run": dry_run})
    elif dry_run:
        for name in done.runs:
            print(name)
    for why in done.left_alone.values():
        say(why)
    say(f"{'would erase' if dry_run else 'erased'} the texts of {_count(len(done.runs))}")
    if done.left_alone:
        say(f"{_count(len(done.left_alone))} left alone: erase again when they have ended")
        raise typer.Exit(1)


@app.command("rotate-key", epilog="Example: model-orchestrator privacy rotate-key")
def rotate_key(as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """Change the key that texts are encrypted under; no text is rewritten.

    MODEL_ORCHESTRATOR_CONTENT_KEY is the new key, MODEL_ORCHESTRATOR_OLD_CONTENT_KEY the one so far. Set both for every
    process first, and take the old one away when this is done.
    """
    from ..domain.errors import ConfigurationError
    from ..infrastructure.settings import Settings
    from ..infrastructure.store.key_rotation import rotate
    from ..infrastructure.store.opening import is_there

    settings = Settings.load(config, database_url=database)
    if (keys := settings.content_keys()) is None:
        raise ConfigurationError("MODEL_ORCHESTRATOR_CONTENT_KEY is not set: set it to the new key")
    count = rotate(settings.database_url, keys) if is_there(settings.database_url) else 0
    if count:
        _clean_up(settings.database_url, vacuum=True)
    say(f"{count} {'key is' if count == 1 else 'keys are'} now under {keys.current.id.hex()[:8]}")
    if as_json:
        print_json({"rewrapped": count, "key": keys.current.id.hex()})


def hours_of(text: str) -> int:
    """Hours of an age such as 90d. Raises InvalidRequest."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in HOURS and len(number) <= 6):
        raise InvalidRequest(f"--older-than {text!r}: expected a number with h, d or w, such as 90d")
    return int(number) * HOURS[unit]


async def _erase(
    config: Path | None,
    database: str | None,
    run: str | None,
    subject: str | None,
    hours: int | None,
    by: str,
    reason: str,
    dry_run: bool,
    *,
    vacuum: bool,
) -> Erased:
    from ..application.privacy import Erased, Erasure, erasure_reason
    from ..application.run_options import label_of
    from ..application.runs import find_run
    from ..domain.units import MILLION, Timestamp
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    settings = Settings.load(config, database_url=database)
    async with Orchestrator(settings) as orchestrator:
        orchestrator.expect_runs()
        now = orchestrator.clock.now()
        erasure = Erasure(
            run=None if run is None else await find_run(orchestrator.store, run),
            subject=None if subject is None else label_of("subject", subject),
            before=None if hours is None else Timestamp(now - hours * 3600 * MILLION),
            by=label_of("by", by),
            reason=erasure_reason(reason),
        )
        privacy = orchestrator.privacy()
        done = Erased(tuple(await privacy.affected(erasure)), {}) if dry_run else await privacy.erase(erasure, now)
    if done.runs and not dry_run:
        _clean_up(settings.database_url, vacuum=vacuum)
    return done


def _clean_up(url: str, *, vacuum: bool) -> None:
    """What deleting leaves in the files."""
    from ..infrastructure.store.opening import sqlite_file

    path = sqlite_file(url)
    if path is None:
        say("PostgreSQL removes deleted rows with its vacuum; its write-ahead log, replicas and backups keep their own")
    elif vacuum:
        from ..infrastructure.store.sqlite_upkeep import vacuum as rewrite

        rewrite(path)
    else:
        say("the file may hold remnants of the texts until: model-orchestrator db vacuum")


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"
