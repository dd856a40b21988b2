"""The runs of a history folder for a backtest, a part at a time: those that began in it, with all that came later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...application.backtest_runs import PastRun
from ...domain.filters import Condition
from ..backtest_history import ALL, TYPES, runs_of
from .duckdb_tables import duckdb_on, listed, translated
from .folder import Chunk, Folder
from .folder_read_models import FolderReadModels

A_PART = 200_000  # positions: what a process holds at a time
A_FETCH = 10_000  # rows


@dataclass(frozen=True, slots=True)
class FolderPart:
    """Runs that began at positions [first, last], and the chunks that their events are in."""

    folder: Folder  # these chunks only
    first: int
    last: int
    began_at: int  # microseconds: none of the runs began before
    ended_at: int  # nor after


@dataclass(frozen=True, slots=True)
class FolderHistory:
    """A folder's runs that meet every condition."""

    folder: Folder
    conditions: Sequence[Condition] = ()

    def parts(self, since: int | None, until: int | None) -> list[FolderPart]:
        """Those in which runs may have begun in [since, until), microseconds."""
        later: dict[int, list[Chunk]] = {}
        for chunk in self.folder.chunks:
            for first in chunk.goes_on:
                later.setdefault(first, []).append(chunk)
        groups = [[one for one in group if _meant(one, since, until)] for group in _grouped(self.folder.chunks)]
        return [self._part(group, later) for group in groups if group]

    def _part(self, chunks: Sequence[Chunk], later: dict[int, list[Chunk]]) -> FolderPart:
        needed = {one.first: one for chunk in chunks for one in (chunk, *later.get(chunk.first, ()))}
        own = self.folder.only([needed[first] for first in sorted(needed)])
        return FolderPart(own, chunks[0].first, chunks[-1].last, chunks[0].began_at, chunks[-1].ended_at)

    def runs(self, part: FolderPart, since: int | None, until: int | None) -> Iterator[PastRun]:
        """Whole runs of a part that began in [since, until)."""
        meant = None
        if self.conditions:
            models = FolderReadModels(part.folder, threads=1)
            span = (part.began_at, part.ended_at + 1)
            meant = {one.run for one in models.runs(span=span, conditions=self.conditions)}
        for run in runs_of(_rows(part), since, until):
            if meant is None or run.id in meant:
                yield run


def _rows(part: FolderPart) -> Iterator[tuple[str, str, int, int, str]]:
    marks = ", ".join("?" * len(TYPES))
    query = (
        "SELECT stream, type, schema_version, epoch_us(recorded_at), payload FROM "
        f"read_parquet({listed(part.folder.files('events'))}) "
        f"WHERE stream_position BETWEEN ? AND ? AND stream >= ? AND stream < ? AND type IN ({marks}) "
        "ORDER BY stream, version"
    )
    with duckdb_on(part.folder, threads=1) as connection:
        with translated(part.folder):
            connection.execute(query, [part.first, part.last, *ALL, *TYPES])
        while rows := _fetched(part, connection):
            yield from rows


def _fetched(part: FolderPart, connection: object) -> list[tuple[str, str, int, int, str]]:
    with translated(part.folder):
        rows: list[tuple[str, str, int, int, str]] = connection.fetchmany(A_FETCH)  # type: ignore[attr-defined]
        return rows


def _meant(chunk: Chunk, since: int | None, until: int | None) -> bool:
    return (since is None or chunk.ended_at >= since) and (until is None or chunk.began_at < until)


def _grouped(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks that follow each other, of A_PART positions together."""
    group: list[Chunk] = []
    for chunk in chunks:
        if group and chunk.last - group[0].first >= A_PART:
            yield group
            group = []
        group.append(chunk)
    if group:
        yield group
