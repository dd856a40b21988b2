"""`budgets`: what may be spent, by scope and period."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..infrastructure.bootstrap import Orchestrator

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Set, list and remove budgets.",
)
Scope = Annotated[str, typer.Argument(help="global, category:NAME, tag:KEY=VALUE or model:NAME.")]
Period = Annotated[str, typer.Option("--period", help="day, week, month or total.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Database = Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")]
Config = Annotated[Path | None, typer.Option("--config", help="A settings file.")]


@app.command("set", epilog="Example: model-orchestrator budgets set category:chat 20 --period month")
def set_(
    scope: Scope,
    amount: Annotated[str, typer.Argument(help="USD.")],
    period: Period = "month",
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Allow so many US dollars in each period; a plan that could cost more than is left does not start."""
    import asyncio

    from ..application.budgets import set_budget
    from ..application.run_options import max_cost_of
    from ..domain.units import Usd, plain

    limit = max_cost_of({"max_cost": amount}, None) or Usd(0)

    async def define() -> None:
        async with _orchestrator(config, database) as orchestrator:
            await set_budget(orchestrator.store, orchestrator.log.new_events, scope, period, limit)

    asyncio.run(define())
    if as_json:
        print_json({"scope": scope, "period": period, "limit": plain(limit)})
    else:
        say(f"{scope} may spend ${plain(limit)} ({period})")


@app.command("list", epilog="Example: model-orchestrator budgets list")
def list_(as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """List the budgets with what is held, spent and left in each period."""
    import asyncio

    from ..application.budgets import Budget, budget_dict, list_budgets

    async def load() -> list[Budget]:
        async with _orchestrator(config, database) as orchestrator:
            return await list_budgets(orchestrator.store)

    budgets = [budget_dict(budget) for budget in asyncio.run(load())]
    if as_json:
        print_json(budgets)
        return
    rows = []
    for budget in budgets:
        balances = budget["balances"] or [{}]
        assert isinstance(balances, list)
        for one in balances:
            figures = [str(one.get(name, "")) for name in ("money", "held", "spent", "left")]
            rows.append(
                [str(budget["scope"]), str(one.get("period", budget["period"])), str(budget["limit"]), *figures]
            )
    print_table(("scope", "period", "limit", "money", "held", "spent", "left"), rows)


@app.command(epilog="Example: model-orchestrator budgets remove category:chat --period month")
def remove(scope: Scope, period: Period = "month", database: Database = None, config: Config = None) -> None:
    """Lift a budget; what was spent stays in the log."""
    import asyncio

    from ..application.budgets import remove_budget

    async def lift() -> None:
        async with _orchestrator(config, database) as orchestrator:
            await remove_budget(orchestrator.store, orchestrator.log.new_events, scope, period)

    asyncio.run(lift())
    say(f"{scope} ({period}) has no budget any more")


def _orchestrator(config: Path | None, database: str | None) -> Orchestrator:
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    return Orchestrator(Settings.load(config, database_url=database))
