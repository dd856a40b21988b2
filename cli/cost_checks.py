"""`costs reprice`: what calls cost on other prices, beside what was charged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .asked import Since, Until, Where, Zone, calendar, conditions
from .options import AsJson, Config, Database
from .output import print_json, say

if TYPE_CHECKING:
    from ..application.repricing import Group, Repriced
    from ..domain.events import Money

FIGURES = ("calls", "charged", "repriced", "difference", "unknown", "unknown_charged")


def reprice(
    card: Annotated[str, typer.Option("--card", help="A JSON or TOML file of prices, or latest.")] = "latest",
    by: Annotated[
        str, typer.Option("--by", help="model, category, strategy, provider, tag:KEY; several by ,.")
    ] = "model",
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Show what calls cost as charged beside what they cost on other prices; nothing that is recorded changes."""
    import asyncio

    from ..application.cost_reports import span_of
    from ..application.repricing import check_by
    from ..application.repricing import reprice as repriced
    from ..domain.errors import InvalidRequest
    from ..domain.filters import CALL_FIELDS
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.price_files import price_cards
    from ..infrastructure.settings import Settings

    if as_json and as_csv:
        raise InvalidRequest("--json or --csv, not both")
    groups = [word.strip() for word in by.split(",") if word.strip()] or ["model"]
    check_by(groups)
    reading = calendar(zone)
    span, asked = span_of(reading.between(since, until)), conditions(where, CALL_FIELDS, reading)
    settings = Settings.load(config, database_url=database)
    cards = price_cards(card, settings)

    async def ask() -> dict[Money, dict[Group, Repriced]]:
        async with Orchestrator(settings) as orchestrator:
            orchestrator.expect_runs()
            models = orchestrator.read_models
            models.tell = say
            return repriced(models.attempts(span=span, conditions=asked, oldest_first=True), cards, groups)

    found = asyncio.run(ask())
    if as_json:
        print_json({"card": card, **{money.value: _document(groups, lines) for money, lines in found.items()}})
    elif as_csv:
        _print_csv(groups, found)
    else:
        _print_tables(groups, found, card)


def _total(lines: dict[Group, Repriced]) -> Repriced:
    from ..application.repricing import Repriced

    total = Repriced()
    for line in lines.values():
        total = total.plus(line)
    return total


def _document(by: list[str], lines: dict[Group, Repriced]) -> dict[str, Any]:
    rows = [{**dict(zip(by, group, strict=True)), **_figures(line)} for group, line in lines.items()]
    return {"total": _figures(_total(lines)), "rows": rows}


def _figures(line: Repriced) -> dict[str, Any]:
    """Amounts as decimal strings, null where no call could be compared."""
    from ..domain.units import plain

    values = {name: getattr(line, name) for name in FIGURES}
    return {name: value if value is None or isinstance(value, int) else plain(value) for name, value in values.items()}


def _print_csv(by: list[str], found: dict[Money, dict[Group, Repriced]]) -> None:
    from ..infrastructure.exports import Column, Kind, export, writer

    kinds = {"calls": Kind.INTEGER, "unknown": Kind.INTEGER}
    columns = [Column("money"), *map(Column, by), *(Column(name, kinds.get(name, Kind.MONEY)) for name in FIGURES)]
    rows = (
        (money.value, *group, *(getattr(line, name) for name in FIGURES))
        for money, lines in found.items()
        for group, line in lines.items()
    )
    sys.stdout.flush()
    export(rows, writer("csv", sys.stdout.buffer, columns))


def _print_tables(by: list[str], found: dict[Money, dict[Group, Repriced]], card: str) -> None:
    from ..application.amounts import UNKNOWN, change, dollars
    from ..application.cost_reports import HEADINGS
    from .tables import Column, table

    def cells(labels: list[str], line: Repriced) -> list[str]:
        amounts = [UNKNOWN if one is None else dollars(one) for one in (line.charged, line.repriced, line.difference)]
        shift = "" if line.repriced is None else change(line.repriced, line.charged)
        left_out = [f"{line.unknown:,}", dollars(line.unknown_charged)] if line.unknown else ["", ""]
        return [*labels, f"{line.calls:,}", *amounts, shift, *(left_out if unknown else [])]

    unknown = sum(line.unknown for lines in found.values() for line in lines.values())
    figures = ["calls", "charged", "repriced", "difference", "change"]
    figures += ["unknown", "charged for them"] if unknown else []
    columns = [*map(Column, by), *(Column(name, is_figure=True) for name in figures)]
    texts = []
    for money, lines in found.items():
        if not lines:
            continue
        rows = [cells([one or "" for one in group], line) for group, line in lines.items()]
        total = cells(["total", *[""] * (len(by) - 1)], _total(lines))
        texts.append(f"{HEADINGS[money]}, repriced on {card}\n{table(columns, rows, [total])}")
    print("\n\n".join(texts) or "nothing was spent in this time")
    if unknown:
        calls = "1 call is" if unknown == 1 else f"{unknown:,} calls are"
        say(f"{calls} left out of both amounts: no known cost, no usage, or no price in {card}")
