"""`learn`: policies trained from recorded outcomes."""

from __future__ import annotations

import typer

from .learn_confidence import EPILOG as CONFIDENCE
from .learn_confidence import learn_confidence
from .learn_routing import EPILOG as ROUTING
from .learn_routing import learn_routing

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)
app.command("routing", epilog=ROUTING)(learn_routing)
app.command("confidence", epilog=CONFIDENCE)(learn_confidence)


@app.callback(epilog="Try: model-orchestrator learn routing --help")
def learn() -> None:
    """Train policies from recorded outcomes; serving them needs no extra."""
