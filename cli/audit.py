"""`audit`: what a run did, event by event, and whether the log is what was written."""

from __future__ import annotations

import typer

from . import audit_log, audit_trail

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Read what a run did, and verify the whole log.",
)


@app.callback()
def group() -> None:
    """Read what a run did, and verify the whole log."""


app.command(epilog="Example: model-orchestrator audit verify --quick")(audit_log.verify)
app.command(epilog="Example: model-orchestrator audit seal --out /mnt/elsewhere/seal.json")(audit_log.seal)
app.command("check-seal", epilog="Example: model-orchestrator audit check-seal seal-8.json")(audit_log.check_seal)
app.command(epilog="Example: model-orchestrator audit trail last --format html > trail.html")(audit_trail.trail)
