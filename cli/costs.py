"""`costs`: what was spent, and whether it was right."""

from __future__ import annotations

import typer

from . import cost_checks, cost_reconcile

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Reprice what was spent, and match it against a provider's bill.",
)


@app.callback()
def group() -> None:
    """Reprice what was spent, and match it against a provider's bill."""


app.command(epilog="Example: model-orchestrator costs reprice --card latest --since 30d")(cost_checks.reprice)
app.command(epilog="Example: model-orchestrator costs reconcile usage.csv --apply")(cost_reconcile.reconcile)
