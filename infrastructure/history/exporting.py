"""Writing what is new in the log into a history folder: each event once, whatever is interrupted.

A chunk is a range of positions of one UTC day. Its rows are written first and its events last; a chunk whose file of
events has its name is exported, and what an interrupted one left behind is removed by the next export, which then goes
on at the same position. Chunks depend on the log and on where the export before ended, never on when it was killed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...domain.errors import InvalidRequest, StoreUnavailable
from ..event_codec import decode
from ..store.file_lock import FileLock
from .flattened import TYPES, Row, flattened, run_at
from .folder import Chunk, Folder, all_names, mark_text, note_of, reached, read_folder
from .layout import CATALOGUES, LOCK, MARK, UNFINISHED, FileName, day_of
from .log_reader import (
    CHAIN,
    PAYLOAD,
    POSITION,
    RECORDED_AT,
    SCHEMA_VERSION,
    STREAM,
    TYPE,
    VERSION_AT,
    LogReader,
    lean,
    log_reader,
)
from .parquet_files import ParquetFile, write_text
from .schema import KINDS, ROWS, VERSION, arrow

CHUNK = 200_000  # positions
LATE_RUNS = 5_000  # read again at a time
Progress = Callable[[int, int], None]  # the position that is exported, the log's head


@dataclass(slots=True)
class Exported:
    """What an export did."""

    path: Path
    before: int  # the position it began behind
    last: int
    files: int = 0


def export_history(url: str, path: Path, *, chunk: int = CHUNK, progress: Progress = lambda at, head: None) -> Exported:
    """Bring a folder up to the log's head.

    Raises InvalidRequest where the folder holds something else or another log, StoreUnavailable where another export
    is writing it or it cannot be written, ProjectionStopped for an event of a newer release, StoreCorrupted,
    ConfigurationError.
    """
    arrow()
    with log_reader(url) as log:
        head = log.head()
        if head == 0:
            raise InvalidRequest("nothing is recorded yet: there is nothing to export")
        with reached(path), _alone(path):
            folder = _opened(path, log, head)
            done = Exported(path, folder.last, folder.last)
            _clear(folder)
            while done.last < head:
                written = _write_chunk(folder, log, done.last, min(done.last + chunk, head))
                folder.chunks.append(written)
                done.last, done.files = written.last, done.files + 1 + len(written.files)
                progress(done.last, head)
            return done


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    if path.exists() and not path.is_dir():
        raise InvalidRequest(f"{path} is not a folder")
    if path.is_dir() and not (path / MARK).is_file():
        strange = [one.name for one in path.iterdir() if one.name not in (LOCK, MARK + UNFINISHED)]
        if strange:
            raise InvalidRequest(f"{path} holds something else ({min(strange)}): export into an empty folder")
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / LOCK)
    if not lock.acquire(wait=False):
        raise StoreUnavailable(f"{path}: another export is writing it; nothing is to be done until it ends")
    try:
        yield
    finally:
        lock.close()


def _opened(path: Path, log: LogReader, head: int) -> Folder:
    """The folder, which holds the beginning of this log or nothing yet."""
    identity = log.chain(1)
    if not (path / MARK).is_file():
        write_text(path / MARK, mark_text(identity))
    folder = read_folder(path)
    if folder.log != identity:
        raise InvalidRequest(f"{path} is the history of another log: export this one into a folder of its own")
    if folder.last > head or (folder.last and log.chain(folder.last) != folder.chain):
        raise InvalidRequest(
            f"{path} goes on differently than this log before position {folder.last:,}: the log was restored from an "
            "older copy, or the folder is of another one; export into a folder of its own"
        )
    return folder


def _clear(folder: Folder) -> None:
    """Remove what an interrupted export left."""
    for file, name in all_names(folder.path):
        if file.name.endswith(UNFINISHED) or (name is not None and name.first > folder.last):
            file.unlink()
    for file in (*folder.path.glob(f"*{UNFINISHED}"), *folder.path.glob(f"{CATALOGUES}/*{UNFINISHED}")):
        file.unlink()


def _write_chunk(folder: Folder, log: LogReader, after: int, upto: int) -> Chunk:
    rows = log.rows(after, upto)
    day = day_of(rows[0][RECORDED_AT])
    rows = [row for row in rows if day_of(row[RECORDED_AT]) == day]
    begun = _beginnings(log, rows)
    writing = _Writing(folder.path, after + 1, rows[-1][POSITION])
    writing.write({day: flattened((lean(row) for row in rows if begun[row[STREAM]] > after), writing.last)})
    writing.finish()
    _write_late(writing, log, {row[STREAM]: begun[row[STREAM]] for row in rows if row[TYPE] in TYPES})
    for digest in [
        decode(row[TYPE], row[SCHEMA_VERSION], row[PAYLOAD]).catalogue for row in rows if row[STREAM] == "catalogue"
    ]:
        _write_catalogue(writing, log, digest)
    chunk = Chunk(
        schema=VERSION,
        first=writing.first,
        last=writing.last,
        day=day,
        began_at=rows[0][RECORDED_AT],
        ended_at=rows[-1][RECORDED_AT],
        before=folder.chain,
        chain=rows[-1][CHAIN].hex(),
        goes_on=_earlier(folder, writing.first, (at for stream, at in begun.items() if stream.startswith("run-"))),
        files=writing.files,
    )
    file = ParquetFile(folder.path / chunk.events, KINDS["events"])
    file.write([(*row, begun[row[STREAM]]) for row in rows])
    file.finish(note_of(chunk))
    return chunk


def _beginnings(log: LogReader, rows: Sequence[Row]) -> dict[str, int]:
    """The position of the first event of each stream that is among the rows."""
    begun: dict[str, int] = {row[STREAM]: row[POSITION] for row in rows if row[VERSION_AT] == 1}
    return begun | log.beginnings(sorted({row[STREAM] for row in rows} - begun.keys()))


def _earlier(folder: Folder, first: int, begun: Iterable[int]) -> tuple[int, ...]:
    """First positions of the chunks in which runs began that an event here belongs to."""
    firsts = [one.first for one in folder.chunks]
    return tuple(sorted({firsts[bisect_right(firsts, at) - 1] for at in begun if at < first}))


@dataclass(slots=True)
class _Writing:
    """The files of a chunk beside its events. Days come in order; a day's files stay open until the next one comes."""

    path: Path
    first: int
    last: int
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_late: bool = False
    _open: dict[str, ParquetFile] = field(default_factory=dict)  # by name

    def write(self, days: Mapping[str, Mapping[str, list[Row]]]) -> None:
        """Rows by day and kind."""
        for day in sorted(days):
            names = {kind: str(FileName(self.first, self.last, kind, day, self.is_late)) for kind in ROWS}
            if not self._open.keys() <= set(names.values()):
                self.finish()
            for kind, name in names.items():
                if rows := days[day].get(kind):
                    if name not in self._open:
                        self._open[name] = ParquetFile(self.path / name, KINDS[kind])
                    self._open[name].write(rows)

    def finish(self) -> None:
        """End the files that are open."""
        for name, file in self._open.items():
            self.files[name] = (file.rows, file.finish())
        self._open = {}


def _write_late(writing: _Writing, log: LogReader, begun: Mapping[str, int]) -> None:
    """Rows anew of runs that began before, in the order of their beginning."""
    writing.is_late = True
    runs = sorted((run for run, at in begun.items() if at < writing.first), key=begun.__getitem__)
    for start in range(0, len(runs), LATE_RUNS):
        days: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        events = log.of_streams(runs[start : start + LATE_RUNS], writing.last)
        for kind, rows in flattened(events, writing.last).items():
            for row in rows:
                days[day_of(run_at(kind, row))][kind].append(row)
        writing.write(days)
    writing.finish()


def _write_catalogue(writing: _Writing, log: LogReader, digest: str) -> None:
    """The models and prices that a hash stands for: no event holds them, and no question can do without."""
    body = log.content(f"catalogue-{digest}")
    if body is not None:
        name = f"{CATALOGUES}/{digest}.json"
        write_text(writing.path / name, body)
        writing.files[name] = (1, len(body.encode()))
