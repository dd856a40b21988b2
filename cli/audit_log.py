"""`audit verify`, `audit seal` and `audit check-seal`: the log proves itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, Config, Database
from .output import print_json, say


def verify(
    quick: Annotated[bool, typer.Option("--quick", help="The log alone: not what is worked out from it.")] = False,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Check every hash, the chain, versions and positions, then balances and read models; exit 1 where one is off.

    What this shows, and what it cannot show without a seal, stands in docs/audit.md.
    """
    import time

    from ..infrastructure.store.log_audit import verify_database

    url = _url(database, config)
    began = time.monotonic()
    done = verify_database(url)
    seconds = time.monotonic() - began
    problems = [*done.problems, *([] if quick or done.problems else _derived_problems(url, config))]
    if as_json:
        print_json({"events": done.events, "problems": problems, "seconds": round(seconds, 3), "quick": quick})
    else:
        for problem in problems:
            print(problem)
    checked = f"{done.events:,} events in {seconds:.1f} s"
    say(f"{checked}: {_count(problems)}")
    if problems:
        raise typer.Exit(1)


def seal(
    key: Annotated[Path | None, typer.Option("--key", help="The signing key, PEM.")] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make the signing key first.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The seal's file; default: seal-POSITION.json.")] = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Sign the log's head, and write that to a small file: keep it where this database's keepers cannot change it."""
    import asyncio

    from ..domain.events import LogSealed
    from ..infrastructure import seals
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    key_file = key or seals.default_key_file()
    settings = Settings.load(config, database_url=database)
    if new_key:
        seals.new_key(key_file)
        say(f"made the signing key {key_file}: keep it, and away from the database")

    async def sealed_now() -> LogSealed:
        async with Orchestrator(settings) as orchestrator:
            orchestrator.expect_runs()
            return await seals.seal(orchestrator.store, orchestrator.log, key_file, orchestrator.clock.now())

    sealed = asyncio.run(sealed_now())
    file = out or Path(f"seal-{sealed.position}.json")
    seals.write_new(file, f"{seals.seal_json(sealed)}\n".encode())
    say(f"sealed up to position {sealed.position} with the key {sealed.public_key}: keep {file} elsewhere")
    if as_json:
        print(seals.seal_json(sealed))


def check_seal(
    file: Annotated[Path, typer.Argument(help="The file that `audit seal` wrote.")],
    public_key: Annotated[str | None, typer.Option("--public-key", help="Who must have signed, in hex.")] = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Check that nothing up to the seal was removed or rewritten; exit 1 where it was."""
    from ..domain.errors import InvalidRequest
    from ..infrastructure import seals

    url = _url(database, config)
    sealed = seals.read_seal(file)
    if public_key is not None and public_key.strip().lower() != sealed.public_key:
        raise InvalidRequest(f"{file} is signed with the key {sealed.public_key}, not with the one asked for")
    done = seals.check_seal(url, sealed)
    if as_json:
        print_json({"position": sealed.position, "public_key": sealed.public_key, "problems": list(done.problems)})
    else:
        for problem in done.problems:
            print(problem)
    say(f"{done.events:,} events up to position {sealed.position}, key {sealed.public_key}: {_count(done.problems)}")
    if done.problems:
        raise typer.Exit(1)


def _url(database: str | None, config: Path | None) -> str:
    from ..domain.errors import RunNotFound
    from ..infrastructure.database_url import masked
    from ..infrastructure.settings import Settings
    from ..infrastructure.store.opening import is_there

    url = Settings.load(config, database_url=database).database_url
    if not is_there(url):
        raise RunNotFound(f"there is no database {masked(url)}: nothing was recorded there yet")
    return url


def _derived_problems(url: str, config: Path | None) -> list[str]:
    """Of what is worked out from the log: balances, limits and read models."""
    import asyncio

    from ..application.balance_audit import balance_problems
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    async def problems() -> list[str]:
        async with Orchestrator(Settings.load(config, database_url=url)) as orchestrator:
            balances = await balance_problems(orchestrator.store, orchestrator.log)
            return [*balances, *orchestrator.read_models.problems()]

    return asyncio.run(problems())


def _count(problems: Sequence[str]) -> str:
    count = len(problems)
    return "nothing is wrong" if not count else f"{count} {'problem' if count == 1 else 'problems'}"
