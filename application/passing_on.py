"""Pieces of an answer on their way to the caller."""

from __future__ import annotations

from .ports import DeltaSink


class PassingOn:
    """Calls the caller's sink until it fails: the answer is paid for, so it still arrives and is recorded."""

    def __init__(self, sink: DeltaSink) -> None:
        self._sink = sink
        self.error: Exception | None = None

    def __call__(self, piece: str) -> None:
        """Pass a piece on, unless the caller failed to take an earlier one."""
        if self.error is None:
            try:
                self._sink(piece)
            except Exception as error:
                self.error = error
