"""`audit trail`: what a run did, event by event, as a timeline, as it is stored, or as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain.errors import InvalidRequest
from .output import print_json

if TYPE_CHECKING:
    from ..application.privacy import RecordedErasure
    from ..application.runs import LoggedRun
    from ..application.steps import State
    from ..domain.units import Timestamp
    from ..projections.audit_trail import TrailEntry

FORMATS = ("table", "json", "html")


def trail(
    run: Annotated[str, typer.Argument(help="A run id, the beginning of one, or last.")],
    format_: Annotated[str, typer.Option("--format", help="table, json or html: a page to keep or pass on.")] = "table",
    step: Annotated[bool, typer.Option("--step", help="The run's state after each event, and what is due.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help="The run as the log stood at the end of a date.")] = None,
    tz: Annotated[str, typer.Option("--tz", help="The date's time zone, as in Europe/Berlin.")] = "UTC",
    as_json: Annotated[bool, typer.Option("--json", help="Print the events as they are stored.")] = False,
    database: Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Show a run as a timeline: each event, when, what it cost, why. Texts are never part of it."""
    import asyncio

    from ..application.privacy import erasure_of
    from ..application.runs import find_run, load_run, run_as_of
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    if format_ not in FORMATS:
        raise InvalidRequest(f"format {format_!r}: expected {', '.join(FORMATS)}")

    async def load() -> tuple[LoggedRun, RecordedErasure | None]:
        async with Orchestrator(Settings.load(config, database_url=database)) as orchestrator:
            before = None if as_of is None else _before(as_of, tz, orchestrator.clock.now())
            orchestrator.expect_runs()
            logged = await load_run(orchestrator.log, await find_run(orchestrator.store, run))
            erased = await erasure_of(orchestrator.store, orchestrator.log, logged.run.id)
            if before is None:
                return logged, erased
            is_known = erased is not None and erased.envelope.recorded_at < before
            return run_as_of(logged, before), erased if is_known else None

    logged, erased = asyncio.run(load())
    if as_json or format_ == "json":
        print_json(_documents(logged, erased, step=step))
        return
    gone = (
        f"texts erased {_iso(erased.envelope.recorded_at)} by {erased.event.by} ({erased.event.reason})"
        if erased
        else None
    )
    if format_ == "html":
        print(_page(logged, _entries(logged, step=step), as_of and f"as the log stood at {as_of} ({tz})", gone), end="")
    else:
        _print_timeline(logged, _entries(logged, step=step), gone)


def _before(as_of: str, tz: str, now: Timestamp) -> Timestamp:
    from ..application.dates import Calendar, zone_named

    return Calendar(now, zone_named(tz)).until(as_of)


def _documents(logged: LoggedRun, erased: RecordedErasure | None, *, step: bool) -> list[dict[str, Any]]:
    from ..application.event_documents import event_dict

    found = [event_dict(entry.envelope) for entry in (*logged.events, *([erased] if erased else ()))]
    if step:
        for document, state in zip(found, _states(logged), strict=False):  # the erasure stands in no run
            document["state"] = state.to_dict()
    return found


def _states(logged: LoggedRun) -> list[State]:
    from ..application.steps import states

    return list(states(logged.run.id, [entry.event for entry in logged.events]))


def _entries(logged: LoggedRun, *, step: bool) -> list[TrailEntry]:
    from dataclasses import replace

    from ..projections.audit_trail import trail as timeline

    found = list(timeline((entry.envelope.version, entry.envelope.recorded_at, entry.event) for entry in logged.events))
    if not step:
        return found
    return [
        replace(entry, details=(*entry.details, f"= {state.text}"))
        for entry, state in zip(found, _states(logged), strict=True)
    ]


def _page(logged: LoggedRun, entries: list[TrailEntry], *notes: str | None) -> str:
    from ..application.trail_page import TrailPage, trail_html

    return trail_html(TrailPage(run=logged.run, entries=entries, notes=[one for one in notes if one]))


def _print_timeline(logged: LoggedRun, entries: list[TrailEntry], gone: str | None) -> None:
    began = logged.events[0].envelope.recorded_at
    print(f"{logged.run.id} ({logged.run.status.value}), {_iso(began)}")
    for entry in entries:
        print(f"{entry.version:>3}  +{(entry.recorded_at - began) / 1_000_000:8.3f} s  {entry.type:<16}  {entry.says}")
        for detail in entry.details:
            print(f"{'':37}{detail}")
    if gone is not None:
        print(gone)


def _iso(timestamp: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(timestamp / 1_000_000, UTC).isoformat()
