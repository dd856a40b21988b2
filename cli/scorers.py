"""`scorers`: who can say how far an answer is trusted."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import print_json, print_table

app = typer.Typer(
    help="List who can say how far an answer is trusted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def root() -> None:
    """List who can say how far an answer is trusted."""


@app.command(name="list", epilog="Example: model-orchestrator scorers list")
def list_scorers(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List the scorers that `run --scorer` takes: what each reads, and what it costs."""
    from dataclasses import asdict

    from ..domain.scorers import SCORERS

    if as_json:
        print_json({"scorers": [asdict(one) for one in SCORERS]})
        return
    rows = [(f"{one.name} (default)" if one.is_default else one.name, one.version, one.costs) for one in SCORERS]
    print_table(("NAME", "VERSION", "COSTS"), rows)
    for one in SCORERS:
        print(f"{one.name} reads {one.reads}")
