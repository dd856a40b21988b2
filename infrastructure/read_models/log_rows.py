"""Rows of the log's tables, for what reads them directly: one SQL for both databases, with `log.` before each table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from ...domain.errors import InvalidRequest
from ..store.opening import sqlite_path
from ..store.sqlite_connection import connect_reader, translated

Ask = Callable[[str, tuple[object, ...]], Iterable[Any]]


@contextmanager
def log_rows(url: str, why_not: str) -> Iterator[Ask]:
    """Asks a query and gives its rows as they are fetched; `?` stands for a value.

    Raises InvalidRequest, saying `why_not`, for a database in memory.
    """
    if url.startswith("sqlite:"):
        path = sqlite_path(url)
        if path is None:
            raise InvalidRequest(why_not)
        with translated(path), closing(connect_reader(path)) as connection:
            yield lambda query, parameters: connection.execute(query.replace(" log.", " "), parameters)
        return
    from .postgres import log_tables

    with log_tables(url) as tables:
        yield tables.stream
