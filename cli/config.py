"""`config`: write a settings file, and show what is in effect and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..infrastructure.settings import Settings

app = typer.Typer(
    help="Write or show the settings.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Config = Annotated[Path | None, typer.Option(help="The settings file.", metavar="FILE")]


@app.command()
def init(
    config: Config = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a settings file in which every setting is explained; by default in this folder."""
    from ..infrastructure.settings import FILE_NAME
    from ..infrastructure.settings_file import write_template

    path = (config or Path(FILE_NAME)).expanduser().absolute()
    write_template(path, force=force)
    typer.echo(f"Wrote {path}", err=True)


@app.command()
def show(
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the settings in effect and where each came from; secrets are masked."""
    from ..infrastructure.settings import Settings

    settings = Settings.load(config)
    rows = effective(settings)
    if as_json:
        import json

        values = {name: {"value": value, "source": source} for name, value, source in rows}
        file = str(settings.file) if settings.file else None
        print(json.dumps({"file": file, "settings": values}, ensure_ascii=False, indent=2))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, value, source in rows:
        print(f"{name.ljust(width)} = {'not set' if value is None else value}  ({source})")
    typer.echo(f"File: {settings.file or 'none'}", err=True)


def effective(settings: Settings) -> list[tuple[str, str | None, str]]:
    """Name, value as text (None: not set) and source of every setting; keys and passwords as stars."""
    from ..infrastructure.database_url import masked
    from ..infrastructure.model_settings import KEY_VARIABLES, ModelSettings, ProviderSettings
    from ..infrastructure.setting_keys import keys_of
    from ..infrastructure.settings import SECRETS, Settings

    rows = [(name, _text(getattr(settings, name)), settings.source(name)) for name in keys_of(Settings)]
    rows[0] = ("database_url", masked(settings.database_url), settings.source("database_url"))
    for variable in sorted({*KEY_VARIABLES.values(), *settings.keys}):
        known = variable in settings.keys
        rows.append((variable, "****" if known else None, "environment" if known else "default"))
    given = (variable for variable, field in SECRETS.items() if getattr(settings, field) is not None)
    rows += [(variable, "****", "environment") for variable in given]
    tables = (("providers", settings.providers, ProviderSettings), ("models", settings.models, ModelSettings))
    for kind, named, fields in tables:
        for name, table in named.items():
            for key in keys_of(fields):
                value = getattr(table, key)
                full = f"{kind}.{name}.{key}"
                rows += [(full, _text(value), settings.source(full))] if value is not None else []
    return rows + _service_rows(settings) + _policy_rows(settings)


def _service_rows(settings: Settings) -> list[tuple[str, str | None, str]]:
    """What the service admits, where the file says so."""
    from ..infrastructure.service_settings import ServiceSettings
    from ..infrastructure.setting_keys import keys_of

    given = [(f"service.{key}", getattr(settings.service, key)) for key in keys_of(ServiceSettings)]
    return [(name, _text(value), settings.source(name)) for name, value in given if name in settings.sources]


def _policy_rows(settings: Settings) -> list[tuple[str, str | None, str]]:
    """The chains, panels and choices that the file gives; `strategies show` has all that are in force."""
    from dataclasses import asdict

    from ..infrastructure.policy_settings import ChainSettings, PolicyKeys
    from ..infrastructure.setting_keys import keys_of

    own, found = settings.changes, {}
    for name, chain in own.chains.items():
        for field in keys_of(ChainSettings):
            value = getattr(chain, field)
            if value is not None:
                found[f"chains.{name}.{field}"] = f"{value / 1_000_000:g}" if field == "threshold" else _text(value)
    found |= {f"panels.{name}": _text(models) for name, models in own.panels.items()}
    for (task, capability), strategy in own.matrix.items():
        found[f"matrix.{task.value}" + ("" if capability is None else f".{capability.value}")] = strategy
    weights = {f"score_weights.{name}": str(weight) for name, weight in asdict(own.score_weights).items()}
    found |= {name: weight for name, weight in weights.items() if name in settings.sources}
    for policy, named in settings.policies.items():
        for key in keys_of(PolicyKeys):
            value = getattr(named.keys, key)
            if value is not None:
                shown = f"{value / 1_000_000:g}" if key in ("target", "explore") else str(value)
                found[f"policies.{policy}.{key}"] = shown
    return [(name, text, settings.source(name)) for name, text in found.items()]


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(str(getattr(entry, "above", entry)) for entry in value)
    return str(value)
