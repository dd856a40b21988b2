"""A history folder as it stands: which positions of which log it holds, and whether all of its files are there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ...domain.errors import InvalidRequest, StoreCorrupted, StoreTooNew, StoreUnavailable
from .layout import CATALOGUES, MARK, FileName
from .schema import KINDS, VERSION, arrow

NOTE = "model_orchestrator"  # the key in the footer of a file of events
_WHAT = "history of model-orchestrator"
_REPAIR = "bring the file back, or export anew into an empty folder"


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A range of positions that is exported: what the footer of its file of events says."""

    schema: int
    first: int  # position
    last: int
    day: str
    began_at: int  # recorded_at of the first event, microseconds
    ended_at: int
    before: str  # the chain's hash before the first event, in hex; empty: the log begins here
    chain: str  # after the last
    goes_on: tuple[int, ...]  # first positions of the earlier chunks whose runs have events here
    files: dict[str, tuple[int, int]]  # the other files that were made from it, with rows and bytes

    @property
    def events(self) -> str:
        """Its file of events."""
        return str(FileName(self.first, self.last, "events", self.day))


@dataclass(frozen=True, slots=True)
class Folder:
    """A history whose files are all there, up to the last position."""

    path: Path
    log: str  # the chain's hash at position 1, in hex: no two logs have the same
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The position that is exported last; 0: none."""
        return self.chunks[-1].last if self.chunks else 0

    @property
    def chain(self) -> str:
        """The chain's hash there."""
        return self.chunks[-1].chain if self.chunks else ""

    def only(self, chunks: Sequence[Chunk]) -> Folder:
        """The same, of some chunks."""
        return Folder(self.path, self.log, list(chunks))

    def files(self, kind: str) -> list[str]:
        """Whole paths of the files of a kind that are part of what is exported; without those that have no row."""
        found = [one.events for one in self.chunks] if kind == "events" else list(self._made(kind))
        return [str(self.path / name) for name in found]

    def late_files(self, kind: str) -> list[str]:
        """Those of runs that changed after they were exported."""
        return [name for name in self.files(kind) if name.endswith("-late.parquet")]

    def catalogues(self) -> dict[str, str]:
        """JSON of the models and prices that runs were asked under, by hash. Raises StoreCorrupted for another text."""
        return {Path(name).stem: _catalogue(self.path / name) for name in self._made(CATALOGUES)}

    def _made(self, kind: str) -> Iterator[str]:
        return (name for chunk in self.chunks for name in chunk.files if name.startswith(f"{kind}/"))


def open_folder(path: Path) -> Folder:
    """The history in a folder, looked through. Raises InvalidRequest, StoreError."""
    with reached(path):
        found = read_folder(path)
    if not found.chunks:
        raise InvalidRequest(f"{path} holds no finished export: run `events export {path}` (again)")
    return found


def read_folder(path: Path) -> Folder:
    """The same; a history of which nothing is exported yet is one too. Raises OSError, too."""
    if not path.is_dir():
        raise InvalidRequest(f"{path}: {'not a folder' if path.exists() else 'there is no such folder'}")
    mark = path / MARK
    if not mark.is_file():
        state = "is no history: it has no history.json" if any(path.iterdir()) else "is empty"
        raise InvalidRequest(f"{path} {state}; `events export DIR` makes one")
    try:
        said = json.loads(mark.read_text("utf-8"))
        what, version, log = said["what"], int(said["schema"]), str(said["log"])
    except (ValueError, LookupError, TypeError) as error:
        raise StoreCorrupted(f"{mark} is not whole ({error}): {_REPAIR}") from None
    if what != _WHAT:
        raise InvalidRequest(f"{mark} is not of a history of this program: it says {what!r}")
    _refuse_newer(mark, version)
    files = list(all_names(path))
    listed = sorted(name for _, name in files if name is not None and name.kind == "events")
    found = Folder(path, log, _whole(path, [_chunk(path, name) for name in listed]))
    _expect_no_other(found, files)
    return found


@contextmanager
def reached(path: Path) -> Iterator[None]:
    """The system's errors about a folder in our words."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{error.filename or path}: {error.strerror or error}: look after the folder's permissions and its disk, "
            "then try again"
        ) from error


def mark_text(log: str) -> str:
    """What history.json says."""
    return json.dumps({"what": _WHAT, "schema": VERSION, "log": log}, indent=1) + "\n"


def note_of(chunk: Chunk) -> Mapping[str, str]:
    """What the footer of its file of events says."""
    return {NOTE: msgspec.json.encode(chunk).decode()}


def all_names(path: Path) -> Iterator[tuple[Path, FileName | None]]:
    """Every file of a history's kinds, with what its name says; None: it is not one that an export gives."""
    for kind in KINDS:
        for day in _within(path / kind):
            for file in _within(day):
                yield file, FileName.of(file.relative_to(path).as_posix())


def _within(path: Path) -> list[Path]:
    """What is in a folder; not globbed: that would take one that cannot be read for an empty one."""
    return sorted(path.iterdir()) if path.is_dir() else []


def _chunk(path: Path, name: FileName) -> Chunk:
    file = path / str(name)
    pyarrow = arrow()
    try:
        footer: Any = pyarrow.parquet.read_metadata(file)
        note = (footer.metadata or {})[NOTE.encode()]
        _refuse_newer(file, int(msgspec.json.decode(note)["schema"]))
        chunk = msgspec.json.decode(note, type=Chunk)
    except (pyarrow.ArrowException, OSError, LookupError, ValueError, TypeError, msgspec.MsgspecError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StoreCorrupted(f"{file} is not a whole file of events ({why}): {_REPAIR}") from None
    if (chunk.first, chunk.last, chunk.day) != (name.first, name.last, name.day):
        raise StoreCorrupted(f"{file} holds the positions {chunk.first} to {chunk.last}: it was renamed; {_REPAIR}")
    if footer.num_rows != chunk.last - chunk.first + 1:
        raise StoreCorrupted(f"{file} has {footer.num_rows:,} events, not those of its name: {_REPAIR}")
    return chunk


def _whole(path: Path, chunks: Sequence[Chunk]) -> list[Chunk]:
    """The chunks, which follow each other without a gap and are of one log, with all of their files."""
    last, chain = 0, ""
    for chunk in chunks:
        file = path / chunk.events
        if chunk.first > last + 1:
            raise StoreCorrupted(
                f"{path}: the events at positions {last + 1:,} to {chunk.first - 1:,} are missing, before {file}: "
                "bring the files back, or export anew into an empty folder"
            )
        if chunk.first <= last:
            raise StoreCorrupted(f"{file} holds events that another file has too: {_REPAIR}")
        if chunk.before != chain:
            raise StoreCorrupted(f"{file} does not go on where the one before ends: it is of another log; {_REPAIR}")
        _check_files(path, chunk)
        last, chain = chunk.last, chunk.chain
    return list(chunks)


def _check_files(path: Path, chunk: Chunk) -> None:
    for name, (_, size) in chunk.files.items():
        file = path / name
        if not file.is_file():
            raise StoreCorrupted(f"{file} is missing: {_REPAIR}")
        if (has := file.stat().st_size) != size:
            raise StoreCorrupted(f"{file} is not whole: it has {has:,} bytes instead of {size:,}; {_REPAIR}")


def _expect_no_other(folder: Folder, files: Iterable[tuple[Path, FileName | None]]) -> None:
    """What is no chunk's may be there behind the last one only: an export was interrupted, or is under way."""
    made = {name for chunk in folder.chunks for name in (chunk.events, *chunk.files)}
    for file, name in files:
        is_strange = file.suffix == ".parquet" if name is None else name.first <= folder.last and str(name) not in made
        if is_strange:
            raise StoreCorrupted(f"{file} is no file of this history, a copy perhaps: take it out of the folder")


def _catalogue(file: Path) -> str:
    body = file.read_bytes()
    if hashlib.sha256(body).hexdigest() != file.stem:
        raise StoreCorrupted(f"{file} does not hold what its name says: {_REPAIR}")
    return body.decode()


def _refuse_newer(file: Path, version: int) -> None:
    if version > VERSION:
        raise StoreTooNew(
            f"{file} has schema {version}, and this release reads up to {VERSION}: use the release that wrote it"
        )
