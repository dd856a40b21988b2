"""`budgets`: what may be spent, by scope and period."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from .options import AsJson, Config, Database
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..infrastructure.bootstrap import Orchestrator

T = TypeVar("T")

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Set, list, show and remove budgets, and read what became of them.",
)
Scope = Annotated[str, typer.Argument(help="global, category:NAME, tag:KEY=VALUE, model:NAME or key:NAME.")]
AnyScope = Annotated[str | None, typer.Argument(help="Only this scope's budgets.")]
Period = Annotated[str, typer.Option("--period", help="day, week, month or total.")]
AnyPeriod = Annotated[str | None, typer.Option("--period", help="Only day, week, month or total.")]
HEADER = ("scope", "period", "limit", "money", "held", "spent", "left")


@app.command(
    "set",
    epilog="Example: model-orchestrator budgets set category:chat 20 --period month --alert 50,80,100",
    context_settings={"ignore_unknown_options": True},  # so that -5 is an amount, and refused as one
)
def set_(
    scope: Scope,
    amount: Annotated[str, typer.Argument(help="USD.")],
    period: Period = "month",
    alert: Annotated[
        str | None, typer.Option("--alert", help="Tell at these per cents: 50,80,100 (the default), or none.")
    ] = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Allow so many US dollars in each period; a plan that could cost more than is left does not start."""
    from ..application.budget_reports import budget_dict
    from ..application.budgets import alerts_of, limit_of, period_of, scope_of

    where, kind, limit, alerts = scope_of(scope), period_of(period), limit_of(amount), alerts_of(alert)

    async def define(orchestrator: Orchestrator) -> dict[str, Any]:
        return budget_dict(await orchestrator.set_budget(where, limit, period=kind, alerts=alerts))

    budget = _with_orchestrator(config, database, define)
    if as_json:
        print_json(budget)
        return
    say(f"{scope} may spend ${budget['limit']} ({period})")
    latest = {row["money"]: row for row in budget["balances"]}  # rows come in order of their period
    for row in latest.values():
        say(f"in {row['period']} it has spent ${row['spent']} ({row['money']}) so far")


@app.command("list", epilog="Example: model-orchestrator budgets list")
def list_(as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """List the budgets with what is held, spent and left in each period."""
    from ..application.budget_reports import budget_dict, marked_budgets

    async def load(orchestrator: Orchestrator) -> list[dict[str, Any]]:
        if not orchestrator.has_database():
            return []
        return [budget_dict(budget) for budget in await marked_budgets(orchestrator.store, orchestrator.log)]

    budgets = _with_orchestrator(config, database, load)
    if as_json:
        print_json(budgets)
    else:
        print_table(HEADER, [row for budget in budgets for row in _rows(budget)])


@app.command(epilog="Example: model-orchestrator budgets show category:chat")
def show(
    scope: Scope, period: AnyPeriod = None, as_json: AsJson = False, database: Database = None, config: Config = None
) -> None:
    """Show a scope's budgets: limit, alerts and which of them were told, and each period's figures."""
    from ..application.budget_reports import budget_dict, show_budgets
    from ..application.budgets import no_budget, period_of, scope_of

    where, kind = scope_of(scope), None if period is None else period_of(period)

    async def load(orchestrator: Orchestrator) -> list[dict[str, Any]]:
        if not orchestrator.has_database():
            raise no_budget(where, kind)
        return [budget_dict(budget) for budget in await show_budgets(orchestrator.store, orchestrator.log, where, kind)]

    budgets = _with_orchestrator(config, database, load)
    if as_json:
        print_json(budgets)
        return
    for budget in budgets:
        alerts = ", ".join(f"{percent} %" for percent in budget["alerts"]) or "none"
        print(f"{budget['scope']} ({budget['period']})\nlimit   ${budget['limit']}\nalerts  {alerts}")
        for told in budget["told"]:
            figures = f"${told['spent']} of ${told['limit']} ({told['money']})"
            print(f"told    {told['percent']} % in {told['period']}: {figures}")
        if budget["balances"]:
            print_table(HEADER[1:2] + HEADER[3:], [row[1:2] + row[3:] for row in _rows(budget)])


@app.command(epilog="Example: model-orchestrator budgets history category:chat")
def history(
    scope: AnyScope = None,
    period: AnyPeriod = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Show when budgets were set, changed, removed and passed, and by whom; also those that are gone."""
    from ..application.budget_reports import budget_history, fact_dict
    from ..application.budgets import period_of, scope_of

    where, kind = None if scope is None else scope_of(scope), None if period is None else period_of(period)

    async def load(orchestrator: Orchestrator) -> list[dict[str, Any]]:
        if not orchestrator.has_database():
            return []
        return [fact_dict(fact) for fact in await budget_history(orchestrator.store, orchestrator.log, where, kind)]

    facts = _with_orchestrator(config, database, load)
    if as_json:
        print_json(facts)
    else:
        rows = [
            [*(str(fact[name]) for name in ("recorded_at", "actor", "scope", "period")), _says(fact)] for fact in facts
        ]
        print_table(("recorded_at", "actor", "scope", "period", "what"), rows)


@app.command(epilog="Example: model-orchestrator budgets remove category:chat --period month")
def remove(
    scope: Scope, period: Period = "month", as_json: AsJson = False, database: Database = None, config: Config = None
) -> None:
    """Lift a budget; what was spent stays in the log."""
    from ..application.budgets import no_budget, period_of, remove_budget, scope_of

    where, kind = scope_of(scope), period_of(period)

    async def lift(orchestrator: Orchestrator) -> None:
        if not orchestrator.has_database():
            raise no_budget(where, kind)
        await remove_budget(orchestrator.store, orchestrator.log, where, kind)

    _with_orchestrator(config, database, lift)
    if as_json:
        print_json({"scope": scope, "period": period, "removed": True})
    else:
        say(f"{scope} ({period}) has no budget any more")


def _rows(budget: dict[str, Any]) -> list[list[str]]:
    """A row for each period and kind of money; one without figures where nothing was spent yet."""
    return [
        [
            budget["scope"],
            one.get("period", budget["period"]),
            budget["limit"],
            *(one.get(name, "") for name in ("money", "held", "spent", "left")),
        ]
        for one in budget["balances"] or [{}]
    ]


def _says(fact: dict[str, Any]) -> str:
    """An event in words."""
    match fact["type"]:
        case "BudgetAlerted":
            spent = f"${fact['spent']} of ${fact['limit']} ({fact['money']})"
            return f"passed {fact['percent']} % in {fact['period_key']}: {spent}"
        case "BudgetRemoved":
            return "removed"
        case what:
            alerts = ", ".join(f"{percent} %" for percent in fact["alerts"]) or "none"
            spent = "".join(f"; ${one['spent']} ({one['money']}) spent before" for one in fact.get("opening", ()))
            return f"{'set' if what == 'BudgetDefined' else 'changed'} to ${fact['limit']}, alerts {alerts}{spent}"


def _with_orchestrator(config: Path | None, database: str | None, work: Callable[[Orchestrator], Awaitable[T]]) -> T:
    import asyncio

    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    async def opened() -> T:
        async with Orchestrator(Settings.load(config, database_url=database)) as orchestrator:
            return await work(orchestrator)

    return asyncio.run(opened())
