"""A backtest over a history folder: its parts by processes here, or by the workers of a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...application.backtest_report import Backtest
from ...domain.errors import InvalidRequest, StoreError
from ...domain.filters import Condition
from ..backtest import Asked
from ..backtest_log import policy_worlds, reports
from ..backtest_play import PolicyWorlds, Question, play_here
from ..settings import Settings
from ..store.opening import is_there
from .folder import Folder
from .folder_read_models import FolderReadModels
from .folder_runs import FolderHistory
from .log_reader import log_reader

Tell = Callable[[str], None]


def backtest_folder(
    settings: Settings,
    folder: Folder,
    asked: Sequence[Asked],
    *,
    since: int | None = None,
    until: int | None = None,
    conditions: Sequence[Condition] = (),
    scheduler: str | None = None,
    tell: Tell = lambda text: None,
) -> list[Backtest]:
    """Each policy over the folder's runs that began in [since, until), microseconds, and meet every condition.

    Raises InvalidRequest, StoreError, ConfigurationError.
    """
    folder = replace(folder, path=folder.path.absolute())
    policies = policy_worlds(settings, FolderReadModels(folder).catalogues(), asked)
    history = FolderHistory(folder, tuple(conditions))
    question = Question(
        history=history,
        texts=_texts(settings, folder, policies, tell),
        config=settings.file,
        policies=policies,
        since=since,
        until=until,
    )
    parts = history.parts(since, until)
    if not parts:
        return []
    if scheduler is None:
        found = play_here(question, parts, os.cpu_count() or 1)
    else:
        from .dask_cluster import play_on_cluster

        found = play_on_cluster(scheduler, question, parts, tell=tell)
    return reports(found, policies, asked)


def _texts(settings: Settings, folder: Folder, policies: Sequence[PolicyWorlds], tell: Tell) -> str | None:
    """The database with the prompts, where a policy may have to read them: a folder holds none."""
    worlds = [world for one in policies for world in (*one.worlds.values(), one.assumed)]
    if not any(world is not None and world.router is not None for world in worlds):
        return None
    if _is_its_log(settings.database_url, folder):
        return settings.database_url
    tell(
        f"{folder.path} holds no prompts, and the database with them is not there: runs whose prompt the policy would "
        "have to read are unknown; give it as --database"
    )
    return None


def _is_its_log(url: str, folder: Folder) -> bool:
    try:
        if not is_there(url):
            return False
        with log_reader(url) as log:
            return log.chain(folder.last) == folder.chain
    except (StoreError, InvalidRequest):
        return False
