"""`feedback`: what people say of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .options import AsJson, Config, Database, open_orchestrator
from .output import print_json, say

if TYPE_CHECKING:
    from ..domain.events import FeedbackGiven

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog='Example: model-orchestrator feedback last bad --by ann --note "it is 4"')
def feedback(
    run: Annotated[str, typer.Argument(help="A run id, the beginning of one, or last.")],
    value: Annotated[str, typer.Argument(help="good, bad, or 0 (wrong) to 1 (right).")],
    by: Annotated[str, typer.Option("--by", help="Who says so.")] = "local",
    note: Annotated[str | None, typer.Option("--note", help="Why; a text, erased with the run's.")] = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Say how good a run's answer was. It is an event of the run; of each who says something, the last word stands."""
    import asyncio

    from ..application.feedback import feedback_value
    from ..application.runs import find_run
    from ..domain.units import fraction

    said = feedback_value(value)

    async def give() -> tuple[str, list[FeedbackGiven]]:
        async with open_orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            run_id = await find_run(orchestrator.store, run)
            return run_id, await orchestrator.feedback(run_id, value, by=by, note=note)

    run_id, new = asyncio.run(give())
    if as_json:
        print_json({"run_id": run_id, "value": fraction(said), "by": by, "new": bool(new)})
    elif new:
        say(f"{run_id}: {fraction(said):g} by {by}")
    else:
        say(f"{run_id}: {by} said so already")
