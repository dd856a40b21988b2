"""`audit`: what a run did, event by event, and whether the log is what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import audit_log
from .output import print_json

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


@app.command(epilog="Example: model-orchestrator audit trail last")
def trail(
    run: Annotated[str, typer.Argument(help="A run id, the beginning of one, or last.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the events as they are stored.")] = False,
    database: Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Show a run as a timeline: each event, when, what it cost, why."""
    import asyncio

    from ..application.privacy import RecordedErasure, erasure_of
    from ..application.runs import LoggedRun, find_run, load_run
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    async def load() -> tuple[LoggedRun, RecordedErasure | None]:
        async with Orchestrator(Settings.load(config, database_url=database)) as orchestrator:
            orchestrator.expect_runs()
            logged = await load_run(orchestrator.log, await find_run(orchestrator.store, run))
            return logged, await erasure_of(orchestrator.store, orchestrator.log, logged.run.id)

    logged, erased = asyncio.run(load())
    if as_json:
        print_json([_event_dict(entry) for entry in (*logged.events, *([erased] if erased else ()))])
    else:
        _print_timeline(logged)
        if erased is not None:
            print(f"texts erased {_iso(erased.envelope.recorded_at)} by {erased.event.by} ({erased.event.reason})")


def _print_timeline(logged: Any) -> None:
    from ..projections.audit_trail import trail as timeline

    events = [(entry.envelope.version, entry.envelope.recorded_at, entry.event) for entry in logged.events]
    began = events[0][1]
    print(f"{logged.run.id} ({logged.run.status.value}), {_iso(began)}")
    for entry in timeline(events):
        print(f"{entry.version:>3}  +{(entry.recorded_at - began) / 1_000_000:8.3f} s  {entry.type:<16}  {entry.says}")
        for detail in entry.details:
            print(f"{'':37}{detail}")


def _event_dict(entry: Any) -> dict[str, Any]:
    import json

    envelope = entry.envelope
    return {
        "position": envelope.position,
        "version": envelope.version,
        "event_id": envelope.event_id.hex(),
        "type": envelope.type,
        "schema_version": envelope.schema_version,
        "occurred_at": _iso(envelope.occurred_at),
        "recorded_at": _iso(envelope.recorded_at),
        "causation_id": envelope.causation_id,
        "correlation_id": envelope.correlation_id,
        "actor": envelope.actor,
        "payload": json.loads(envelope.payload),
        "event_hash": envelope.event_hash.hex(),
        "chain_hash": envelope.chain_hash.hex(),
    }


def _iso(timestamp: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(timestamp / 1_000_000, UTC).isoformat()
