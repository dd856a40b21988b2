"""`learn`: trains policies from recorded outcomes."""

from __future__ import annotations

import typer

from .learn_confidence import EPILOG, learn_confidence

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)
app.command("confidence", epilog=EPILOG)(learn_confidence)


@app.callback(epilog="Try: model-orchestrator learn confidence --help")
def learn() -> None:
    """Train policies from recorded outcomes; serving them needs no extra."""
