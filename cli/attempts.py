"""`attempts`: paid calls, and what became of those whose outcome is unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain.errors import InvalidRequest, RunNotFound
from ..domain.units import Usd, plain
from .options import AsJson, Config, Database, open_orchestrator
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..domain.run import Run
    from ..projections.run_report import AttemptRow

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="List paid calls, and say what a lost one cost.",
)


@app.command("list", epilog="Example: model-orchestrator attempts list --lost")
def list_(
    lost: Annotated[bool, typer.Option("--lost", help="Only those whose outcome is unknown.")] = False,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """List attempts; a lost one holds its money until it is resolved, or `runs resume --all` assumed the most."""
    import asyncio

    from ..application.read_models import PENDING

    async def rows() -> list[dict[str, Any]]:
        async with open_orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            models = orchestrator.read_models
            models.tell = say
            found = models.attempts(conditions=PENDING, oldest_first=True) if lost else models.attempts()
            return [_listed(one) for one in found]

    try:
        found = asyncio.run(rows())
    except RunNotFound as error:
        say(str(error))
        found = []
    if as_json:
        print_json(found)
    elif found:
        columns = ("id", "model", "status", "error", "cost", "at_most", "evidence")
        print_table(columns, ([row[column] or "" for column in columns] for row in found))


@app.command(epilog="Example: model-orchestrator attempts resolve last:1 --unbilled")
def resolve(
    attempt: Annotated[str, typer.Argument(metavar="ID", help="RUN:N; RUN is an id, the beginning of one, or last.")],
    billed: Annotated[str | None, typer.Option("--billed", help="What the provider billed, in USD.")] = None,
    unbilled: Annotated[bool, typer.Option("--unbilled", help="The provider billed nothing.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who found out.")] = "local",
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Say what a lost attempt cost: its hold is settled at that."""
    import asyncio

    from ..application.resume import reconcile
    from ..application.run_options import label_of
    from ..application.runs import find_run

    name, number = _named(attempt)
    amount, who = _amount(billed, unbilled=unbilled), label_of("by", by)

    async def settle() -> dict[str, Any]:
        async with open_orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            run_id = await find_run(orchestrator.store, name)
            if number is None:
                raise InvalidRequest(
                    f"{attempt!r} names no attempt: expected RUN:N, as `attempts list --lost` shows them"
                )
            run = await reconcile(orchestrator.log, run_id, number, amount=amount, by=who)
            await orchestrator.alerts.after_each([run_id], orchestrator.log)
            return _row(run, number)

    row = asyncio.run(settle())
    if as_json:
        print_json(row)
    else:
        say(f"{row['id']} cost ${row['cost']}")


def _named(attempt: str) -> tuple[str, int | None]:
    """The run and the number; None where there is no number."""
    run, _, number = attempt.partition(":")
    return run, int(number) if number.isascii() and number.isdigit() else None


def _amount(billed: str | None, *, unbilled: bool) -> Usd:
    from ..application.run_options import max_cost_of

    if (billed is not None) == unbilled:
        raise InvalidRequest("say what it cost: either --billed AMOUNT or --unbilled")
    try:
        amount = Usd(0) if billed is None else max_cost_of({"max_cost": billed}, None)
    except InvalidRequest as error:
        raise InvalidRequest(str(error).replace("max cost", "--billed")) from None
    assert amount is not None
    return amount


def _row(run: Run, number: int) -> dict[str, Any]:
    """An attempt for JSON: amounts as decimal strings, null where unknown."""
    attempt = run.attempt(number)
    return {
        "id": f"{run.id}:{number}",
        "run_id": run.id,
        "attempt": number,
        "model": attempt.model,
        "status": attempt.status.value,
        "error": attempt.error and attempt.error.value,
        "cost": _text(attempt.spent),
        "at_most": _text(attempt.started.max_cost),
        "evidence": attempt.reconciled.evidence.value if attempt.reconciled and attempt.cost is None else None,
    }


def _listed(one: AttemptRow) -> dict[str, Any]:
    """An attempt of the list for JSON, as `_row` shows one read from the log."""
    from ..domain.units import usd

    return {
        "id": f"{one.run}:{one.number}",
        "run_id": one.run,
        "attempt": one.number,
        "model": one.model,
        "status": one.status,
        "error": one.error,
        "cost": None if one.cost is None else _text(usd(one.cost)),
        "at_most": None if one.max_cost is None else _text(usd(one.max_cost)),
        "evidence": one.evidence if one.charged_money is None else None,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
