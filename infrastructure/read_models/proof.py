"""Whether live read models are what the log comes to: folded anew beside them, and compared row for row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...projections.projection import Row, Table, Tables
from .catch_up import STEP, CatchUp, stopped_text
from .log_source import LogSource
from .registry import Entry, Registry
from .state import SqliteState, State

SHOWN = 3  # differing rows of a table that are told one by one


def projection_problems(log: LogSource, state: State, url: str | None, processes: int) -> list[str]:
    """What differs, as "projection NAME: what"; empty where nothing does, and where nothing is kept.

    Each read model is held against the log up to its own checkpoint. Changes nothing; anybody may write meanwhile.
    """
    if not state.size():
        return []
    with TemporaryDirectory(prefix="model-orchestrator-") as folder:
        due = SqliteState(Path(folder) / "due.db")
        try:
            with state.reading() as tables:
                known = _live(tables, state, log)
            _fold(log, due, known, url, processes)
            with state.reading() as tables:
                entries = _live(tables, state, log)
                _fold(log, due, entries, None, 0)  # what came meanwhile
                with due.reading() as folded:
                    return [problem for entry in entries for problem in _problems(tables, state, folded, entry)]
        finally:
            due.close()


def _live(tables: Tables, state: State, log: LogSource) -> list[Entry]:
    """Those that were folded from this log; others are thrown away by the next who asks."""
    entries = Registry(tables, state.schema).entries()
    return [one for one in entries if one.live and one.checkpoint and log.chain(one.checkpoint) == one.chain]


def _fold(log: LogSource, due: SqliteState, entries: Sequence[Entry], url: str | None, processes: int) -> None:
    """Bring what is due to the checkpoints of the entries."""

    def drop_overtaken(tables: Tables) -> None:  # a rebuild ended meanwhile, and it stands further back
        wanted = {entry.name: entry.checkpoint for entry in entries}
        registry = Registry(tables, due.schema)
        for one in registry.entries():
            if one.checkpoint > wanted.get(one.name, one.checkpoint):
                registry.drop(one)

    due.write(drop_overtaken)
    for checkpoint in sorted({entry.checkpoint for entry in entries}):
        names = [entry.name for entry in entries if entry.checkpoint == checkpoint]
        CatchUp(log, due, url, processes, 2 * STEP, checkpoint).live(names)


def _problems(tables: Tables, state: State, folded: Tables, entry: Entry) -> list[str]:
    name = f"projection {entry.name}"
    due = next(one for one in Registry(folded, "").entries() if one.name == entry.name)
    if due.checkpoint < entry.checkpoint:
        return [f"{name}: it has folded up to position {entry.checkpoint}, but {stopped_text(due)}"]
    found: list[str] = []
    for table in entry.projection.tables:
        stored = _rows(tables, table, entry.names(state.schema)(table.name))
        right = _rows(folded, table, due.names("")(table.name))
        differences = _differences(table, stored, right)
        found += [f"{name}: {table.name} {text}" for text in islice(differences, SHOWN)]
        more = sum(1 for _ in differences)
        if more:
            found.append(f"{name}: {table.name}: {more} more rows differ")
    return found


def _rows(tables: Tables, table: Table, name: str) -> Iterator[Row]:
    """In order of the key, JSON written one way."""
    query = f"SELECT {', '.join(table.names)} FROM {name} ORDER BY {', '.join(table.key)}"
    places = [number for number, (_, kind) in enumerate(table.columns) if kind == "JSON"]
    if not places:
        return tables.stream(query)
    return (_plain(row, places) for row in tables.stream(query))


def _plain(row: Row, places: Sequence[int]) -> Row:
    values = list(row)
    for place in places:
        values[place] = _one_way(values[place])
    return tuple(values)


@lru_cache(maxsize=10_000)
def _one_way(text: Any) -> Any:
    try:
        return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError):
        return text


def _differences(table: Table, stored: Iterator[Row], right: Iterator[Row]) -> Iterator[str]:
    """Both are walked along their keys, side by side."""
    places = [table.names.index(column) for column in table.key]
    is_, due = next(stored, None), next(right, None)
    while is_ is not None or due is not None:
        if is_ == due:
            is_, due = next(stored, None), next(right, None)
            continue
        here = None if is_ is None else _key(is_, places)
        there = None if due is None else _key(due, places)
        if there is None or (here is not None and here < there):
            assert is_ is not None
            yield f"{_named(table, is_)}: the log has no such row"
            is_ = next(stored, None)
        elif here is None or there < here:
            assert due is not None
            yield f"{_named(table, due)}: the row is missing"
            due = next(right, None)
        else:
            assert is_ is not None
            assert due is not None
            cells = zip(table.names, is_, due, strict=True)
            wrong = [f"{name} is {was!r}, the log comes to {should!r}" for name, was, should in cells if was != should]
            yield f"{_named(table, is_)}: {'; '.join(wrong)}"
            is_, due = next(stored, None), next(right, None)


def _key(row: Row, places: Sequence[int]) -> tuple[Any, ...]:
    """As databases order it: numbers before texts."""
    return tuple((isinstance(row[place], str), row[place]) for place in places)


def _named(table: Table, row: Row) -> str:
    values = dict(zip(table.names, row, strict=True))
    return ", ".join(f"{column} {values[column]}" for column in table.key)
