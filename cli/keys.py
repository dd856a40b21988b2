"""`keys`: who may ask the service, for what, and how much."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Config, Database, open_orchestrator
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..domain.api_key import ApiKey
    from ..infrastructure.bootstrap import Orchestrator

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Make, list and revoke the service's API keys.",
)
HEADER = ("name", "id", "scopes", "models", "rpm", "created")


@app.command(epilog="Example: model-orchestrator keys create web --budget 5/day --rpm 60")
def create(
    name: Annotated[str, typer.Argument(help="Who will ask: the owner of the runs.")],
    scope: Annotated[str, typer.Option("--scope", help="Any of run, read, admin, with commas.")] = "run,read",
    budget: Annotated[str | None, typer.Option("--budget", help="USD and a period, such as 5/day.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="The only models it may ask, with commas.")] = None,
    rpm: Annotated[int | None, typer.Option("--rpm", help="At most so many requests a minute.")] = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Make a key and print its token, this once: only a hash of it is stored."""
    from ..application.api_keys import budget_of, key_dict, keys_of, rate_of, scopes_of
    from ..domain.api_key import key_name_of
    from ..infrastructure.key_making import make_key

    who, scopes, rate = key_name_of(name), scopes_of(scope), rate_of(rpm)
    limit = None if budget is None else budget_of(budget)

    async def made() -> tuple[ApiKey, str, bool]:
        async with open_orchestrator(config, database) as orchestrator:
            allowed = None if models is None else _models(orchestrator, models)
            before = bool(await keys_of(orchestrator.store, orchestrator.log, who))
            key, token = await make_key(
                orchestrator, who, scopes=scopes, models=allowed, requests_a_minute=rate, budget=limit
            )
            return key, token, before

    key, token, before = asyncio.run(made())
    if before:
        say(f"{who} had a key before: this one goes on with its runs and budgets; for somebody else take another name")
    say("the token is shown this once: keep it; who has it can ask, and spend")
    if as_json:
        print_json({**key_dict(key), "token": token})
    else:
        print(token)


@app.command("list", epilog="Example: model-orchestrator keys list --all")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that are revoked too.")] = False,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """List the keys in force, oldest first; a token cannot be shown again."""
    from ..application.api_keys import key_dict, list_keys

    async def load() -> Sequence[ApiKey]:
        async with open_orchestrator(config, database) as orchestrator:
            return await list_keys(orchestrator.store, orchestrator.log) if orchestrator.has_database() else ()

    keys = [key_dict(key) for key in asyncio.run(load()) if everything or key.is_in_force]
    if as_json:
        print_json(keys)
        return
    header = (*HEADER, "revoked") if everything else HEADER
    print_table(header, [_row(key)[: len(header)] for key in keys])


@app.command(epilog="Example: model-orchestrator keys revoke web")
def revoke(
    key: Annotated[str, typer.Argument(help="Its name, or its id.")],
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Take a key out of force, at once in every process and for good; its runs and budgets stay."""
    from ..application.api_keys import key_dict, no_key, revoke_key

    async def revoked() -> ApiKey:
        async with open_orchestrator(config, database) as orchestrator:
            if not orchestrator.has_database():
                raise no_key(key)
            return await revoke_key(orchestrator.store, orchestrator.log, key, by="local")

    done = asyncio.run(revoked())
    if as_json:
        print_json(key_dict(done))
    else:
        say(f"the key {done.name} ({done.id}) is revoked")


def _models(orchestrator: Orchestrator, text: str) -> list[str]:
    """Names of the catalogue in force, as they were given. Raises InvalidRequest for another, with the nearest."""
    from ..infrastructure.catalogues import find_model, load_catalogue

    catalogue = load_catalogue(orchestrator.settings, orchestrator.provider_name())
    return [find_model(catalogue, name.strip()).name for name in text.split(",")]


def _row(key: dict[str, Any]) -> list[str]:
    return [
        key["name"],
        key["id"],
        ",".join(key["scopes"]),
        "any" if key["models"] is None else ",".join(key["models"]),
        str(key["requests_a_minute"] or "any"),
        key["created_at"],
        key["revoked_at"] or "",
    ]
