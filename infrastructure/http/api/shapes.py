"""What the native API answers, as types: for its description only; what is answered is made in application/.

Amounts are USD as plain decimal text, times are ISO 8601 in UTC, and null is unknown, not stored or erased.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

Usd = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["0.0000363"])]
Chance = Annotated[float, Meta(ge=0, le=1)]
Hex = Annotated[str, Meta(pattern="^[0-9a-f]*$")]
Count = Annotated[int, Meta(ge=0)]


class RunLine(Struct):
    """A run in a list."""

    run_id: str
    status: str  # running, completed, failed or cancelled
    strategy: str
    category: str
    owner: str
    cost: Usd | None
    known_cost: Usd
    money: str | None  # real, simulated, recorded
    model: str | None
    started_at: str


class RunPage(Struct):
    """Runs, newest first; `next` is the cursor of the next page."""

    runs: list[RunLine]
    next: str | None


class Attempt(Struct):
    """One paid call. Latency in seconds."""

    attempt: int
    model: str
    provider: str
    status: str
    error: str | None
    cost: Usd | None
    estimated: bool
    latency: float | None
    purpose: str
    confidence: Chance | None
    scorer: str | None


class Member(Struct):
    """An answer of an ensemble."""

    attempt: int
    model: str
    score: float


class Said(Struct):
    """What somebody said of an answer."""

    value: Chance
    by: str
    attempt: int | None
    note: str | None


class Rescored(Struct):
    """A later score of an answer."""

    attempt: int
    score: Chance
    signals: dict[str, float]
    scorer: str
    by: str
    judged_in: str | None


class Erased(Struct):
    """When, by whom and why texts were erased."""

    at: str
    by: str
    reason: str


class Run(Struct):
    """All that is known of a run."""

    run_id: str
    status: str
    strategy: str | None
    category: str | None
    owner: str | None
    cost: Usd | None
    money: str | None
    model: str | None
    started_at: str
    tags: dict[str, str]
    error: str | None
    confidence: Chance | None
    stop_reason: str | None
    method: str | None
    members: list[Member]
    agreement: Chance | None
    dissent: list[str]
    attempts: list[Attempt]
    warnings: list[str]
    feedback: list[Said]
    rescored: list[Rescored]
    prompt: str | None
    response: str | None
    erased: Erased | None


class Answer(Struct):
    """An answered run. Latency in seconds."""

    response: str
    model_used: str
    cost: Usd | None
    latency: float
    confidence: Chance
    input_tokens: Count
    output_tokens: Count
    strategy: str
    fallback_chain: list[str]
    ensemble_models: list[str]
    metadata: dict[str, Any]
    timestamp: str
    run_id: str


class Accepted(Struct):
    """A run that goes on by itself."""

    run_id: str
    location: str


class Cancelled(Struct):
    """A run that was ended."""

    run_id: str
    status: str


class Feedback(Struct):
    """What was said; `new` is false where its author said the same last."""

    run_id: str
    value: Chance
    by: str
    new: bool


class Event(Struct):
    """An event as it stands in the log."""

    position: int
    version: int
    event_id: Hex
    type: str
    schema_version: int
    occurred_at: str
    recorded_at: str
    causation_id: str | None
    correlation_id: str
    actor: str
    payload: dict[str, Any]
    event_hash: Hex
    chain_hash: Hex


class RunEvents(Struct):
    """The events of one run."""

    events: list[Event]


class EventPage(Struct):
    """Events in order; `next` is the position to go on behind."""

    events: list[Event]
    next: Count


class ErrorBody(Struct):
    """What went wrong; more fields are figures, such as `needed` and `limit` of a budget."""

    kind: str
    message: str


class Error(Struct):
    """Every error of the native API."""

    error: ErrorBody


class Status(Struct):
    """How the process is."""

    status: str


class Offered(Struct):
    """A name that `model` may have."""

    id: str
    object: str
    created: int
    owned_by: str
    type: str
    display_name: str
    created_at: str


class OfferedList(Struct):
    """All of them."""

    object: str
    data: list[Offered]
    first_id: str
    last_id: str
    has_more: bool
