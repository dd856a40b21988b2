"""`runs`: the runs in the log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain.errors import InvalidRequest, RunNotFound
from .asked import Since, Until, Where, Zone, calendar, conditions
from .options import AsJson, Config, Database
from .output import print_json, say, say_wait
from .replay import replay
from .rescore import rescore

if TYPE_CHECKING:
    from ..infrastructure.bootstrap import Orchestrator

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="List, show, resume and cancel runs.",
)
_HEAD = ("run_id", "status", "started_at", "strategy", "category", "tags", "error", "model", "confidence")
RunName = Annotated[str, typer.Argument(help="A run id, the beginning of one, or last.")]


@app.command("list", epilog='Example: model-orchestrator runs list --since 7d --where "cost > 0.05"')
def list_(
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many, newest first.")] = None,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """List the runs, newest first: those that were started in a time and meet every condition."""
    import asyncio

    from ..application.cost_reports import span_of
    from ..application.runs import list_limit
    from ..domain.filters import RUN_FIELDS
    from .run_table import print_runs

    most, reading = list_limit(limit), calendar(zone)
    span, asked = span_of(reading.between(since, until)), conditions(where, RUN_FIELDS, reading)

    async def listed() -> None:
        async with _orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            models = orchestrator.read_models
            models.tell = say
            print_runs(models.runs(span=span, conditions=asked, limit=most), as_json=as_json, as_csv=as_csv)

    try:
        asyncio.run(listed())
    except RunNotFound as error:
        say(str(error))
        print_runs((), as_json=as_json, as_csv=as_csv)


@app.command(epilog="Example: model-orchestrator runs show last")
def show(run: RunName, as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """Show one run with its answer."""
    import asyncio

    from ..application.run_documents import run_document
    from ..application.runs import find_run, load_run

    async def load() -> dict[str, Any]:
        async with _orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            logged = await load_run(orchestrator.log, await find_run(orchestrator.store, run))
            return await run_document(orchestrator.store, orchestrator.log, logged)

    data = asyncio.run(load())
    if as_json:
        print_json(data)
        return
    for name in (*_HEAD, "stop_reason", "method", "agreement"):
        if data[name] not in (None, {}):
            print(f"{name:<12}{data[name]}")
    if data["dissent"]:
        print(f"{'dissent':<12}{', '.join(data['dissent'])}")
    print(f"{'cost':<12}{data['cost'] or 'unknown'} {data['money'] or ''}".rstrip())
    for said in data["feedback"]:
        whose = "" if said["attempt"] is None else f" of attempt {said['attempt']}"
        print(f"{'feedback':<12}{said['value']:g}{whose} by {said['by']}{': ' + said['note'] if said['note'] else ''}")
    for one in data["rescored"]:
        print(f"{'rescored':<12}attempt {one['attempt']}: {one['score']:.2f} by {one['scorer']}")
    for attempt in data["attempts"]:
        print(f"{'attempt':<12}{attempt['attempt']}: {attempt['model']} {attempt['error'] or attempt['status']}")
    if data["erased"]:
        print(f"{'erased':<12}{data['erased']['at']} by {data['erased']['by']} ({data['erased']['reason']})")
    gone = "(erased)" if data["erased"] else "(not stored)"
    print(f"{'prompt':<12}{data['prompt'] if data['prompt'] is not None else gone}")
    none = "(erased)" if data["erased"] else "(none stored)"
    print(f"{'answer':<12}{data['response'] if data['response'] is not None else none}")


@app.command(epilog="Example: model-orchestrator runs cancel last")
def cancel(run: RunName, as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """End a run that is under way; a call that already left is still paid and recorded."""
    import asyncio

    from ..application.runs import cancel_run, find_run

    async def end() -> str:
        async with _orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            run_id = await find_run(orchestrator.store, run)
            await cancel_run(orchestrator.log, run_id, by="local")
            return run_id

    run_id = asyncio.run(end())
    if as_json:
        print_json({"run_id": run_id, "status": "cancelled"})
    else:
        say(f"{run_id} is cancelled")


@app.command(epilog="Example: model-orchestrator runs resume --all")
def resume(
    run: Annotated[str | None, typer.Argument(help="A run id, the beginning of one, or last.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every run whose process is gone.")] = False,
    on_unknown: Annotated[str | None, typer.Option("--on-unknown", help="A lost attempt: retry or fail.")] = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Go on with runs whose process is gone; one that lives keeps its runs. Each gets the settings' timeout anew.

    --all also settles what has been lost for `settle_lost_after` at the most it could cost.
    """
    import asyncio

    from ..application.runs import find_run

    if (run is None) != all_:
        raise InvalidRequest("say what to resume: either a run, or --all")
    if on_unknown not in (None, "retry", "fail"):
        raise InvalidRequest(f"on-unknown {on_unknown!r}: expected retry or fail")

    async def work() -> list[dict[str, Any]]:
        async with _orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            if run is not None:
                run_id = await find_run(orchestrator.store, run)
                return [(await orchestrator.resume(run_id, on_unknown=on_unknown)).to_dict()]
            return await orchestrator.resume_all(on_unknown=on_unknown)

    done = asyncio.run(work())
    if as_json:
        print_json(done[0] if run is not None else done)
        return
    for one in done:
        told = one.get("message") or "completed"
        say(told if one["run_id"] in told else f"{one['run_id']}: {told}")
        if run is not None:
            print(one["response"])
    if not done:
        say("nothing is left to resume")


app.command(epilog='Example: model-orchestrator runs replay --where "strategy = fallback"')(replay)


app.command(epilog="Example: model-orchestrator runs rescore last --scorer judge:gpt-4o --max-cost 0.05")(rescore)


def _orchestrator(config: Path | None, database: str | None) -> Orchestrator:
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    return Orchestrator(Settings.load(config, database_url=database), on_wait=say_wait)
