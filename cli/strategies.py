"""`strategies`: the chains, panels and choices in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import print_json, print_table

if TYPE_CHECKING:
    from ..domain.policy import Policy

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
        str | None, typer.Option("--provider", help="live, simulated, anthropic or openai.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Show the chains with their thresholds, the ensembles' panels, and which strategy auto chooses for which task."""
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    policy = Orchestrator(Settings.load(config)).policy(provider)
    if as_json:
        print_json(_document(policy))
        return
    print("Chains of a fallback")
    print_table(("NAME", "THRESHOLD", "MODELS", "BACKUP"), [_chain_row(policy, name) for name in policy.chains])
    print("\nPanels of an ensemble")
    print_table(("NAME", "MODELS"), [(name, " + ".join(models)) for name, models in policy.panels.items()])
    print("\nWhat auto chooses")
    print_table(("TASK", "STRATEGY"), [(task.value, strategy) for task, strategy in policy.matrix.items()])


def _chain_row(policy: Policy, name: str) -> tuple[str, ...]:
    from ..domain.units import fraction

    chain = policy.chains[name]
    shown = f"{name} (default)" if name == policy.default_chain else name
    return shown, f"{fraction(chain.threshold):.2f}", " > ".join(chain.models), chain.backup or ""


def _document(policy: Policy) -> dict[str, Any]:
    from ..domain.units import fraction

    return {
        "policy": policy.version,
        "default_chain": policy.default_chain,
        "chains": {
            name: {"models": list(chain.models), "threshold": fraction(chain.threshold), "backup": chain.backup}
            for name, chain in policy.chains.items()
        },
        "panels": {name: list(models) for name, models in policy.panels.items()},
        "matrix": {task.value: strategy for task, strategy in policy.matrix.items()},
    }
