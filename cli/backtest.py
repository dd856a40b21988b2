"""`backtest`: what a policy would have cost and come to over history, or over a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest
from .asked import From, Since, Until, Where, Zone, calendar, conditions
from .options import AsJson, Config, Database, open_orchestrator
from .output import print_json, say

if TYPE_CHECKING:
    from ..application.backtest_report import Backtest
    from ..domain.filters import Condition
    from ..infrastructure.backtest import Asked

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: model-orchestrator backtest --policy learned --against heuristic --since 30d")
def backtest(
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME[:STRATEGY]", help="A policy's name, or a TOML file.")
    ],
    against: Annotated[str | None, typer.Option("--against", metavar="NAME[:STRATEGY]", help="Another one.")] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Over this data set (a name or a file), not over the log.")
    ] = None,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    history: From = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="With --from: on this Dask cluster, as tcp://HOST:PORT.")
    ] = None,
    chart: Annotated[Path | None, typer.Option("--chart", help="Write a picture: out.svg or out.html.")] = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Play a policy over past runs or recorded answers; nobody is asked. What was never observed is marked so."""
    from ..infrastructure.backtest import Asked
    from .backtest_table import print_backtest

    if chart is not None and chart.suffix not in (".svg", ".html"):
        raise InvalidRequest(f"--chart {chart}: expected a name that ends in .svg or .html")
    if dataset is not None and (since or until or where):
        raise InvalidRequest("--since, --until and --where choose runs of the log: leave them out with --dataset")
    if dataset is not None and history is not None:
        raise InvalidRequest("--dataset plays over a data set and --from over a history folder: leave one of them out")
    if scheduler is not None and history is None:
        raise InvalidRequest("--scheduler needs --from DIR: a cluster plays over a history folder")
    asked = [Asked.of(one) for one in (policy, against) if one is not None]
    if dataset is not None:
        found = [_over_dataset(dataset, asked, config, database)]
    elif history is not None:
        found = _over_folder(history, scheduler, asked, since, until, zone, where, config, database)
    else:
        found = _over_log(asked, since, until, zone, where, config, database)
    if chart is not None:
        _draw(found, chart)
    if as_json:
        print_json([one.to_dict() for one in found] if dataset is None else found[0].to_dict())
        return
    for number, one in enumerate(found):
        print_backtest(one, first=number == 0)
    if not found:
        say("no run of the log is meant: there is nothing to play")


def _over_dataset(dataset: str, asked: list[Asked], config: Path | None, database: str | None) -> Backtest:
    from ..infrastructure.backtest import backtest_dataset
    from ..infrastructure.settings import Settings

    return backtest_dataset(Settings.load(config, database_url=database), dataset, asked)


def _over_log(
    asked: list[Asked],
    since: str | None,
    until: str | None,
    zone: str,
    where: list[str] | None,
    config: Path | None,
    database: str | None,
) -> list[Backtest]:
    from ..infrastructure.backtest_log import backtest_log

    (start, end), meant = _meant(since, until, zone, where)
    orchestrator = open_orchestrator(config, database)
    orchestrator.expect_runs()
    only = None
    if meant:
        orchestrator.read_models.tell = say
        only = {one.run for one in orchestrator.read_models.runs(span=(start, end), conditions=meant)}
    return backtest_log(orchestrator, asked, since=start, until=end, only=only)


def _over_folder(
    history: Path,
    scheduler: str | None,
    asked: list[Asked],
    since: str | None,
    until: str | None,
    zone: str,
    where: list[str] | None,
    config: Path | None,
    database: str | None,
) -> list[Backtest]:
    from ..infrastructure.history.folder_backtest import backtest_folder
    from ..infrastructure.settings import Settings
    from .events import history_folder

    (start, end), meant = _meant(since, until, zone, where)
    return backtest_folder(
        Settings.load(config, database_url=database),
        history_folder(history),
        asked,
        since=start,
        until=end,
        conditions=meant,
        scheduler=scheduler,
        tell=say,
    )


def _meant(
    since: str | None, until: str | None, zone: str, where: list[str] | None
) -> tuple[tuple[int, int], tuple[Condition, ...]]:
    """When the runs that are played began, and what else is to be true of them."""
    from ..application.cost_reports import span_of
    from ..domain.filters import RUN_FIELDS

    reading = calendar(zone)
    return span_of(reading.between(since, until)), conditions(where, RUN_FIELDS, reading)


def _draw(found: list[Backtest], path: Path) -> None:
    from ..application.backtest_chart import backtest_chart
    from ..application.chart_page import charts_html
    from ..application.curve_chart import curve_svg

    title = "What quality costs"
    charts = [picture for one in found if (picture := backtest_chart(one, f"{title}: {one.of}")) is not None]
    if not charts:
        say(f"{path} is not written: no run has both a known quality and a known cost")
        return
    text = curve_svg(charts[0]) if path.suffix == ".svg" else charts_html(title, charts)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"cannot write {path}: {error.strerror}") from None
    if path.suffix == ".svg" and len(charts) > 1:
        say(f"{path} shows {found[0].of} money only: a .html file shows all")
