"""`costs reconcile`: our calls held against what a provider says they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Config, Database
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..application.reconciling import Call, Match, Reconciliation
    from ..application.usage_lines import UsageLine
    from ..domain.units import Duration
    from ..infrastructure.bootstrap import Orchestrator


def reconcile(
    file: Annotated[Path, typer.Argument(help="The provider's usage export, CSV or JSONL: a line a call.")],
    apply: Annotated[bool, typer.Option("--apply", help="Settle lost calls at what the export says.")] = False,
    provider: Annotated[str | None, typer.Option("--provider", help="Only our calls of anthropic or openai.")] = None,
    tolerance: Annotated[str, typer.Option("--tolerance", help="How far times may be apart.")] = "60s",
    by: Annotated[str, typer.Option("--by", help="Who found out.")] = "local",
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Match a provider's usage export with our calls: what is missing, double or priced otherwise; real money only."""
    import asyncio

    from ..application.run_options import label_of
    from ..application.usage_lines import read_usage
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    who, apart, read = label_of("by", by), _duration(tolerance), list(read_usage(file))
    lines, bad = [line for line in read if line.error is None], [line for line in read if line.error is not None]
    _check(provider)

    async def work() -> tuple[Reconciliation, list[Match], list[str]]:
        async with Orchestrator(Settings.load(config, database_url=database)) as orchestrator:
            orchestrator.expect_runs()
            found = _matched(orchestrator, lines, provider, apart)
            settled, refused = await _settle(orchestrator, found.to_settle, who) if apply else ([], [])
            return found, settled, refused

    found, settled, refused = asyncio.run(work())
    if as_json:
        print_json(_document(found, settled, refused, bad, len(read)))
    else:
        _print(found, settled, apply=apply)
        for text in [*(f"line {line.number}: {line.error}" for line in bad), *refused]:
            say(text)
    if bad or refused:
        raise typer.Exit(1)


def _duration(text: str) -> Duration:
    from ..domain.errors import InvalidRequest
    from ..domain.units import duration

    try:
        return duration(text)
    except ValueError as error:
        raise InvalidRequest(f"--tolerance: {error}") from None


def _check(provider: str | None) -> None:
    from ..domain.catalogue import ModelProvider
    from ..domain.errors import InvalidRequest

    if provider is not None and provider not in list(ModelProvider):
        raise InvalidRequest(f"--provider {provider!r}: expected {' or '.join(ModelProvider)}")


def _matched(
    orchestrator: Orchestrator, lines: list[UsageLine], provider: str | None, apart: Duration
) -> Reconciliation:
    from ..application.reconciling import SLACK, call_of, match, times_of
    from ..domain.filters import CALL_FIELDS, Compare, Field, Kind, Op
    from ..infrastructure.catalogues import load_catalogue
    from ..infrastructure.settings import CATALOGUES

    asked_at = Field("started_at", Kind.TIME)
    conditions = [Compare(CALL_FIELDS["money"], Op.EQUAL, "real")]
    if provider is not None:
        conditions.append(Compare(CALL_FIELDS["provider"], Op.EQUAL, provider))
    if (times := times_of(lines)) is not None:
        conditions.append(Compare(asked_at, Op.AT_LEAST, times[0] - SLACK))
        conditions.append(Compare(asked_at, Op.AT_MOST, times[1] + SLACK))
    names: dict[str, set[str]] = {}
    for catalogue in CATALOGUES:
        named = load_catalogue(_with_catalogue(orchestrator, catalogue), "live")
        for model in named.models:
            names.setdefault(model.name, set()).add(model.api_id)
    models = orchestrator.read_models
    models.tell = say
    calls = [call_of(row) for row in models.attempts(conditions=conditions, oldest_first=True)]
    return match(lines, calls, tolerance=apart, names=names)


def _with_catalogue(orchestrator: Orchestrator, name: str) -> Any:
    from dataclasses import replace

    return replace(orchestrator.settings, catalogue=name)


async def _settle(orchestrator: Orchestrator, matches: Sequence[Match], by: str) -> tuple[list[Match], list[str]]:
    """Those that were settled, and why others could not be."""
    from ..application.resume import reconcile
    from ..domain.errors import InvalidRequest
    from ..domain.units import usd

    settled, refused = [], []
    for one in matches:
        assert one.line.cost is not None
        try:
            await reconcile(orchestrator.log, one.call.run, one.call.number, amount=usd(one.line.cost), by=by)
            settled.append(one)
        except InvalidRequest as error:  # somebody was first
            refused.append(f"line {one.line.number}: {error}")
    await orchestrator.alerts.after_each({one.call.run: None for one in settled}, orchestrator.log)
    return settled, refused


def _document(
    found: Reconciliation, settled: list[Match], refused: list[str], bad: list[UsageLine], count: int
) -> dict[str, Any]:
    return {
        "lines": count,
        "matched": [_pair(one) for one in found.matched],
        "unmatched": {
            "theirs": [{**_theirs(line), "why": why} for line, why in found.theirs],
            "ours": [_ours(call) for call in found.ours],
        },
        "double": [_pair(one) for one in found.double],
        "mispriced": [_pair(one) for one in found.mispriced],
        "to_settle": [_pair(one) for one in _waiting(found, settled)],
        "settled": [_pair(one) for one in settled],
        "refused": refused,
        "bad_lines": [{"line": line.number, "message": line.error} for line in bad],
    }


def _waiting(found: Reconciliation, settled: Sequence[Match]) -> list[Match]:
    """What is still to be settled."""
    done = {one.call.id for one in settled}
    return [one for one in found.to_settle if one.call.id not in done]


def _pair(one: Match) -> dict[str, Any]:
    theirs = _theirs(one.line)
    return {
        **{name: theirs[name] for name in ("line", "request_id", "model")},
        "attempt": one.call.id,
        "by": one.by,
        "theirs": theirs["cost"],
        "ours": _text(one.call.cost),
        "difference": _text(one.difference),
    }


def _theirs(line: UsageLine) -> dict[str, Any]:
    return {
        "line": line.number,
        "request_id": line.request_id,
        "time": None if line.time is None else _moment(line.time),
        "model": line.model,
        "cost": _text(line.cost),
    }


def _ours(call: Call) -> dict[str, Any]:
    return {
        "attempt": call.id,
        "request_id": call.request_id,
        "time": _moment(call.started_at),
        "model": call.model,
        "status": call.status,
        "cost": _text(call.cost),
    }


def _print(found: Reconciliation, settled: list[Match], *, apply: bool) -> None:
    pairs = ("line", "attempt", "model", "theirs", "ours", "difference")
    sections: list[tuple[str, Sequence[str], Iterable[dict[str, Any]]]] = [
        ("mispriced", pairs, map(_pair, found.mispriced)),
        ("double in the export", pairs, map(_pair, found.double)),
        (
            "in the export only",
            ("line", "request_id", "time", "model", "cost", "why"),
            ({**_theirs(line), "why": why} for line, why in found.theirs),
        ),
        ("ours only", ("attempt", "request_id", "time", "model", "status", "cost"), map(_ours, found.ours)),
        ("lost calls settled", pairs[:4], map(_pair, settled)),
        (
            "lost calls to settle" if apply else "lost calls that --apply settles",
            pairs[:4],
            map(_pair, _waiting(found, settled)),
        ),
    ]
    matched = f"{len(found.matched):,} matched"
    print(f"{matched}: {sum(one.by == 'id' for one in found.matched):,} by request id, the others by time and model")
    for title, columns, rows in sections:
        listed = [["" if row[name] is None else str(row[name]) for name in columns] for row in rows]
        if listed:
            print(f"\n{title}: {len(listed):,}")
            print_table(columns, listed)


def _text(picos: int | None) -> str | None:
    from ..domain.units import plain, usd

    return None if picos is None else plain(usd(picos))


def _moment(at: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")
