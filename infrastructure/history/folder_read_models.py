"""The ReadModels port over a history folder: the questions of the read models, answered by DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from ...application.read_models import Metered, ProjectionStatus
from ...domain.catalogue import Catalogue
from ...domain.errors import InvalidRequest
from ...domain.units import Timestamp
from ...projections.filter_sql import Sql
from ...projections.projection import Names
from ..catalogue_json import catalogue_from_json
from ..read_models.registry import BY_NAME
from ..read_models.stored import Snapshot, StoredReadModels
from .duckdb_tables import history_tables
from .folder import Folder


class FolderReadModels(StoredReadModels):
    """As the folder's last position has them; nothing is folded."""

    def __init__(self, folder: Folder, *, threads: int | None = None) -> None:
        """`threads` of DuckDB; None: one for each processor."""
        self._folder = folder
        self._threads = threads
        self.tell = lambda text: None

    def catalogues(self) -> dict[str, Catalogue]:
        """The models and prices that runs were asked under, by hash."""
        return {digest: catalogue_from_json(text) for digest, text in self._folder.catalogues().items()}

    def as_of(self, moment: Timestamp) -> NoReturn:
        """A folder has one moment."""
        raise InvalidRequest("--as-of needs the log: a history folder has its rows as of the last export")

    def status(self) -> list[ProjectionStatus]:
        """There are no checkpoints here."""
        raise InvalidRequest("a history folder has no read models of its own")

    def metered(self) -> Metered:
        """Metrics are the log's."""
        raise InvalidRequest("metrics need the log")

    @contextmanager
    def _asking(self, *names: str, even_stopped: bool = False) -> Iterator[Snapshot]:
        known = {name: Names(one.version, 0) for name, one in BY_NAME.items()}
        with history_tables(self._folder, known["attempts"], known["runs"], self._threads) as tables:
            yield Snapshot(tables, known)

    def _search(self, dialect: str) -> Callable[[str], Sql]:
        def refuse(words: str) -> Sql:
            raise InvalidRequest("text: a history folder holds no texts; ask the log")

        return refuse
