"""`serve`: the service for clients of OpenAI and Anthropic, its API and its dashboard."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest
from .options import Config, Database
from .output import say

if TYPE_CHECKING:
    from ..infrastructure.settings import Settings

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: model-orchestrator serve --port 8080 --workers 2")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 picks a free one.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that serve.")] = 1,
    provider: Annotated[str | None, typer.Option(help="Who answers: live, simulated or recorded:NAME.")] = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Serve OpenAI's and Anthropic's protocols, an API over the log, and a dashboard; the address goes to stdout."""
    from ..infrastructure.http.guard import is_loopback
    from ..infrastructure.http.server import serve as serve_http
    from ..infrastructure.settings import Settings, resolve_provider

    settings = Settings.load(config, database_url=database, provider=provider)
    _, notice = resolve_provider(settings, None)
    if notice:
        say(notice)

    if not is_loopback(host):
        asyncio.run(_check_keys(settings, host))

    def ready(address: str) -> None:
        print(address, flush=True)
        say(f"serving {address}/v1 (OpenAI), {address} (Anthropic), {address}/dashboard; Ctrl-C ends it")

    serve_http(settings, _environment(config, database, provider), host=host, port=port, workers=workers, ready=ready)


async def _check_keys(settings: Settings, host: str) -> None:
    """Raises InvalidRequest where nothing would protect the service from the network."""
    from ..infrastructure.bootstrap import Orchestrator

    async with Orchestrator(settings) as orchestrator:
        if not await orchestrator.keys.in_force():
            raise InvalidRequest(
                f"{host} can be reached by others, and no API key protects the service: make one with "
                "`model-orchestrator keys create NAME`, or serve on 127.0.0.1"
            )


def _environment(config: Path | None, database: str | None, provider: str | None) -> dict[str, str]:
    """What makes a worker process load the same settings."""
    from ..infrastructure.settings import CONFIG_VARIABLE, PREFIX

    given = {
        CONFIG_VARIABLE: None if config is None else str(config.absolute()),
        PREFIX + "DATABASE_URL": database,
        PREFIX + "PROVIDER": provider,
    }
    return {name: value for name, value in given.items() if value is not None}
