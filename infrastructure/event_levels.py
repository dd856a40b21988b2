"""What releases added to the log's events, level by level, so that old and new workers can share a database.

A release reads every level it knows and writes the one that the database stands at; `db finalize` raises that to the
release's own, once no worker of an older one is left. A database that a release makes stands at its newest level.

A level names the types that are new with it, and the types whose payload has a new schema version with it, each with
the pure dict -> dict function that writes the payload as the version before: the inverse of its upcaster. Who decides
to record an event of a new type asks `RunLog.writes` first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

Lower = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Level:
    """What came with it."""

    types: frozenset[str] = frozenset()
    raised: Mapping[str, Lower] = field(default_factory=dict)


LEVELS: tuple[Level, ...] = (Level(),)  # the first: all that was written before there were levels


def newest() -> int:
    """The level of this release."""
    return len(LEVELS)


def is_written(type_name: str, level: int) -> bool:
    """Whether events of the type are written at a level."""
    return all(type_name not in later.types for later in LEVELS[level:])


def lowered(type_name: str, version: int, payload: str, level: int) -> tuple[int, str]:
    """Schema version and payload as a level has them. Raises LookupError for a type that came later."""
    if not is_written(type_name, level):
        raise LookupError(f"{type_name} is not written before `db finalize`: ask `writes` first")
    steps = [later.raised[type_name] for later in reversed(LEVELS[level:]) if type_name in later.raised]
    if not steps:
        return version, payload
    fields: dict[str, Any] = msgspec.json.decode(payload)
    for lower in steps:
        fields = lower(fields)
    return version - len(steps), msgspec.json.encode(fields, order="deterministic").decode()
