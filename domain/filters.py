"""What rows a query is about: conditions over named fields, as data.

A row whose field is unknown meets no comparison; `!=` is the opposite of `=`, and so is met by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .errors import ErrorKind
from .events import Money, Purpose
from .run import RunStatus
from .strategies import STRATEGIES


class Kind(StrEnum):
    """What a field holds, and in which unit a condition's value stands."""

    TEXT = "text"
    TAG = "tag"  # text; the field has a key
    MONEY = "money"  # picodollars
    PROBABILITY = "probability"  # millionths
    TIME = "time"  # microseconds since 1970-01-01, UTC
    DURATION = "duration"  # microseconds
    COUNT = "count"
    WORDS = "words"  # texts of requests and answers: only searched


@dataclass(frozen=True, slots=True)
class Field:
    """A field that can be asked for; `choices` are all values there are, empty where anything goes."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()


def fields(*of: Field) -> Mapping[str, Field]:
    """The fields by name."""
    return {one.name: one for one in of}


RUN_FIELDS = fields(
    Field("run", Kind.TEXT),
    Field("status", Kind.TEXT, tuple(status.value for status in RunStatus if status is not RunStatus.NEW)),
    Field("strategy", Kind.TEXT, STRATEGIES),
    Field("category", Kind.TEXT),
    Field("model", Kind.TEXT),
    Field("provider", Kind.TEXT),
    Field("money", Kind.TEXT, tuple(money.value for money in Money)),
    Field("error", Kind.TEXT, tuple(kind.value for kind in ErrorKind)),
    Field("cost", Kind.MONEY),
    Field("confidence", Kind.PROBABILITY),
    Field("feedback", Kind.PROBABILITY),
    Field("started", Kind.TIME),
    Field("latency", Kind.DURATION),
    Field("attempts", Kind.COUNT),
    Field("owner", Kind.TEXT),
    Field("tag", Kind.TAG),
    Field("text", Kind.WORDS),
)
CALL_FIELDS = fields(
    *(RUN_FIELDS[name] for name in ("run", "strategy", "category", "model", "provider", "money", "error")),
    Field("status", Kind.TEXT, ("open", "answered", "failed", "lost")),
    Field("purpose", Kind.TEXT, tuple(purpose.value for purpose in Purpose)),
    *(RUN_FIELDS[name] for name in ("cost", "confidence", "started", "latency", "owner", "tag")),
)
MODEL_FIELDS = fields(*(RUN_FIELDS[name] for name in ("model", "category", "strategy", "money", "owner", "tag")))


class Op(StrEnum):
    """How a field is compared."""

    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    CONTAINS = "~"  # a to z in either case


@dataclass(frozen=True, slots=True)
class Compare:
    """The field is known, and stands so to the value."""

    field: Field
    op: Op
    value: str | int
    key: str | None = None  # of a tag


@dataclass(frozen=True, slots=True)
class Search:
    """Every one of the words stands in a text of the run."""

    words: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The field has no value."""

    field: Field
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """The condition is not met."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition is met; of none: always."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one condition is met."""

    conditions: tuple[Condition, ...]


Condition = Compare | Search | Unknown | Not | AllOf | AnyOf
EVERYTHING = AllOf(())


def conjuncts(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """The parts that all have to be met, each as small as can be."""
    for one in conditions:
        if isinstance(one, AllOf):
            yield from conjuncts(one.conditions)
        else:
            yield one


def touched(condition: Condition) -> Iterator[tuple[str, str | None]]:
    """Each field it asks for, with the key of a tag."""
    match condition:
        case Compare(field=field, key=key) | Unknown(field=field, key=key):
            yield field.name, key
        case Search():
            yield "text", None
        case Not(condition=inner):
            yield from touched(inner)
        case AllOf(conditions=several) | AnyOf(conditions=several):
            for one in several:
                yield from touched(one)
