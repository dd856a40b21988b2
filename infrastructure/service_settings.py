"""The [service] table: what the HTTP service admits, and how long it waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import setting_values as values
from .setting_keys import key, read_table

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """The limits of one worker process."""

    max_body: int = field(
        default=20 * MEGABYTE,
        metadata=key(values.whole(1_000, 1_000 * MEGABYTE), "bytes, 1000 or more", "the largest request, in bytes"),
    )
    max_prompt: int = field(
        default=2_000_000,
        metadata=key(values.whole(1, 1_000 * MEGABYTE), "characters, 1 or more", "the longest text of one request"),
    )
    max_headers: int = field(
        default=32_768,
        metadata=key(values.whole(1_000, MEGABYTE), "bytes, 1000 or more", "the largest head of a request, in bytes"),
    )
    max_runs: int = field(
        default=256,
        metadata=key(values.whole(1, 100_000), "a number, 1 or more", "runs under way at once in one worker"),
    )
    max_connections: int = field(
        default=2_000,
        metadata=key(values.whole(1, 100_000), "a number, 1 or more", "open connections of one worker"),
    )
    read_timeout: float = field(
        default=30.0,
        metadata=key(values.seconds, "seconds above 0", "seconds in which a request must have arrived"),
    )
    write_timeout: float = field(
        default=30.0,
        metadata=key(values.seconds, "seconds above 0", "seconds in which a client must take what it is sent"),
    )
    grace: float = field(
        default=30.0,
        metadata=key(values.seconds, "seconds above 0", "seconds that runs have to end when the service stops"),
    )
    allowed_origins: tuple[str, ...] = field(
        default=(),
        metadata=key(values.names(0, 100), "a list of origins", "web pages that may call the API (CORS)"),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata=key(values.names(0, 100), "a list of host names", "names the service is called by, beside its own"),
    )


def read_service(table: Any, file: Path | None, sources: dict[str, str]) -> ServiceSettings:
    """The [service] table. Raises ConfigurationError."""
    if not table:
        return ServiceSettings()
    given: Mapping[str, Any] = read_table(ServiceSettings, table, prefix="service", source=str(file))
    sources.update({f"service.{name}": str(file) for name in given})
    return ServiceSettings(**given)
