"""`events`: the log's own events, written where other engines read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest, RunNotFound
from .options import AsJson, Config, Database
from .output import print_json, say

if TYPE_CHECKING:
    from ..infrastructure.history.folder import Folder
    from ..infrastructure.history.folder_read_models import FolderReadModels

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)
FORMATS, PARTITIONS = ("parquet",), ("day",)


@app.callback(epilog="Try: model-orchestrator events export --help")
def events() -> None:
    """Write the log into a folder of Parquet files, for DuckDB, Spark, ClickHouse or a cluster."""


@app.command(epilog="Example: model-orchestrator events export --format parquet --partition day history")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder: empty, not there yet, or an earlier one.")],
    format: Annotated[str, typer.Option("--format", help="parquet.")] = "parquet",
    partition: Annotated[str, typer.Option("--partition", help="day: of UTC, as recorded.")] = "day",
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Write what is new since the last time, each event once; safe to interrupt and to repeat. No text leaves."""
    from ..infrastructure.database_url import masked
    from ..infrastructure.history.exporting import export_history
    from ..infrastructure.settings import Settings
    from ..infrastructure.store.opening import is_there

    _expect("format", format, FORMATS)
    _expect("partition", partition, PARTITIONS)
    url = Settings.load(config, database_url=database).database_url
    if not is_there(url):
        raise RunNotFound(f"there is no database {masked(url)}: nothing was recorded there yet")
    done = export_history(url, folder, progress=lambda at, head: say(f"{at:,} of {head:,} events"))
    if as_json:
        print_json({"folder": str(folder), "before": done.before, "position": done.last, "files": done.files})
    elif done.last == done.before:
        print(f"{folder}: nothing is new since position {done.last:,}")
    else:
        more = done.last - done.before
        print(f"{folder}: {more:,} event{'s' * (more > 1)} more, up to position {done.last:,}")


def history_folder(path: Path) -> Folder:
    """The folder of `--from`, and up to when it goes is told. Raises InvalidRequest, StoreError."""
    from ..infrastructure.exports import iso_time
    from ..infrastructure.history.folder import open_folder

    found = open_folder(path)
    say(f"{path}: as of position {found.last:,}, {iso_time(found.chunks[-1].ended_at)}")
    return found


def history_models(path: Path, database: str | None) -> FolderReadModels:
    """The questions of the read models, to the folder of `--from`. Raises InvalidRequest, StoreError."""
    from ..infrastructure.history.folder_read_models import FolderReadModels

    refuse_both(database)
    return FolderReadModels(history_folder(path))


def refuse_both(database: str | None) -> None:
    """Beside --from, a database is misuse. Raises InvalidRequest."""
    if database is not None:
        raise InvalidRequest("--from asks a folder and --database a log: leave one of them out")


def _expect(option: str, given: str, possible: tuple[str, ...]) -> None:
    if given not in possible:
        raise InvalidRequest(f"--{option} {given!r} is not possible: expected {', '.join(possible)}")
