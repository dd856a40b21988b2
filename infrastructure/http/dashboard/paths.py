"""Which addresses are the dashboard's."""

from __future__ import annotations

HOME = "/dashboard"


def is_page(path: str) -> bool:
    """Whether an address is a page's, which knows its visitors by a login instead of a key in each request."""
    return path in ("/", HOME) or path.startswith(f"{HOME}/")
