"""The names of a family's streams, as a stretch of the index that both databases keep in order of bytes."""

from __future__ import annotations


def span_of(prefix: str) -> tuple[str, str]:
    """The first name that begins with an ASCII prefix, and the first one after all that do."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
