"""How long SQLite's write-ahead log is, read from the file itself.

The file keeps its size when it starts again from the top, and a counter in this process would not see other
processes' commits. But each frame repeats the salts of the file's header, which change at every new start: a frame
with the header's salts belongs to the current round. Source: https://www.sqlite.org/fileformat2.html section 4.1.
(SQLite puts no locks on this file, so opening and closing it is safe; the database and -shm files would lose theirs.)
"""

from __future__ import annotations

import os

_MODE = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
HEADER, FRAME_HEADER = 32, 24


def has_frames(path: str, frames: int) -> bool:
    """Whether the write-ahead log at `path` holds at least `frames` frames that a reader still needs to know of.

    False too where it cannot be read, as when the process has no descriptor left: the commit before it is done.
    """
    try:
        file = os.open(path, _MODE)
    except OSError:
        return False
    try:
        header = os.read(file, HEADER)
        page = int.from_bytes(header[8:12], "big")
        os.lseek(file, HEADER + (frames - 1) * (FRAME_HEADER + page), os.SEEK_SET)
        frame = os.read(file, FRAME_HEADER)
    finally:
        os.close(file)
    return len(frame) == FRAME_HEADER and frame[8:16] == header[16:24]
