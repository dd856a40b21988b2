"""`models`: which models there are, what they cost and which can be called; and adding more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import model_stats

if TYPE_CHECKING:
    from ..domain.breaker import BreakerState
    from ..domain.catalogue import ModelConfig
    from ..domain.events import Exclusion
    from ..domain.pricing import PriceCard

app = typer.Typer(
    help="List the models, show how they do, or add one.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Config = Annotated[Path | None, typer.Option(help="The settings file.", metavar="FILE")]
HEADINGS = ("MODEL", "CLASS", "PROVIDER", "IN $/1M", "OUT $/1M", "CONTEXT", "LIVE")


@app.command("list", epilog="Example: model-orchestrator models list --catalogue current")
def list_models(
    catalogue: Annotated[str | None, typer.Option(help="seed or current.")] = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the models of the catalogue with their prices, and which can be called live."""
    import asyncio

    from ..infrastructure.availability import availability
    from ..infrastructure.breaker_states import breaker_states
    from ..infrastructure.catalogues import load_catalogue
    from ..infrastructure.model_documents import model_document
    from ..infrastructure.settings import Settings, resolve_provider

    settings = Settings.load(config, catalogue=catalogue)
    provider, notice = resolve_provider(settings, None)
    chosen = load_catalogue(settings, provider)
    _, excluded = availability(chosen, settings, "live")
    why = {exclusion.model: exclusion for exclusion in excluded}
    held_back = asyncio.run(breaker_states(settings, chosen.models))
    if as_json:
        import json

        rows = [model_document(model, why.get(model.name), held_back.get(model.name)) for model in chosen.models]
        print(
            json.dumps({"catalogue": chosen.name, "provider": provider, "models": rows}, ensure_ascii=False, indent=2)
        )
        return
    _print_table([HEADINGS, *(_row(model, why.get(model.name), held_back.get(model.name)) for model in chosen.models)])
    typer.echo(
        f"Catalogue {chosen.name}. Simulated runs can use every model.{f' Now {notice}.' if notice else ''}", err=True
    )


app.command(epilog="Example: model-orchestrator models stats gpt-4o-mini --since 7d")(model_stats.stats)


@app.command(epilog="Example: model-orchestrator models add groq/llama-3.1-8b-instant --as fast-llama")
def add(
    name: Annotated[str, typer.Argument(help="A model of the price list, by its id or VENDOR/ID.")],
    alias: Annotated[str | None, typer.Option("--as", help="What to call it here.", metavar="NAME")] = None,
    capability: Annotated[
        str, typer.Option(help="The hardest prompts it is trusted with: basic, intermediate, advanced or expert.")
    ] = "basic",
    config: Config = None,
) -> None:
    """Add a model to your settings file, with its public prices."""
    import os

    from ..infrastructure.model_settings import ModelSettings
    from ..infrastructure.setting_keys import keys_of, read
    from ..infrastructure.settings import find_file, user_file
    from ..infrastructure.settings_file import add_model, find_priced

    capability = read(keys_of(ModelSettings)["capability"], capability, name="--capability", source="the arguments")
    priced = find_priced(name)
    path = config.expanduser().absolute() if config else find_file() or user_file()
    add_model(path, priced, name=alias or priced.id, capability=capability, env=os.environ)
    typer.echo(f"Added {alias or priced.id} ({priced.vendor}, {capability}) to {path}", err=True)


def _row(model: ModelConfig, exclusion: Exclusion | None, breaker: BreakerState | None) -> tuple[str, ...]:
    from ..infrastructure.model_documents import model_status

    card = model.price
    return (
        model.name,
        model.capability.value,
        model.provider.value,
        _price(card, "input"),
        _price(card, "output"),
        f"{model.context_window:,}",
        model_status(model, exclusion, breaker),
    )


def _price(card: PriceCard | None, kind: str) -> str:
    """The price; "from" where long inputs cost more."""
    return "unknown" if card is None else f"{'from ' if card.tiers else ''}{getattr(card, kind)}"


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if 3 <= index <= 5 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
