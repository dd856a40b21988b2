"""The columns of a history's files. Version 1: a column may be added at the end, none is changed or taken away.

`events` is the log itself. `runs`, `attempts` and `escalations` follow from it by the folds of the read models: whole
rows, as they stood at the position `upto`. Of a run that changed after it was exported there are several: the one
with the highest `upto` is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ...domain.errors import ConfigurationError

VERSION = 1


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    TIME = "time"
    MONEY = "money"
    TAGS = "tags"
    HASH = "hash"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file."""

    name: str
    kind: Kind
    means: str
    is_known: bool = False  # it is never null


def _columns(text: str) -> tuple[Column, ...]:
    """A line a column: name, kind (`!`: never null), meaning."""
    found = []
    for line in text.strip().splitlines():
        name, kind, means = line.split(maxsplit=2)
        found.append(Column(name, Kind(kind.rstrip("!")), means, kind.endswith("!")))
    return tuple(found)


EVENTS = _columns("""
position         integer! place in the whole log, from 1 without a gap
stream           text!    whose event it is: run-…, budget-…, catalogue, contents, seals
version          integer! place in the stream, from 1
event_id         text!    UUIDv7
type             text!    RunStarted, ModelCalled, …
schema_version   integer! of the payload
occurred_at      time!    by the clock of who appended it
recorded_at      time!    by the database's clock; never runs backwards; its UTC day is the partition
causation_id     text     the message that led here
correlation_id   text!    the run it belongs to
actor            text!    who appended it
payload          text!    JSON without floats: money is a decimal string, a confidence is millionths
event_hash       hash!    SHA-256 of the event
chain_hash       hash!    SHA-256 over the one before and this event
stream_position  integer! the position of the stream's first event
""")

RUNS = _columns("""
run              text!    its id: its stream
run_at           integer! when it started: microseconds since 1970, UTC; its day is the partition
strategy         text!    as asked: cheapest, fallback, ensemble, auto
category         text!    what reports go by
tags             tags!    key and value
money            text!    whose: real, simulated, recorded
provider         text!    live, simulated or recorded:NAME
owner            text!    the API key's id, or local
subject          text     pseudonym of whom it is about
catalogue        text!    hash of the models and prices it was asked under
status           text!    running, completed, failed, cancelled
ended_at         integer  microseconds
answer_attempt   integer  the attempt whose answer was given
stop_reason      text     why it was enough
confidence       integer  in the answer, millionths
error            text     why it failed
cancelled_by     text     who ended it
cached_model     text     whose earlier answer was given again
saved            integer  picodollars that asking again would have cost
feedback         integer  what was said of the answer last, millionths
attempts         integer! calls
open             integer! calls under way
lost             integer! calls whose outcome is unknown
cost             integer  picodollars of all calls; null: some of it is unknown
charged          text     the kinds of money that the calls showed, by comma
model            text     of the last call
started          time!    run_at as a time
cost_usd         money    cost in US dollars
stream_position  integer! the position of the run's first event
upto             integer! the position of the log up to which the row is true
""")

ATTEMPTS = _columns("""
run              text!    its run
number           integer! of the attempt in the run, from 1
run_at           integer! when the run started: microseconds since 1970, UTC; its day is the partition
strategy         text!    of the run
category         text!    of the run
tags             tags!    of the run
run_money        text!    whose money the run spends
owner            text!    of the run
started_at       integer! when the call left, microseconds
call             integer! which call of the plan
epoch            integer! of the lease it was made under
model            text!    the one asked for
provider         text!    who bills
purpose          text!    answer, verify, judge, synthesis
max_cost         integer  the most it can cost, picodollars
status           text!    open, answered, failed, lost
outcome_at       integer  microseconds
error            text     why it failed or was lost
http_status      integer  what the provider said
finish_reason    text     how the answer ended
response_model   text     the one that answered
request_id       text     the provider's
latency          integer  microseconds
first_token      integer  microseconds to the first token
input_uncached   integer  tokens
cache_read       integer  tokens
cache_write      integer  tokens
output           integer  tokens, without reasoning
reasoning        integer  tokens
charged          integer  picodollars, by CostIncurred
price_card       text     by which
estimated        integer  1: reckoned, not reported
charged_money    text     real, simulated, recorded; null: not charged yet
confidence       integer  in the answer, millionths
reconciled       integer  picodollars that a lost one turned out to cost
evidence         text     reconciled, assumed
reconciled_by    text     by whom
cost             integer  picodollars; null: unknown
money            text!    real, simulated, recorded: never add them up
retry            integer! 1: not the first attempt at its call
latency_bucket   integer  of the log buckets that quantiles are read from
first_token_bucket integer likewise
started          time!    run_at as a time
cost_usd         money    cost in US dollars
stream_position  integer! the position of the run's first event
upto             integer! the position of the log up to which the row is true
""")

ESCALATIONS = _columns("""
run              text!    its run
version          integer! of the event in the run
run_at           integer! when the run started: microseconds since 1970, UTC; its day is the partition
strategy         text!    of the run
category         text!    of the run
tags             tags!    of the run
run_money        text!    whose money the run spends
owner            text!    of the run
from_model       text!    whose answer was not enough
to_model         text!    who was asked next
reason           text!    why
stream_position  integer! the position of the run's first event
upto             integer! the position of the log up to which the row is true
""")

KINDS = {"events": EVENTS, "runs": RUNS, "attempts": ATTEMPTS, "escalations": ESCALATIONS}
ROWS = ("runs", "attempts", "escalations")  # what follows from the events


def arrow() -> Any:
    """pyarrow with its Parquet part. Raises ConfigurationError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise _missing("pyarrow") from None
    return pyarrow


def duckdb() -> Any:
    """DuckDB. Raises ConfigurationError where it is not installed."""
    try:
        import duckdb
    except ImportError:
        raise _missing("duckdb") from None
    return duckdb


def arrow_schema(columns: Sequence[Column]) -> Any:
    """As pyarrow has it."""
    pyarrow = arrow()
    types = {
        Kind.TEXT: pyarrow.string(),
        Kind.INTEGER: pyarrow.int64(),
        Kind.TIME: pyarrow.timestamp("us", tz="UTC"),
        Kind.MONEY: pyarrow.decimal128(38, 12),
        Kind.TAGS: pyarrow.map_(pyarrow.string(), pyarrow.string()),
        Kind.HASH: pyarrow.binary(),
    }
    return pyarrow.schema([pyarrow.field(one.name, types[one.kind], nullable=not one.is_known) for one in columns])


def _missing(package: str) -> ConfigurationError:
    return ConfigurationError(f"a history folder needs the package {package}: install model-orchestrator[history]")
