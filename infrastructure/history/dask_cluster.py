"""The parts of a backtest by the workers of a Dask cluster; what a lost worker had is played again by another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
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
) -> Found:
    """Every part once. The workers need this package and the folder under the same path.

    Raises InvalidRequest for an address that is none, StoreUnavailable where nobody answers there or no worker is
    left, ConfigurationError where Dask is missing, and what a part raises.
    """
    total: Found = {}
    with _client(scheduler, ANSWERS_WITHIN) as client:
        _wait_for_worker(client, scheduler, WORKERS_WITHIN)
        asked = client.submit(_given, question, pure=False)  # not scattered: that would be lost with a worker
        waiting = {client.submit(play_part, asked, part, pure=False, retries=3) for part in parts}
        while waiting:
            done = _next(client, waiting, scheduler, WORKERS_WITHIN)
            for future in done:
                merge(total, _result(future, scheduler))
            waiting -= done
            tell(f"{len(parts) - len(waiting):,} of {len(parts):,} parts")
    return total


def _given(question: Question) -> Question:
    """The question as a part's argument: sent once to each worker, and made anew where one is lost."""
    return question


@contextmanager
def _client(scheduler: str, seconds: float) -> Iterator[Any]:
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise ConfigurationError(
            "--scheduler needs the package distributed: install model-orchestrator[dask], here and on the workers"
        ) from None
    try:
        _check(scheduler)
        client = distributed.Client(scheduler, timeout=seconds, set_as_default=False)
    except (OSError, TimeoutError):
        raise StoreUnavailable(
            f"no Dask scheduler answered at {scheduler} within {seconds:g} s: start one with `dask scheduler`, "
            "or leave out --scheduler"
        ) from None
    except ValueError as error:
        raise InvalidRequest(f"--scheduler {scheduler}: {error}; expected tcp://HOST:PORT") from None
    with client, client.as_current():
        yield client


def _check(scheduler: str) -> None:
    """Raises ValueError for an address that is none. A client that finds this out waits 20 s for itself, aloud."""
    addressing: Any = import_module("distributed.comm.addressing")
    security: Any = import_module("distributed.security")
    scheme, place = addressing.parse_address(scheduler, strict=True)
    addressing.parse_host_port(place)
    if scheme not in ("tcp", "tls"):
        raise ValueError(f"{scheme} is not possible")
    if scheme == "tls" and security.Security().get_connection_args("client")["ssl_context"] is None:
        raise ValueError("tls needs certificates in Dask's own settings")


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
    distributed: Any = import_module("distributed")
    while True:
        try:
            return set(distributed.wait(waiting, timeout=seconds, return_when="FIRST_COMPLETED").done)
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
