"""`selftest`: try the parts of the orchestrator on themselves."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import print_json

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: model-orchestrator selftest")
def selftest(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Try complexity scoring, confidence, pricing, routing and the log, in memory, on the simulated provider."""
    import asyncio

    from ..application.balance_audit import balance_problems
    from ..application.selftest import Check
    from ..application.selftest import selftest as run_checks
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings
    from ..infrastructure.store.verify import verify_log

    async def checks() -> list[Check]:
        settings = Settings(database_url="sqlite:///:memory:", catalogue="seed", provider="simulated")
        async with Orchestrator(settings) as orchestrator:
            store, log = orchestrator.store, orchestrator.log

            async def verify() -> list[str]:
                return await verify_log(store) + await balance_problems(store, log)

            return await run_checks(orchestrator.run, verify)

    found = asyncio.run(checks())
    if as_json:
        print_json([{"name": check.name, "passed": check.passed, "seen": check.seen} for check in found])
    else:
        for check in found:
            print(f"{'pass' if check.passed else 'FAIL'}  {check.name}: {check.seen}")
    raise typer.Exit(0 if all(check.passed for check in found) else 1)
