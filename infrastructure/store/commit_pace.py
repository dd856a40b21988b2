"""Whether a commit is made on the event loop, or belongs into a thread.

On the loop a commit costs no thread switch and never waits for Python's lock, but everything else waits while the disk
works. So its waits are measured: time that went by and took no processor time. Where a caller is alone nobody is kept.
"""

from __future__ import annotations

import time

LIMIT = 0.001  # seconds; about what a switch to the writer's thread and back costs a busy loop
SLOW = 3  # so many more slow commits than quick ones, and the thread does it
MOST = 2 * SLOW
ALONE = 32  # commits in a row of one append each, after which its caller is taken to be alone
PROBE = 32  # commits in the thread until one on the loop looks whether the disk is quick again


class CommitPace:
    """Slow commits against quick ones, so that a few slow ones among many do not decide. Its users hold a lock."""

    def __init__(self) -> None:
        self._slow = 0  # slow commits less quick ones, 0 to MOST
        self._single = ALONE  # commits of one append, in a row
        self._in_thread = 0

    def on_loop(self, appends: int) -> bool:
        """Whether the next commit, of so many appends, may be made on the loop."""
        self._single = self._single + 1 if appends == 1 else 0
        if self._slow < SLOW or self._single > ALONE:
            return True
        self._in_thread += 1
        return self._in_thread % PROBE == 0

    def waited(self, wait: float, *, inline: bool) -> None:
        """A commit waited so many seconds; in the thread part of it may be for Python's lock."""
        if wait < LIMIT:
            self._slow = max(0, self._slow - 1)
        elif inline:
            self._slow = min(MOST, self._slow + 1)


class Stopwatch:
    """Measures how long this thread does nothing."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._busy = time.thread_time()

    def idle(self) -> float:
        """Seconds since this was made that took no processor time of the thread."""
        return time.perf_counter() - self._wall - (time.thread_time() - self._busy)
