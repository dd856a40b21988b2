"""`costs`: what was spent, on what, and whether it was right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from . import cost_checks, cost_reconcile
from .asked import AsOf, Category, From, Since, Until, Where, Zone
from .cost_export import write_rows
from .options import AsJson, Config, Database
from .output import print_json, say

if TYPE_CHECKING:
    from ..application.cost_reports import CostQuestion
    from ..application.read_models import ReadModels
    from ..infrastructure.bootstrap import Orchestrator

T = TypeVar("T")

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Report what was spent, export, reprice and reconcile it.",
)
Period = Annotated[str | None, typer.Option("--period", help="daily, weekly or monthly.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


@app.command(epilog="Example: model-orchestrator costs report --category orchestration --period weekly")
def report(
    category: Category = None,
    period: Period = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="model (the default), category, strategy, provider, status, purpose, owner, tag:KEY"),
    ] = None,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    as_of: AsOf = None,
    history: From = None,
    chart: Annotated[str | None, typer.Option("--chart", help="Draw it into this .svg or .html file.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Show what was spent, with shares, totals, and the change against the time before.

    Real, simulated and recorded money each have their own table and total.
    """
    from dataclasses import replace

    from ..application.cost_documents import cost_report_cells, cost_report_dict, cost_report_rows
    from ..application.cost_reports import CostSection, chart_kind, cost_charts, cost_report, grouping_of, split_of
    from ..infrastructure.exports import Column, Kind
    from .cost_table import cost_report_text

    kind = None if chart is None else chart_kind(chart)
    split = split_of(period)
    grouping = grouping_of(by) if by is not None else () if split else ("model",)
    question, then = _question(category, since, until, zone, where, as_of, by=grouping, split=split)

    def ask(models: ReadModels) -> list[CostSection]:
        if chart is not None:
            drawn = replace(question, by=grouping or ("model",))
            _draw(chart, str(kind), cost_charts(models, drawn))
        return cost_report(models, question)

    sections = _ask(config, database, history, then, ask)
    if as_json:
        print_json(cost_report_dict(question.dimensions, sections or []))
    elif as_csv:
        columns = [Column(name, Kind(cell)) for name, cell in cost_report_cells(question.dimensions)]
        write_rows("csv", columns, cost_report_rows(sections or []))
    elif sections is not None:
        print(cost_report_text(question, sections))


@app.command(epilog="Example: model-orchestrator costs stats --period daily --since 7d")
def stats(
    period: Annotated[str, typer.Option("--period", help="daily, weekly or monthly.")] = "daily",
    category: Category = None,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    as_of: AsOf = None,
    history: From = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Show calls, tokens, cost, average confidence and latency of each period; each kind of money on its own."""
    from ..application.cost_reports import split_of
    from ..application.cost_stats import cost_stats
    from .cost_stats_table import stats_columns, stats_dict, stats_rows, stats_text

    split = str(split_of(period))
    question, then = _question(category, since, until, zone, where, as_of)
    sections = _ask(config, database, history, then, lambda models: cost_stats(models, question, split))
    if as_json:
        print_json(stats_dict(sections or []))
    elif as_csv:
        write_rows("csv", stats_columns(), stats_rows(sections or []))
    elif sections is not None:
        print(stats_text(sections))


@app.command(epilog="Example: model-orchestrator costs export --format csv --category orchestration --output costs.csv")
def export(
    format: Annotated[str, typer.Option("--format", help="csv, json, jsonl or parquet.")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", help="A file; stdout unless given.")] = None,
    category: Category = None,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    as_of: AsOf = None,
    history: From = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Write every call with its cost, oldest run first, as it is read: any number of them."""
    from ..application.cost_export import COLUMNS, export_row
    from ..application.cost_reports import span_of
    from ..infrastructure.exports import Column, Kind
    from .cost_export import format_of

    chosen = format_of("json" if as_json else format)
    question, then = _question(category, since, until, zone, where, as_of)
    columns = [Column(name, Kind(kind)) for name, kind in COLUMNS]

    def write(models: ReadModels) -> bool:
        calls = models.attempts(span=span_of(question.dates), conditions=question.conditions, oldest_first=True)
        write_rows(chosen, columns, map(export_row, calls), output)
        return True

    if _ask(config, database, history, then, write) is None:
        write_rows(chosen, columns, (), output)


@app.command(epilog="Example: model-orchestrator costs savings --since 2026-11 --category orchestration")
def savings(
    category: Category = None,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    as_of: AsOf = None,
    history: From = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Show what the answered runs would have cost with one model for all of them, and what was saved."""
    from functools import partial

    from ..application.cost_reports import span_of
    from ..application.savings import Savings
    from ..application.savings import savings as reckoned
    from ..domain.filters import RUN_FIELDS
    from ..infrastructure.settings import Settings
    from ..infrastructure.stored_catalogues import catalogue_in_force, stored_catalogues
    from .asked import calendar, conditions, moment
    from .events import history_models
    from .savings_table import savings_columns, savings_dict, savings_rows, savings_text

    reading = calendar(zone)
    span = span_of(reading.between(since, until))
    asked = conditions(where, RUN_FIELDS, reading, category)
    then = None if as_of is None else moment(as_of, reading)

    async def ask(orchestrator: Orchestrator) -> list[Savings]:
        known = await stored_catalogues(orchestrator.store)
        in_force = partial(catalogue_in_force, orchestrator.settings)
        models = orchestrator.read_models if then is None else orchestrator.read_models.as_of(then)
        return reckoned(models, known, in_force, span=span, conditions=asked)

    def ask_folder(path: Path) -> list[Savings]:
        models = history_models(path, database)
        in_force = partial(catalogue_in_force, Settings.load(config))
        if then is not None:
            models.as_of(then)
        return reckoned(models, models.catalogues(), in_force, span=span, conditions=asked)

    found = _opened(config, database, ask) if history is None else ask_folder(history)
    if as_json:
        print_json(savings_dict(found or []))
    elif as_csv:
        write_rows("csv", savings_columns(), savings_rows(found or []))
    elif found is not None:
        print(savings_text(found))


app.command(epilog="Example: model-orchestrator costs reprice --card latest --since 30d")(cost_checks.reprice)
app.command(epilog="Example: model-orchestrator costs reconcile usage.csv --apply")(cost_reconcile.reconcile)


def _question(
    category: str | None,
    since: str | None,
    until: str | None,
    zone: str,
    where: list[str] | None,
    as_of: str | None,
    *,
    by: tuple[str, ...] = (),
    split: str | None = None,
) -> tuple[CostQuestion, int | None]:
    """What is asked, and the moment whose log is asked. Raises InvalidRequest."""
    from ..application.asking import cost_question
    from .asked import calendar

    return cost_question(
        calendar(zone), since=since, until=until, where=where, category=category, as_of=as_of, by=by, split=split
    )


def _ask(
    config: Path | None,
    database: str | None,
    history: Path | None,
    then: int | None,
    question: Callable[[ReadModels], T],
) -> T | None:
    """The answer of the read models; None, told so, where there is no run yet."""
    from ..domain.units import Timestamp

    if history is not None:
        from .events import history_models

        models = history_models(history, database)
        return question(models if then is None else models.as_of(Timestamp(then)))

    async def ask(orchestrator: Orchestrator) -> T:
        models = orchestrator.read_models
        return question(models if then is None else models.as_of(Timestamp(then)))

    return _opened(config, database, ask)


def _opened(config: Path | None, database: str | None, work: Callable[[Orchestrator], Awaitable[T]]) -> T | None:
    """What is worked out from a log; None, told so, where there is no run yet."""
    import asyncio

    from ..domain.errors import RunNotFound
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    async def opened() -> T:
        async with Orchestrator(Settings.load(config, database_url=database)) as orchestrator:
            orchestrator.expect_runs()
            orchestrator.read_models.tell = say
            return await work(orchestrator)

    try:
        return asyncio.run(opened())
    except RunNotFound as error:
        say(str(error))
        return None


def _draw(path: str, kind: str, charts: Any) -> None:
    """Write the picture: into SVG the first kind of money only, and that is told."""
    from ..application.chart_page import charts_html
    from ..application.charts import chart_svg

    text = chart_svg(charts[0]) if kind == "svg" else charts_html("Costs", charts)
    Path(path).write_text(text, encoding="utf-8")
    say(f"{path}: {charts[0].title}" if kind == "svg" else f"{path}: {len(charts)} chart{'s' * (len(charts) > 1)}")
    if kind == "svg" and len(charts) > 1:
        say(f"only of the first kind of money ({charts[0].note}): an .html file has all")
