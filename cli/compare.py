"""`compare`: what each strategy would do for a prompt and what it can cost, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain.errors import InvalidRequest
from .output import money, print_json, print_table, say, say_wait
from .run import read_prompt

if TYPE_CHECKING:
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.comparison import Compared

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog='Example: model-orchestrator compare "Compare REST and GraphQL"')
def compare(
    prompt_argument: Annotated[
        str | None, typer.Argument(metavar="[PROMPT]", help="The prompt; - reads standard input.", show_default=False)
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Read the prompt from a file.")] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", help="live, simulated, anthropic, openai or recorded:NAME.", show_default=False),
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="A policy's name, or a TOML file.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Run them and show their answers; needs --max-cost.")] = False,
    max_cost: Annotated[str | None, typer.Option("--max-cost", help="The most all of them may cost, in USD.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    database: Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Show every strategy's models and price range for a prompt; nothing is sent, except with --live."""
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    if live and max_cost is None:
        raise InvalidRequest("--live asks the models of every strategy: say with --max-cost what that may cost")
    orchestrator = Orchestrator(Settings.load(config, database_url=database), on_wait=say_wait)
    text = read_prompt(prompt_argument, None, file)
    options: dict[str, Any] = {"provider": provider, "max_cost": max_cost, "policy": policy}
    if notice := orchestrator.provider_notice(provider):
        say(notice)
    rows = _rows(orchestrator, text, options, live=live)
    simulated = any(row.plan is not None and row.plan.provider == "simulated" for row in rows)
    if as_json:
        print_json({"simulated": simulated, "strategies": [row.to_dict() for row in rows]})
    else:
        _show(rows)


def _rows(orchestrator: Orchestrator, text: str, options: dict[str, Any], *, live: bool) -> list[Compared]:
    """The plans of all strategies; live, they are run one after the other."""
    import asyncio

    from ..infrastructure.comparison import answered, compared

    async def run() -> list[Compared]:
        max_cost = orchestrator.prepare(text, **options)[0].max_cost
        async with orchestrator:
            if not live:
                return compared(orchestrator, text, options)
            assert max_cost is not None, "asked for before"
            return [row async for row in answered(orchestrator, text, options, max_cost=max_cost)]

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        say("interrupted: what had begun is recorded as cancelled; see `model-orchestrator runs list`")
        raise typer.Exit(130) from None


def _show(rows: list[Compared]) -> None:
    ran = any(row.result for row in rows)
    header = ("STRATEGY", "MODELS", "PRICE", "EXPECTED", *(("COST", "TIME") if ran else ()))
    print_table(header, [_row(row, ran=ran) for row in rows])
    for row in rows:
        if row.is_chosen_by_auto:
            say(f"auto would choose {row.strategy}")
        if row.error:
            say(f"{row.strategy}: {row.error}")
    for row in rows:
        if row.result:
            print(f"\n{row.strategy}: {row.result.response}")


def _row(row: Compared, *, ran: bool) -> tuple[str, ...]:
    """Models of a chain in their order, of an ensemble side by side."""
    calls = row.plan.calls if row.plan else ()
    joint = " + " if row.strategy == "ensemble" else " > "
    low, high = row.plan.price_range if row.plan else (None, None)
    price = f"{money(low)} to {money(high)}" if high is not None else "unknown" if calls else "none"
    expected = "unknown" if row.expected_seconds is None else f"{row.expected_seconds:.2f} s"
    cells = (row.strategy, joint.join(call.model for call in calls) or "none", price, expected)
    if not ran:
        return cells
    cost = money(row.result.cost, kind=row.result.metadata["money"]) if row.result else ""
    return (*cells, cost, f"{row.result.latency:.2f} s" if row.result else "")
