"""History folders for tests: what is in one, byte for byte and row by row."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import uuid_utils

from model_orchestrator.domain.events import Evidence, RunEvent, RunRescored
from model_orchestrator.domain.units import Usd, probability
from model_orchestrator.infrastructure.event_codec import encode
from model_orchestrator.infrastructure.history.exporting import export_history
from model_orchestrator.infrastructure.history.layout import LOCK
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.store.opening import open_store
from tests.contracts.appends import appended, new_event, on_stream
from tests.read_models import fed_back, reconciled

SMALL = 60  # positions of a chunk: many files of few events


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, but for the lock."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != LOCK
    }


def sql(query: str) -> list[Any]:
    """As somebody asks a folder with DuckDB alone."""
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


def commits(url: str, added: Sequence[tuple[str, RunEvent]]) -> None:
    """Events of runs, each in a commit of its own."""

    async def append() -> None:
        store = open_store(url)
        try:
            for run, event in added:
                type_, version, payload = encode(event)
                new = replace(new_event(payload, type=type_, event_id=uuid_utils.uuid7().bytes), schema_version=version)
                await appended(store, on_stream(run, new))
        finally:
            await store.aclose()

    asyncio.run(append())


def label(url: str, seed: int, share: float = 0.3) -> None:
    """Long after the runs: labels and other scores for their answers, and what lost attempts turned out to cost."""
    rng, added = random.Random(seed), list[tuple[str, RunEvent]]()
    for one in StoredReadModels(url).attempts(oldest_first=True):
        if one.status == "answered" and rng.random() < share:
            value = rng.choice((0.0, 1.0, 0.7, 1 / 3))
            added.append((one.run, fed_back(value, rng.choice((None, one.number)), by=rng.choice(("ann", "ben")))))
            if rng.random() < 0.3:
                score = probability(rng.random())
                added.append(
                    (
                        one.run,
                        RunRescored(
                            attempt=one.number, score=score, scorer="other-1", signals={}, by="ann", judged_in=None
                        ),
                    )
                )
        elif one.status == "lost" and one.reconciled is None and rng.random() < 0.5:
            added.append((one.run, reconciled(one.number, str(Usd("0.0123")), Evidence.RECONCILED)))
    commits(url, added)


def exported(url: str, folder: Path, chunk: int = SMALL) -> Path:
    export_history(url, folder, chunk=chunk)
    return folder
