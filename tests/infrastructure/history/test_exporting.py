"""Exports: each event once, whatever is interrupted, and never two logs in one folder."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.errors import (
    InvalidRequest,
    ProjectionStopped,
    StoreCorrupted,
    StoreTooNew,
    StoreUnavailable,
)
from model_orchestrator.infrastructure.history.exporting import export_history
from model_orchestrator.infrastructure.history.folder import open_folder
from model_orchestrator.infrastructure.history.folder_read_models import FolderReadModels
from model_orchestrator.infrastructure.history.layout import LOCK, MARK, UNFINISHED
from model_orchestrator.infrastructure.history.parquet_files import ParquetFile
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.store.file_lock import FileLock
from tests.contracts.read_models import add_raw
from tests.contracts.store_process import ROOT, environment
from tests.database import Database
from tests.generated_log import PROMPTS, write_log
from tests.read_models import of_category

from .histories import SMALL, commits, exported, files_of, label, sql

RUNS, SEED = 60, 41


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A log of some days with what came long after."""
    url = f"sqlite:///{tmp_path_factory.mktemp('log') / 'runs.db'}"
    write_log(url, runs=RUNS, seed=SEED, days=6)
    label(url, SEED)
    return url


@pytest.fixture(scope="module")
def whole(log: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported without any interruption."""
    return exported(log, tmp_path_factory.mktemp("whole") / "history")


def test_a_folder_holds_each_event_once_as_the_log_has_it(database: Database, tmp_path: Path) -> None:
    """Of both databases, with every column; partitions are days of recording."""
    write_log(database.url, runs=25, seed=3, days=4)
    folder = exported(database.url, tmp_path / "history")
    names = (
        "position, stream, version, type, schema_version, occurred_at, recorded_at, causation_id, correlation_id, "
        "actor, payload"
    )
    in_log = database.rows(f"SELECT {names} FROM log.events ORDER BY position")
    micros = names.replace("occurred_at", "epoch_us(occurred_at)").replace("recorded_at", "epoch_us(recorded_at)", 1)
    rows = sql(f"SELECT {micros} FROM '{folder}/events/*/*.parquet' ORDER BY position")
    assert [tuple(row) for row in in_log] == rows
    hashes = database.rows("SELECT event_id, event_hash, chain_hash FROM log.events ORDER BY position")
    hex_id = "replace(event_id, '-', '')"
    found = sql(f"SELECT {hex_id}, event_hash, chain_hash FROM '{folder}/events/*/*.parquet' ORDER BY position")
    assert [(bytes(one).hex(), bytes(two), bytes(three)) for one, two, three in hashes] == found
    days = (
        f"SELECT count(*) FROM '{folder}/events/*/*.parquet' WHERE CAST(recorded_at AT TIME ZONE 'UTC' AS DATE) != day"
    )
    assert sql(days) == [(0,)]
    begun = (
        f"SELECT count(*) FROM '{folder}/events/*/*.parquet' e JOIN '{folder}/events/*/*.parquet' f "
        "ON f.stream = e.stream AND f.version = 1 WHERE e.stream_position != f.position"
    )
    assert sql(begun) == [(0,)]


def test_no_text_leaves(tmp_path: Path) -> None:
    """Prompts and answers are contents; a folder has events, and the models and prices by their hash."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    write_log(url, runs=20, seed=1, days=2, texts=True)
    folder = exported(url, tmp_path / "history")
    for prompt in PROMPTS:
        assert sql(f"SELECT count(*) FROM '{folder}/events/*/*.parquet' WHERE contains(payload, '{prompt[:20]}')") == [
            (0,)
        ]
    kinds = {name.split("/")[0] for name in files_of(folder)}
    assert kinds == {MARK, "events", "runs", "attempts", "escalations"}


def test_nothing_new_changes_nothing(log: str, whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "history")
    done = export_history(log, folder)
    assert (done.files, done.before) == (0, done.last)
    assert files_of(folder) == files_of(whole)


def test_what_came_later_is_added_and_earlier_files_stay(tmp_path: Path) -> None:
    """Runs that changed are there again; the row with the highest `upto` is the read model's."""
    url, folder = f"sqlite:///{tmp_path / 'runs.db'}", tmp_path / "history"
    write_log(url, runs=RUNS, seed=SEED, days=6)
    before = files_of(exported(url, folder))
    label(url, SEED)
    export_history(url, folder, chunk=SMALL)
    after = files_of(folder)
    assert before.items() <= after.items()
    assert any(name.endswith("-late.parquet") for name in after.keys() - before.keys())
    newest = f"SELECT run, feedback FROM '{folder}/runs/*/*.parquet' QUALIFY upto = max(upto) OVER (PARTITION BY run)"
    of_log = {(one.run, one.feedback) for one in StoredReadModels(url).runs()}
    assert set(sql(newest)) == of_log
    assert any(feedback is not None for _, feedback in of_log)
    assert list(FolderReadModels(open_folder(folder)).runs()) == list(StoredReadModels(url).runs())


def _export_in_process(url: str, folder: Path) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from pathlib import Path; "
        "from model_orchestrator.infrastructure.history.exporting import export_history; "
        f"export_history(sys.argv[1], Path(sys.argv[2]), chunk={SMALL})"
    )
    return subprocess.Popen([sys.executable, "-c", program, url, str(folder)], cwd=ROOT, env=environment())


@pytest.mark.parametrize("files", [1, 2, 4, 7, 12, 30])
def test_an_export_that_is_killed_goes_on_to_the_same_folder(files: int, log: str, whole: Path, tmp_path: Path) -> None:
    """SIGKILL as soon as there are so many files, finished or not; then once more, to the end."""
    folder = tmp_path / "history"
    started = _export_in_process(log, folder)
    try:
        while started.poll() is None and sum(1 for file in folder.rglob("*") if file.is_file()) <= files:
            time.sleep(0.0005)
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait(60)
    assert started.returncode == -signal.SIGKILL, "it was done before it was killed: more positions are needed"
    export_history(log, folder, chunk=SMALL)
    assert files_of(folder) == files_of(whole)


def test_what_an_interruption_can_leave_is_removed(log: str, whole: Path, tmp_path: Path) -> None:
    """Unfinished files, and finished ones of a range whose events are not there; however far the log went on."""
    folder = shutil.copytree(whole, tmp_path / "history")
    last = open_folder(folder).chunks[-1]
    (folder / last.events).unlink()
    (folder / f"{last.events}{UNFINISHED}").write_bytes(b"half")
    (folder / f"{MARK}{UNFINISHED}").write_bytes(b"half")
    cut = open_folder(folder)
    assert cut.last == last.first - 1
    assert not {f"{folder}/{name}" for name in last.files} & {*cut.files("runs"), *cut.files("attempts")}
    export_history(log, folder, chunk=SMALL)
    assert files_of(folder) == files_of(whole)


def test_the_same_positions_may_be_cut_otherwise(log: str, whole: Path, tmp_path: Path) -> None:
    """One large chunk a day answers as many small ones do."""
    once = FolderReadModels(open_folder(exported(log, tmp_path / "history", chunk=10**6)))
    parts = FolderReadModels(open_folder(whole))
    assert list(once.attempts()) == list(parts.attempts()) == list(StoredReadModels(log).attempts())
    assert list(once.runs()) == list(parts.runs()) == list(StoredReadModels(log).runs())


def test_two_exports_at_once_do_not_meet(log: str, whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "history")
    other = FileLock(folder / LOCK)
    other.acquire()
    with pytest.raises(StoreUnavailable, match="another export is writing"):
        export_history(log, folder)
    other.close()
    export_history(log, folder)


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_two_logs_never_share_a_folder(whole: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    write_log(url, runs=5, seed=2)
    with pytest.raises(InvalidRequest, match="history of another log"):
        export_history(url, whole)


def test_a_log_that_was_set_back_is_refused(tmp_path: Path) -> None:
    """Restored from a copy older than the folder, whether it is shorter or went on differently."""
    url, folder = f"sqlite:///{tmp_path / 'runs.db'}", tmp_path / "history"
    write_log(url, runs=5, seed=2, days=2)
    shutil.copy(tmp_path / "runs.db", tmp_path / "older.db")
    commits(url, [("run-late", of_category("chat"))])
    exported(url, folder)
    older = f"sqlite:///{tmp_path / 'older.db'}"
    with pytest.raises(InvalidRequest, match="goes on differently"):
        export_history(older, folder)
    commits(older, [("run-other", of_category("chat")), ("run-more", of_category("chat"))])
    with pytest.raises(InvalidRequest, match="goes on differently"):
        export_history(older, folder)


def test_only_an_empty_folder_or_a_history_is_written_to(log: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidRequest, match="is not a folder"):
        export_history(log, tmp_path / "file")
    with pytest.raises(InvalidRequest, match=r"holds something else \(file\)"):
        export_history(log, tmp_path)
    assert (tmp_path / "file").read_text() == "mine"


def test_an_event_of_a_newer_release_stops_the_export_before_it(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path / 'runs.db'}", tmp_path / "history"
    commits(url, [("run-1", of_category("chat"))])
    exported(url, folder)
    add_raw(url, "run-1", "CostIncurred", '{"attempt":1,"amount":"0.0000000000001"}')
    with pytest.raises(ProjectionStopped, match=r"position 2 \(CostIncurred\) cannot be exported"):
        export_history(url, folder)
    assert open_folder(folder).last == 1


def test_an_empty_log_and_one_in_memory_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="in memory cannot be exported"):
        export_history("sqlite:///:memory:", tmp_path / "history")


def _no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_the_folders_and_not_the_databases(
    log: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is named, and once there is space the export goes on."""
    folder = tmp_path / "history"
    with monkeypatch.context() as patch:
        patch.setattr(ParquetFile, "finish", _no_space)
        with pytest.raises(StoreUnavailable, match=rf"^{folder}: No space left on device: look after the folder's"):
            export_history(log, folder)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreUnavailable, match=rf"^{tmp_path}/file/history: Not a directory"):
        export_history(log, tmp_path / "file" / "history")
    assert files_of(exported(log, folder)) == files_of(whole)


# ---- folders that are not whole --------------------------------------------------------------------------------------


def _first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def test_folders_without_a_history_say_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="there is no such folder"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(InvalidRequest, match="is empty; `events export DIR` makes one"):
        open_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidRequest, match=r"is no history: it has no history\.json"):
        open_folder(tmp_path)
    with pytest.raises(InvalidRequest, match="not a folder"):
        open_folder(tmp_path / "notes.txt")


def test_a_folder_of_half_written_files_is_no_history(whole: Path, tmp_path: Path) -> None:
    """As a kill in the first chunk leaves it."""
    folder = tmp_path / "history"
    folder.mkdir()
    shutil.copy(whole / MARK, folder / MARK)
    half = folder / "events" / "day=2026-11-20" / f"{1:019}-{9:019}.parquet{UNFINISHED}"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"PAR1")
    with pytest.raises(InvalidRequest, match="holds no finished export"):
        open_folder(folder)


@pytest.mark.parametrize("kind", ["events", "runs", "attempts", "escalations"])
def test_a_file_that_is_cut_is_named(kind: str, whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "history")
    file = _first(folder, f"{kind}/*/*.parquet")
    _cut(file)
    with pytest.raises(StoreCorrupted, match=f"{file.name} is not.* whole"):
        open_folder(folder)


@pytest.mark.parametrize("kind", ["events", "runs", "attempts", "escalations"])
def test_what_is_missing_is_named(kind: str, whole: Path, tmp_path: Path) -> None:
    """A partition, or one file of another kind; nothing is answered from the rest."""
    folder = shutil.copytree(whole, tmp_path / "history")
    if kind == "events":
        partition = sorted((folder / kind).iterdir())[1]
        first = sorted(partition.iterdir())[0].name[:19].lstrip("0")
        shutil.rmtree(partition)
        with pytest.raises(StoreCorrupted, match=f"the events at positions {int(first):,} to .* are missing"):
            open_folder(folder)
        return
    file = _first(folder, f"{kind}/*/*.parquet")
    file.unlink()
    with pytest.raises(StoreCorrupted, match=f"{file.name} is missing: bring the file back"):
        open_folder(folder)


def test_a_newer_schema_is_told(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "history")
    text = (folder / MARK).read_text()
    assert '"schema": 1' in text
    (folder / MARK).write_text(text.replace('"schema": 1', '"schema": 2'))
    with pytest.raises(StoreTooNew, match="has schema 2, and this release reads up to 1"):
        open_folder(folder)
    (folder / MARK).write_text(text[:20])
    with pytest.raises(StoreCorrupted, match=r"history\.json is not whole"):
        open_folder(folder)
    (folder / MARK).write_text('{"what": "notes", "schema": 1, "log": ""}')
    with pytest.raises(InvalidRequest, match="is not of a history of this program"):
        open_folder(folder)


def test_files_of_two_exports_do_not_mix(log: str, whole: Path, tmp_path: Path) -> None:
    """Copied over each other: the same positions twice, or positions of another log."""
    folder = shutil.copytree(whole, tmp_path / "history")
    other = exported(log, tmp_path / "once", chunk=10**6)
    shutil.copytree(other, folder, dirs_exist_ok=True)
    with pytest.raises(StoreCorrupted, match="holds events that another file has too"):
        open_folder(folder)
    url, strange = f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "strange"
    write_log(url, runs=RUNS, seed=SEED + 1, days=1)
    exported(url, strange)
    first = open_folder(strange).chunks[0]
    chunks = open_folder(whole).chunks
    assert first.last == chunks[0].last == SMALL, "both begin with a whole chunk of one day"
    mixed = shutil.copytree(whole, tmp_path / "mixed")
    (mixed / chunks[0].events).unlink()
    for name in (first.events, *first.files):
        (mixed / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(strange / name, mixed / name)
    with pytest.raises(StoreCorrupted, match="is of another log"):
        open_folder(mixed)


@pytest.mark.parametrize(
    ("kind", "copy"),
    [("runs", "copy.parquet"), ("runs", f"{1:019}-{2:019}.parquet"), ("events", "copy.parquet")],
)
def test_a_copy_beside_the_file_is_told(kind: str, copy: str, log: str, whole: Path, tmp_path: Path) -> None:
    """Another engine that reads all files of a kind would count its rows twice."""
    folder = shutil.copytree(whole, tmp_path / "history")
    file = _first(folder, f"{kind}/*/*.parquet")
    shutil.copy(file, file.with_name(copy))
    with pytest.raises(StoreCorrupted, match=f"{copy} is no file of this history, a copy perhaps"):
        open_folder(folder)
    with pytest.raises(StoreCorrupted, match="take it out of the folder"):
        export_history(log, folder)


def test_a_partition_that_cannot_be_read_is_no_missing_one(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the last day would be left out, and the rest be taken for an earlier moment."""
    folder = shutil.copytree(whole, tmp_path / "history")
    closed, scandir = sorted((folder / "events").iterdir())[-1], os.scandir

    def refused(path: Any) -> Any:
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    def listed(path: Any) -> Any:
        with refused(path) as found:
            return [one.name for one in found]

    monkeypatch.setattr("os.scandir", refused)
    monkeypatch.setattr("os.listdir", listed)
    with pytest.raises(StoreUnavailable, match=f"{closed}: Permission denied: look after the folder's permissions"):
        open_folder(folder)


def test_a_file_that_was_renamed_is_told(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "history")
    file = _first(folder, "events/*/*.parquet")
    file.rename(file.with_name(f"{1:019}-{7:019}.parquet"))
    with pytest.raises(StoreCorrupted, match="it was renamed"):
        open_folder(folder)
