"""`strategies`: the chains, panels and choices in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Database
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..domain.policy import Policy
    from ..infrastructure.settings import Settings

app = typer.Typer(
    help="Show the chains, panels and choices in force.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def root() -> None:
    """Show the chains, panels and choices in force."""


@app.command()
def show(
    provider: Annotated[
        str | None,
        typer.Option("--provider", help="live, simulated, anthropic, openai or recorded:NAME.", show_default=False),
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="Of this policy: a name, or a TOML file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    database: Database = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Show the chains with their thresholds, the ensembles' panels, and which strategy auto chooses for which task."""
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    settings = Settings.load(config, database_url=database)
    shown = Orchestrator(settings).policy(provider, policy).policy
    if as_json:
        print_json(_document(shown, settings))
    else:
        _show(shown, settings)


def _show(policy: Policy, settings: Settings) -> None:
    print("Chains of a fallback")
    chains = [_chain_row(policy, name, settings) for name in policy.chains]
    print_table(("NAME", "THRESHOLD", "MODELS", "BACKUP", "FROM"), chains)
    print("\nPanels of an ensemble")
    panels = [(name, " + ".join(models), _source(settings, "panels", name)) for name, models in policy.panels.items()]
    print_table(("NAME", "MODELS", "FROM"), panels)
    print("\nWhat auto chooses")
    choices = [(task, strategy, _source(settings, "matrix", task)) for task, strategy in _choices(policy).items()]
    print_table(("TASK", "STRATEGY", "FROM"), choices)
    weights = policy.score_weights
    print(f"\nScore: confidence {weights.confidence}, capability {weights.capability}, length {weights.length}")


def _chain_row(policy: Policy, name: str, settings: Settings) -> tuple[str, ...]:
    from ..domain.units import fraction

    chain = policy.chains[name]
    shown, source = f"{name} (default)" if name == policy.default_chain else name, _source(settings, "chains", name)
    return shown, f"{fraction(chain.threshold):.2f}", " > ".join(chain.models), chain.backup or "", source


def _choices(policy: Policy) -> dict[str, str]:
    """What auto chooses, by task, and by task and capability where that differs."""
    choices = {task.value: strategy for task, strategy in policy.matrix.items()}
    return choices | {f"{task.value}.{one.value}": strategy for (task, one), strategy in policy.by_capability.items()}


def _source(settings: Settings, table: str, name: str) -> str:
    """The file that says so, or that it is built in."""
    full = f"{table}.{name}"
    own = full in settings.sources or any(key.startswith(f"{full}.") for key in settings.sources if table == "chains")
    return str(settings.file) if own else "built in"


def _document(policy: Policy, settings: Settings) -> dict[str, Any]:
    from dataclasses import asdict

    from ..domain.units import fraction

    chains, choices = policy.chains, _choices(policy)
    sources = {"chains": chains, "panels": policy.panels, "matrix": choices}
    return {
        "policy": policy.version,
        "default_chain": policy.default_chain,
        "chains": {
            name: {"models": list(chain.models), "threshold": fraction(chain.threshold), "backup": chain.backup}
            for name, chain in chains.items()
        },
        "panels": {name: list(models) for name, models in policy.panels.items()},
        "matrix": choices,
        "score_weights": asdict(policy.score_weights),
        "sources": {kind: {name: _source(settings, kind, name) for name in names} for kind, names in sources.items()},
    }
