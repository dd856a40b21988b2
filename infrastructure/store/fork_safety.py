"""No database connection crosses a fork.

SQLite forbids using, and even closing, an inherited connection: its locks belong to the process that took them, and a
child that believes it holds them lets another process delete the write-ahead log under it. So whatever is open is
closed before the fork, under its own locks, and both sides open it again when they next need it.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that must not be open while the process forks."""

    def before_fork(self) -> None:
        """Wait until nothing is under way, close, and let nothing begin."""

    def after_fork(self, *, child: bool) -> None:
        """Let work begin again; a child starts with nothing of what its parent had under way."""


_watched: weakref.WeakSet[Forkable] = weakref.WeakSet()
_stopped: list[Forkable] = []  # strong references from before the fork to after it
_registered = False


def watch(item: Forkable) -> None:
    """Close `item` before each fork of this process from now on."""
    global _registered
    if not _registered and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
        _registered = True
    _watched.add(item)


def _before() -> None:
    for item in list(_watched):
        item.before_fork()
        _stopped.append(item)


def _in_parent() -> None:
    while _stopped:
        _stopped.pop().after_fork(child=False)


def _in_child() -> None:
    while _stopped:
        _stopped.pop().after_fork(child=True)
