"""`datasets`: take in recorded answers of models, list, show and remove them."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Config, Database
from .output import money, print_json, say
from .tables import Column, table

if TYPE_CHECKING:
    from ..domain.dataset_summary import ModelSummary
    from ..domain.units import Usd
    from ..infrastructure.datasets import ImportedDataset
    from ..infrastructure.store.dataset_tables import DatasetTables

app = typer.Typer(
    help="Take in recorded answers of models, list and show them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Name = Annotated[str, typer.Argument(help="The set's name.")]


@app.command("import", epilog="Example: model-orchestrator datasets import zeroeval.jsonl.gz --name zeroeval")
def take_in(
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV, plain or .gz.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What it is called; default: the file's name.", show_default=False)
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Of CSV: what its columns hold, as prompt=question,gpt-4o=correct.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Where it is from; shown with it.")] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Its licence; shown with it.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of a set of that name.")] = False,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Store a file's prompts and the models' recorded answers. They are not runs: no report and no event has them.

    All of it is stored, or nothing. The same rows again change nothing; other rows under a known name are an error.
    """
    from ..domain.errors import InvalidRequest
    from ..infrastructure.dataset_csv import parse_columns
    from ..infrastructure.dataset_files import is_csv, read_examples
    from ..infrastructure.datasets import import_dataset, name_of
    from ..infrastructure.settings import Settings
    from ..infrastructure.store.dataset_tables import open_dataset_tables

    if columns is not None and not is_csv(file):
        raise InvalidRequest(f"--columns is for CSV, and {file} is not called .csv")
    map_ = None if columns is None else parse_columns(columns)
    settings = Settings.load(config, database_url=database)
    with closing(open_dataset_tables(settings.database_url)) as tables:
        found, is_new = import_dataset(
            tables,
            name_of(file) if name is None else name,
            lambda: read_examples(file, map_),
            source=source,
            licence=licence,
            is_replacement=replace,
        )
    if is_new and settings.content_keys() is not None:
        say("the texts of data sets are stored as they are: the content key encrypts those of runs only")
    say(f"{found.name}: {_size(found)}" if is_new else f"{found.name} is there already, with the same rows")
    if as_json:
        print_json(_document(found) | {"imported": is_new})


@app.command("list", epilog="Example: model-orchestrator datasets list")
def show_all(as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """List the imported sets."""
    from ..infrastructure.datasets import imported

    with _tables(config, database) as tables:
        found = [imported(stored) for stored in tables.every()]
    if as_json:
        print_json([_document(one) for one in found])
        return
    if not found:
        say("no data set yet: model-orchestrator datasets import FILE")
        return
    figures = [Column(title, is_figure=True) for title in ("ROWS", "MODELS", "WITH ANSWERS")]
    rows = []
    for one in found:
        answering = sum(model.texts > 0 for model in one.summary.models)
        counts = (f"{one.summary.rows:,}", str(len(one.summary.models)), str(answering))
        rows.append((one.name, *counts, one.licence or "not said"))
    print(table([Column("NAME"), *figures, Column("LICENCE")], rows))


@app.command(epilog="Example: model-orchestrator datasets show zeroeval")
def show(name: Name, as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """Show a set: its rows, and each model's mean score, mean cost and answers. Contaminated rows count for no mean."""
    from ..infrastructure.datasets import imported, unknown_dataset

    with _tables(config, database) as tables:
        stored = tables.find(name)
    if stored is None:
        raise unknown_dataset(name)
    found = imported(stored)
    if as_json:
        print_json(_document(found))
        return
    print(f"{found.name}: {_size(found)}")
    print(f"imported {_moment(found)}, source {found.source or 'not said'}, licence {found.licence or 'not said'}\n")
    columns = [Column("MODEL"), *(Column(title, is_figure=True) for title in ("MEAN SCORE", "MEAN COST", "ANSWERS"))]
    print(table(columns, [_row(model) for model in found.summary.models]))


@app.command(epilog="Example: model-orchestrator datasets remove zeroeval")
def remove(name: Name, as_json: AsJson = False, database: Database = None, config: Config = None) -> None:
    """Delete a set and its texts. Runs that it answered stay as they are; those under way cannot go on."""
    from ..infrastructure.datasets import unknown_dataset

    with _tables(config, database) as tables:
        if tables.find(name) is None:
            raise unknown_dataset(name)
        with tables.replacing(name) as writing:
            writing.remove()
    say(f"{name} is removed")
    if as_json:
        print_json({"name": name, "removed": True})


def _tables(config: Path | None, database: str | None) -> AbstractContextManager[DatasetTables]:
    """The sets of the database, closed after the block."""
    from ..infrastructure.settings import Settings
    from ..infrastructure.store.dataset_tables import open_dataset_tables

    return closing(open_dataset_tables(Settings.load(config, database_url=database).database_url))


def _size(found: ImportedDataset) -> str:
    summary = found.summary
    words = [f"{summary.rows:,} rows", f"{len(summary.models)} models", f"{summary.tasks} tasks"]
    words += [f"{summary.contaminated} contaminated"] if summary.contaminated else []
    words += [f"{summary.rows - summary.prompts} without a prompt"] if summary.prompts < summary.rows else []
    return ", ".join(words)


def _row(model: ModelSummary) -> tuple[str, ...]:
    score = "unknown" if model.mean_score is None else f"{model.mean_score:.3f}"
    return model.name, score, money(model.mean_cost), f"{model.texts:,}" if model.texts else "scores only"


def _document(found: ImportedDataset) -> dict[str, Any]:
    from dataclasses import asdict

    counts = asdict(found.summary)
    models = [
        {**one, **{key: _text(one[key]) for key in one if key.endswith(("_cost", "_price"))}}
        for one in counts.pop("models")
    ]
    said = {"name": found.name, "source": found.source, "licence": found.licence, "imported_at": _moment(found)}
    return {**said, "sha256": found.digest, **counts, "models": models}


def _text(amount: Usd | None) -> str | None:
    return None if amount is None else str(amount)


def _moment(found: ImportedDataset) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(found.imported_at // 1_000_000, UTC).isoformat()
