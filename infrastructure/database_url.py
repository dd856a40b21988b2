"""Addresses of a database: sqlite:///PATH or postgresql://..., never shown with their password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from .setting_values import text

SQLITE = "sqlite:///"
MEMORY = "sqlite:///:memory:"


def default_database_url() -> str:
    """A file in the user's data folder."""
    from platformdirs import user_data_path

    return sqlite_url(user_data_path("model-orchestrator", appauthor=False) / "orchestrator.db")


def sqlite_url(path: Path) -> str:
    """The address of a file."""
    return SQLITE + path.expanduser().as_posix()


def sqlite_path(url: str) -> Path | None:
    """The file of a sqlite address; None where it is another kind of database."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def parse_database_url(value: object) -> str:
    """A sqlite or postgresql address; a plain path is a sqlite file. Raises ValueError."""
    address = str(value) if isinstance(value, Path) else text(value)
    scheme, separator, rest = address.partition("://")
    if not separator:
        if "@" in address or ":" in address[2:]:
            raise ValueError
        return sqlite_url(Path(address))
    if scheme == "sqlite":
        if not rest.startswith("/") or len(rest) == 1:
            raise ValueError
        return MEMORY if rest == "/:memory:" else sqlite_url(Path(rest[1:]))
    if scheme.partition("+")[0] not in ("postgresql", "postgres") or not rest:
        raise ValueError
    return f"postgresql://{rest}"


def masked(url: str) -> str:
    """The address without its password, also where it stands among the parameters."""
    if url.startswith("sqlite:"):
        return url
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = name + (":****" if colon else "") + at + host
    query = "&".join(
        f"{name}=****" if "password" in name.lower() else pair
        for pair in parts.query.split("&")
        for name in (pair.partition("=")[0],)
    )
    return f"{parts.scheme}://{shown}{parts.path}{'?' + query if query else ''}"
