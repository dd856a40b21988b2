"""How a PostgreSQL database stands."""

from __future__ import annotations

from collections.abc import Iterator

from ..database_url import masked
from ..event_levels import newest
from ..migrations.revisions import NEWEST
from .database import DatabaseStatus
from .postgres_connection import Connection, connect, schema_revision, translated
from .postgres_levels import stored_level

_DURABILITY = ("synchronous_commit", "fsync", "full_page_writes", "data_checksums")
_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
_MEANING = {
    "fsync": "fsync is off: a power cut can lose or corrupt everything; set fsync = on in postgresql.conf",
    "full_page_writes": "full_page_writes is off: a power cut can corrupt pages; set full_page_writes = on",
}


def postgres_status(url: str) -> DatabaseStatus:
    """Its schema, size and settings, as a connection of the store has them."""
    with connect(url) as connection, translated(url):
        revision = schema_revision(connection)
        settings: dict[str, str] = dict(connection.execute(_SETTINGS, (list(_DURABILITY),)).fetchall())
        (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchall()[0]
        return DatabaseStatus(
            database=masked(url),
            server=f"PostgreSQL {connection.info.parameter_status('server_version')}",
            size=size,
            revision=revision,
            newest=NEWEST,
            events=_head(connection) if revision == NEWEST else None,
            level=stored_level(connection) if revision == NEWEST else None,
            newest_level=newest(),
            durability={name: settings[name] for name in _DURABILITY if name in settings},
            warnings=tuple(_warnings(settings)),
        )


def _head(connection: Connection) -> int:
    ((position,),) = connection.execute("SELECT position FROM log.log_head").fetchall()
    return int(position)


def _warnings(settings: dict[str, str]) -> Iterator[str]:
    for name, meaning in _MEANING.items():
        if settings.get(name) == "off":
            yield meaning
