"""A backtest over a folder is the log's, to the last digit: here, by processes, on a cluster that loses a worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.dates import Calendar
from model_orchestrator.application.filters import parse_filters
from model_orchestrator.domain.errors import ConfigurationError, InvalidRequest, StoreUnavailable
from model_orchestrator.domain.filters import RUN_FIELDS
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.backtest import Asked
from model_orchestrator.infrastructure.backtest_history import past_runs
from model_orchestrator.infrastructure.backtest_log import backtest_log
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.history import dask_cluster, folder_runs
from model_orchestrator.infrastructure.history.folder import open_folder
from model_orchestrator.infrastructure.history.folder_backtest import backtest_folder
from model_orchestrator.infrastructure.history.folder_runs import FolderHistory
from model_orchestrator.infrastructure.settings import Settings
from tests.contracts.store_process import ROOT, environment
from tests.generated_log import END, write_log
from tests.weights import fake_weights, write_router

from .histories import exported, label

RUNS, SEED = 150, 77
ASKED = [Asked.of("heuristic"), Asked.of("heuristic:fallback")]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A log and its folder, of several days, with labels and other scores that came in a later export."""
    place = tmp_path_factory.mktemp("history")
    url, folder = f"sqlite:///{place / 'runs.db'}", place / "history"
    write_log(url, runs=RUNS, seed=SEED, days=9)
    exported(url, folder)
    label(url, SEED, share=0.6)
    return url, exported(url, folder)


def _settings(url: str) -> Settings:
    return Settings.load(None, env={"MODEL_ORCHESTRATOR_CATALOGUE": "seed"}, database_url=url)


def _of_log(url: str, asked: list[Asked] = ASKED, **which: Any) -> list[dict[str, Any]]:
    return [one.to_dict() for one in backtest_log(Orchestrator(_settings(url)), asked, **which)]


def _of_folder(url: str, folder: Path, asked: list[Asked] = ASKED, **which: Any) -> list[dict[str, Any]]:
    return [one.to_dict() for one in backtest_folder(_settings(url), open_folder(folder), asked, **which)]


@pytest.fixture
def _in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_runs, "A_PART", 120)


@pytest.mark.usefixtures("_in_parts")
def test_every_run_comes_whole_in_one_part(both: tuple[str, Path]) -> None:
    """With what was exported long after it, as the log has it."""
    url, folder = both
    history = FolderHistory(open_folder(folder))
    parts = history.parts(None, None)
    assert len(parts) > 5
    found = [run for part in parts for run in history.runs(part, None, None)]
    assert sorted(found, key=lambda run: run.id) == list(past_runs(url))
    assert any(run.labels for run in found)


@pytest.mark.usefixtures("_in_parts")
@pytest.mark.parametrize("processors", [1, 2])
def test_figures_are_those_of_the_log(processors: int, both: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels, calibrated estimates, costs and intervals, however many processes play."""
    url, folder = both
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    found = _of_folder(url, folder)
    assert found == _of_log(url)
    assert sum(one["policies"][0]["counts"]["quality_observed"] for one in found) > 20
    assert sum(one["policies"][0]["counts"]["runs"] for one in found) == RUNS


@pytest.mark.usefixtures("_in_parts")
def test_only_the_runs_meant_are_played(both: tuple[str, Path]) -> None:
    url, folder = both
    day = 86_400_000_000
    end = Timestamp(int(END.timestamp()) * 1_000_000)
    times: dict[str, Any] = {"since": end - 5 * day, "until": end - day}
    assert _of_folder(url, folder, **times) == _of_log(url, **times) != _of_log(url)
    meant = (parse_filters(("category = chat",), RUN_FIELDS, Calendar(end, UTC)),)
    orchestrator = Orchestrator(_settings(url))
    only = {one.run for one in orchestrator.read_models.runs(conditions=meant)}
    assert _of_folder(url, folder, conditions=meant) == _of_log(url, only=only) != _of_log(url)
    assert _of_folder(url, folder, since=end + 10**16) == []


def test_prompts_are_read_from_the_log_where_weights_must_predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder has none: without the log's own database the runs are unknown, and that is told."""
    fake_weights(monkeypatch, tmp_path / "shipped")
    write_router(tmp_path / "mine.json", {"gpt-4o": 0.9, "gpt-4o-mini": 0.3})
    (tmp_path / "mine.toml").write_text('router = "mine.json"\n')
    url, other = f"sqlite:///{tmp_path / 'runs.db'}", f"sqlite:///{tmp_path / 'other.db'}"
    write_log(url, runs=60, seed=21, texts=True)
    write_log(other, runs=60, seed=22, texts=True)
    folder = exported(url, tmp_path / "history", chunk=10**6)
    asked, told = [Asked.of(f"{tmp_path / 'mine.toml'}:cheapest")], list[str]()
    with_texts = _of_folder(url, folder, asked, tell=told.append)
    assert with_texts == _of_log(url, asked)
    assert told == []
    for absent in (f"sqlite:///{tmp_path / 'nowhere.db'}", other):
        found = _of_folder(absent, folder, asked, tell=told.append)
        assert found != with_texts
        assert "holds no prompts" in told.pop()


def test_a_process_that_is_killed_fails_the_backtest(both: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    url, folder = both
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(FolderHistory, "parts", lambda self, since, until: [_Deadly(), _Deadly()])
    with pytest.raises(StoreUnavailable, match="was killed"):
        _of_folder(url, folder)


class _Deadly:
    """A part that nobody survives."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _die, ()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# ---- on a Dask cluster -----------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Cluster:
    """A scheduler and its worker processes."""

    def __init__(self, place: Path) -> None:
        self.address = f"tcp://127.0.0.1:{_free_port()}"
        self._place = place
        self.workers: list[subprocess.Popen[bytes]] = []
        self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", self.address.rpartition(":")[2])

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:], "--no-dashboard"]
        env = {**environment(), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3"}
        output = self._place.joinpath(f"{words[0]}.log").open("ab")
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)

    def add_worker(self) -> None:
        words = ("--nthreads", "1", "--no-nanny", "--local-directory", str(self._place), "--host", "127.0.0.1")
        self.workers.append(self._start("worker", self.address, *words))

    def close(self) -> None:
        for one in (*self.workers, self._scheduler):
            one.kill()
            one.wait(60)


@contextmanager
def _cluster(place: Path, workers: int) -> Iterator[Cluster]:
    with ExitStack() as stack:
        cluster = Cluster(place)
        stack.callback(cluster.close)
        for _ in range(workers):
            cluster.add_worker()
        _until_up(cluster, workers)
        yield cluster


def _until_up(cluster: Cluster, workers: int) -> None:
    from distributed import Client

    deadline = time.monotonic() + 60
    while True:
        try:
            with Client(cluster.address, timeout=5, set_as_default=False) as client:  # type: ignore[no-untyped-call]
                if workers:
                    client.wait_for_workers(workers, timeout=60)
                return
        except (OSError, TimeoutError):
            assert time.monotonic() < deadline, "the cluster did not come up"


@pytest.mark.xdist_group("dask")
@pytest.mark.usefixtures("_in_parts")
def test_a_cluster_that_loses_a_worker_comes_to_the_same(both: tuple[str, Path], tmp_path: Path) -> None:
    """SIGKILL for one of two worker processes as soon as some parts, not all, are done."""
    url, folder = both
    with _cluster(tmp_path, workers=2) as cluster:
        killed: list[str] = []

        def kill_one(text: str) -> None:
            if not killed and " of " in text:
                cluster.workers[0].send_signal(signal.SIGKILL)
                cluster.workers[0].wait(60)
                killed.append(text)

        found = _of_folder(url, folder, scheduler=cluster.address, tell=kill_one)
        done, _, parts = killed[0].removesuffix(" parts").partition(" of ")
        assert 0 < int(done) < int(parts)
        assert cluster.workers[1].poll() is None
    assert found == _of_log(url)


@pytest.mark.xdist_group("dask")
def test_a_cluster_without_workers_is_told(
    both: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = both
    monkeypatch.setattr(dask_cluster, "WORKERS_WITHIN", 0.5)
    with (
        _cluster(tmp_path, workers=0) as cluster,
        pytest.raises(StoreUnavailable, match=r"has had no worker for 0\.5 s"),
    ):
        _of_folder(url, folder, scheduler=cluster.address)


@pytest.mark.xdist_group("dask")
@pytest.mark.usefixtures("_in_parts")
def test_a_cluster_that_loses_every_worker_reports_nothing(
    both: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = both
    monkeypatch.setattr(dask_cluster, "WORKERS_WITHIN", 2)
    with _cluster(tmp_path, workers=1) as cluster:

        def kill_it(text: str) -> None:
            cluster.workers[0].send_signal(signal.SIGKILL)

        with pytest.raises(StoreUnavailable, match="nothing is reported"):
            _of_folder(url, folder, scheduler=cluster.address, tell=kill_it)


def test_a_scheduler_that_is_not_there_is_told(both: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded wait; an address that is none at once."""
    url, folder = both
    monkeypatch.setattr(dask_cluster, "ANSWERS_WITHIN", 0.5)
    address = f"tcp://127.0.0.1:{_free_port()}"
    with pytest.raises(StoreUnavailable, match=rf"no Dask scheduler answered at {address} within 0\.5 s"):
        _of_folder(url, folder, scheduler=address)
    before = time.monotonic()
    for wrong in (
        "nonsense://x",
        "http://127.0.0.1:80",
        "tls://127.0.0.1:8786",
        "tcp://127.0.0.1",
        "tcp://x:y",
        "x",
        "",
    ):
        with pytest.raises(InvalidRequest, match="expected tcp://HOST:PORT"):
            _of_folder(url, folder, scheduler=wrong)
    assert time.monotonic() - before < 10, "a Dask client that fails to start waits 20 s for itself"


def test_without_the_extra_it_is_named(both: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    url, folder = both
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match=r"install model-orchestrator\[dask\]"):
        _of_folder(url, folder, scheduler="tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigurationError, match=r"install model-orchestrator\[history\]"):
        _of_folder(url, folder)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"install model-orchestrator\[history\]"):
        open_folder(folder)
