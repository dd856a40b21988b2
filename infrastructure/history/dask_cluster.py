"""The parts of a backtest by the workers of a Dask cluster. A part that a lost worker had is played again by another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...domain.errors import ConfigurationError, InvalidRequest, OrchestratorError, StoreUnavailable
from ..backtest_play import Found, Question, merge, play_part

ANSWERS_WITHIN = 10  # seconds: the scheduler
WORKERS_WITHIN = 60  # seconds without any worker
Tell = Callable[[str], None]


def play_on_cluster(
    scheduler: str,
    question: Question,
    parts: Sequence[Any],
    *,
    tell: Tell = lambda text: None,
    answers_within: float = ANSWERS_WITHIN,
    workers_within: float = WORKERS_WITHIN,
) -> Found:
    """Every part once. The workers need this package and the folder under the same path.

    Raises InvalidRequest for an address that is none, StoreUnavailable where nobody answers there or no worker is
    left, ConfigurationError where Dask is missing, and what a part raises.
    """
    total: Found = {}
    with _client(scheduler, answers_within) as client:
        _wait_for_worker(client, scheduler, workers_within)
        asked = client.scatter(question, broadcast=False)
        waiting = {client.submit(play_part, asked, part, pure=False, retries=3) for part in parts}
        while waiting:
            done = _next(client, waiting, scheduler, workers_within)
            for future in done:
                merge(total, _result(future, scheduler))
            waiting -= done
            tell(f"{len(parts) - len(waiting):,} of {len(parts):,} parts")
    return total


@contextmanager
def _client(scheduler: str, seconds: float) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise ConfigurationError(
            "--scheduler needs the package distributed: install model-orchestrator[dask], here and on the workers"
        ) from None
    try:
        client = Client(scheduler, timeout=seconds, set_as_default=False)
    except (OSError, TimeoutError):
        raise StoreUnavailable(
            f"no Dask scheduler answered at {scheduler} within {seconds:g} s: start one with `dask scheduler`, "
            "or leave out --scheduler"
        ) from None
    except ValueError as error:
        raise InvalidRequest(f"--scheduler {scheduler}: {error}; expected tcp://HOST:PORT") from None
    with client:
        yield client


def _wait_for_worker(client: Any, scheduler: str, seconds: float) -> None:
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError:
        raise _without_workers(scheduler, seconds) from None


def _without_workers(scheduler: str, seconds: float) -> StoreUnavailable:
    return StoreUnavailable(
        f"the Dask scheduler at {scheduler} has had no worker for {seconds:g} s: nothing is reported; "
        f"start some with `dask worker {scheduler}`"
    )


def _next(client: Any, waiting: set[Any], scheduler: str, seconds: float) -> set[Any]:
    """The parts that are done next. Raises StoreUnavailable where nobody is left to do one."""
    from distributed import wait

    while True:
        try:
            return set(wait(waiting, timeout=seconds, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            _wait_for_worker(client, scheduler, seconds)


def _result(future: Any, scheduler: str) -> Found:
    try:
        found: Found = future.result()
    except OrchestratorError:
        raise
    except Exception as error:
        raise StoreUnavailable(
            f"a part failed on the Dask cluster at {scheduler}: {type(error).__name__}: {error}; nothing is reported"
        ) from error
    return found
