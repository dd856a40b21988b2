"""Many runs replayed by all processors, a few at a time: memory stays the same however many there are."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from pathlib import Path

from ..application.replay_report import Checked
from ..application.reroute import Rerouted, rerouted
from .bootstrap import Orchestrator
from .policies import PolicyInForce, policy_over_past
from .replaying import Recorded
from .settings import Settings
from .store.memory import MemoryStore

AT_ONCE = 50  # runs read together
FEW = 400  # a process that is started for fewer costs more than it saves


async def checked_runs(
    orchestrator: Orchestrator, run_ids: Iterable[str], *, scores: bool = True, processes: int | None = None
) -> AsyncIterator[Checked]:
    """The runs decided again, in their order."""
    ids = iter(run_ids)
    first = list(islice(ids, FEW))
    count = processes or os.cpu_count() or 1
    if len(first) < FEW or count == 1 or not _can_be_shared(orchestrator):
        recorded = Recorded(orchestrator.log)
        for some in _pieces(chain(first, ids)):
            for done in await recorded.checked(some, scores=scores):
                yield done
        return
    settings = orchestrator.settings
    context = multiprocessing.get_context("spawn")  # a fork would share connections
    opened = partial(_open_in_worker, settings.file, settings.database_url)
    with ProcessPoolExecutor(count, mp_context=context, initializer=opened) as pool:
        for done in _in_order(pool, _pieces(chain(first, ids)), scores, 2 * count):
            yield done


async def rerouted_runs(
    orchestrator: Orchestrator, run_ids: Iterable[str], policy: str
) -> AsyncIterator[tuple[str, Rerouted | str]]:
    """What the named policy would have decided of each run, in their order; or why that cannot be said.

    Raises InvalidRequest, ConfigurationError for a policy that there is not.
    """
    orchestrator.policy(None, policy)  # the caller's mistakes are found before any run is read
    recorded, policies = Recorded(orchestrator.log), dict[str, PolicyInForce | None]()
    for some in _pieces(iter(run_ids)):
        for one in await recorded.read(some):
            if one.basis is None:
                yield one.run.id, one.why_not or ""
                continue
            catalogue, digest = one.basis.catalogue, one.run.started.catalogue if one.run.started else ""
            if digest not in policies:
                policies[digest] = policy_over_past(orchestrator.settings, catalogue, policy)
            other = policies[digest]
            if other is None:
                yield one.run.id, "its data set was removed or replaced"
                continue
            router = other.router.model if other.router else None
            yield one.run.id, rerouted(one.run, one.basis, other.policy, one.texts.request, router)


def _in_order(pool: ProcessPoolExecutor, pieces: Iterator[list[str]], scores: bool, ahead: int) -> Iterator[Checked]:
    under_way: deque[Future[list[Checked]]] = deque()
    try:
        for some in pieces:
            under_way.append(pool.submit(_check_in_worker, some, scores))
            if len(under_way) > ahead:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()


def _pieces(ids: Iterator[str]) -> Iterator[list[str]]:
    while some := list(islice(ids, AT_ONCE)):
        yield some


def _can_be_shared(orchestrator: Orchestrator) -> bool:
    """Whether another process that reads the settings anew comes to the same: secrets are not sent to it."""
    settings = orchestrator.settings
    if isinstance(orchestrator.store, MemoryStore):
        return False
    return Settings.load(settings.file, database_url=settings.database_url).content_key == settings.content_key


_worker: tuple[asyncio.AbstractEventLoop, Recorded] | None = None  # of a worker process


def _open_in_worker(file: Path | None, database_url: str) -> None:
    global _worker
    orchestrator = Orchestrator(Settings.load(file, database_url=database_url))
    _worker = asyncio.new_event_loop(), Recorded(orchestrator.log)


def _check_in_worker(run_ids: Sequence[str], scores: bool) -> list[Checked]:
    assert _worker is not None
    loop, recorded = _worker
    return loop.run_until_complete(recorded.checked(run_ids, scores=scores))
