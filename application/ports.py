"""What the application needs of the world, named by need; infrastructure supplies the adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from ..domain.catalogue import ModelConfig
from ..domain.events import ContentRef, Money, RunEvent
from ..domain.finish import FinishReason
from ..domain.pricing import Usage
from ..domain.request import Request, ToolCallPart
from ..domain.units import Duration, Timestamp, Usd

# ---- the event store ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An encoded event that is not recorded yet."""

    event_id: bytes  # UUIDv7, 16 bytes
    type: str
    schema_version: int
    occurred_at: Timestamp  # the command's
    causation_id: str | None
    correlation_id: str
    actor: str
    payload: str  # canonical JSON


class RecordedEvent(NamedTuple):
    """An event as it stands in the log: a tuple, because a log is read by the million."""

    position: int  # global, from 1, gapless, in commit order
    stream: str
    version: int  # in the stream, from 1, gapless
    event_id: bytes
    type: str
    schema_version: int
    occurred_at: Timestamp
    recorded_at: Timestamp  # never runs backwards
    causation_id: str | None
    correlation_id: str
    actor: str
    payload: str
    event_hash: bytes
    chain_hash: bytes


class Expected(StrEnum):
    """What a stream must be like for an append; an int asks for exactly that version."""

    ANY = "any"
    NONE = "none"  # the stream has no event yet
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The whole log ends at `position`: nothing was appended, to this stream or another, since it was read."""

    position: int


ExpectedVersion = Expected | int | LogEnd


@dataclass(frozen=True, slots=True)
class StreamAppend:
    """Events for the end of one stream."""

    stream: str
    expected: ExpectedVersion
    events: tuple[NewEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A text to keep apart from the events. A `ref` that is already stored is left as it is."""

    ref: str
    stream: str  # the run that uses it
    subject: str | None
    salt: bytes
    body: str
    sealed: bytes | None = None  # the body encrypted, which is stored in its place

    @property
    def stored(self) -> bytes:
        """The body as it is stored."""
        return self.body.encode() if self.sealed is None else self.sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentKey:
    """A key that texts, or other keys, are encrypted with; itself encrypted ("wrapped") under another."""

    id: bytes  # 16 random bytes
    owner: str | None  # the run, or the shared message, it is for; None: a subject's
    subject: str  # "": texts about nobody in particular
    wrapped_by: bytes  # the id of the key it is wrapped under
    wrapped: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceHold:
    """Reserve money: refused where held + settled + amount would pass the budget's limit (no limit set: never)."""

    scope: str
    period: str  # day, week, month or total; the current one by recorded_at, UTC
    money: Money
    amount: int  # picodollars


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSettle:
    """Take `held` out of the reserve and add `spent` to what is gone, on the period of `held_at`; never refused."""

    scope: str
    period: str
    money: Money
    held_at: Timestamp
    held: int  # picodollars
    spent: int  # picodollars


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimit:
    """Set a budget's limit in picodollars; None removes it."""

    scope: str
    period: str
    limit: int | None


BalanceChange = BalanceHold | BalanceSettle | BudgetLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyClaim:
    """Take an owner's key for a run: refused where the key is taken. `fingerprint` tells its request from others."""

    owner: str
    key: str  # 1 to 255 characters
    fingerprint: bytes  # an HMAC, at most 64 bytes
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """An owner's request, by fingerprint, and the attempt that answers it; takes the place of an earlier entry."""

    owner: str
    fingerprint: bytes  # an HMAC, at most 64 bytes
    run: str
    attempt: int
    expires_at: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """What becomes durable together, or not at all."""

    streams: tuple[StreamAppend, ...]
    contents: tuple[Content, ...] = ()
    balances: tuple[BalanceChange, ...] = ()
    claim: IdempotencyClaim | None = None
    cache: CacheEntry | None = None
    keys: tuple[ContentKey, ...] = ()  # one whose id is stored already is left as it is
    erased: tuple[str, ...] = ()  # runs whose texts, keys and rows under fingerprints are destroyed


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The append is durable. A retry of one that already was gets the first result again (`duplicate`)."""

    first_position: int
    last_position: int
    versions: tuple[int, ...]  # of each stream of the append, after it
    recorded_at: Timestamp
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class VersionConflict:
    """A stream is not as expected; nothing was written."""

    stream: str
    expected: ExpectedVersion
    actual: int  # 0: no event yet


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRefused:
    """The money does not fit a budget; nothing was written. All figures are picodollars."""

    scope: str
    period: str
    limit: int
    held: int
    settled: int
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTaken:
    """The idempotency key belongs to `run` already, with the same request or another; nothing was written."""

    run: str
    same_request: bool


AppendResult = Appended | KeyTaken | VersionConflict | HoldRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One budget's period; picodollars. `limit` None: no budget is set."""

    scope: str
    period: str
    money: Money
    period_key: str  # 2026-11-24, 2026-W48, 2026-11 or total
    limit: int | None
    held: int
    settled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """A text with the salt of its digest."""

    ref: str
    subject: str | None
    salt: bytes
    body: str


class EventStore(Protocol):
    """The log. Safe to use from many tasks and threads; after a fork it reopens itself."""

    async def append(self, append: Append) -> AppendResult:
        """Make it durable, then return. Raises EventIdReused, StoreUnavailable."""

    async def read_stream(self, stream: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        """The stream's events with a version above `after`, in order; empty where there is none."""

    async def read_all(
        self, *, after: int = 0, limit: int = 1000, types: Sequence[str] = (), stream_prefix: str = ""
    ) -> Sequence[RecordedEvent]:
        """One page of the log in order of position; fewer than `limit` events means the end."""

    async def read_family(self, prefix: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        """The events above a position of the streams whose name begins so, in its order; for families that are few."""

    async def read_backwards(
        self, *, before: int | None = None, limit: int = 1000, types: Sequence[str] = (), stream_prefix: str = ""
    ) -> Sequence[RecordedEvent]:
        """One page from the end (or from below `before`), newest first."""

    def tail(self, *, after: int = 0) -> AsyncIterator[RecordedEvent]:
        """Every event above `after` in order, then each new one as it is committed; never ends by itself."""

    async def head(self) -> int:
        """The last position; 0 for an empty log."""

    @property
    def appending(self) -> int:
        """Appends of this process that are not durable yet."""

    async def contents(self, refs: Sequence[str]) -> dict[str, StoredContent]:
        """The texts that still exist."""

    async def balances(self) -> Sequence[Balance]:
        """Every balance row, sorted by scope, period, money and period key."""

    async def budgets(self) -> Sequence[tuple[str, str, int]]:
        """Scope, period and limit in picodollars of every budget that is set, sorted."""

    async def idempotency(self, owner: str, key: str) -> IdempotencyClaim | None:
        """Who has the key. Raises InvalidRequest for one that no store can hold."""

    async def cached(self, owner: str, fingerprint: bytes, *, now: Timestamp) -> CacheEntry | None:
        """The entry, unless it has expired by `now`."""

    @property
    def level(self) -> int:
        """The level of events that is written here, as far as this process knows; it only rises."""

    async def content_secret(self) -> bytes:
        """The database's own key for fingerprints of texts: 32 random bytes, made once."""

    async def aclose(self) -> None:
        """Finish what is under way and close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to start work on a run until `expires_at` of the database's clock."""

    run: str
    worker: str
    epoch: int
    expires_at: Timestamp


class LeaseStore(Protocol):
    """Who may start work on which run; disposable state, by the database's clock."""

    async def acquire(self, run: str, *, worker: str, epoch: int, ttl: Duration) -> Lease | None:
        """Take a lease that is free, expired or already this worker's; None while another holds it."""

    async def renew(self, lease: Lease, *, ttl: Duration) -> Lease | None:
        """A later expiry; None where the lease was lost."""

    async def release(self, lease: Lease) -> None:
        """Give it back; a lease that was lost is left alone."""

    async def holder(self, run: str) -> Lease | None:
        """The lease that is in force, if any."""

    async def aclose(self) -> None:
        """Close what is open; leases stay."""


# ---- models ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One call: what to ask whom, at most how much output, until when."""

    model: ModelConfig
    request: Request
    max_output_tokens: int
    timeout: float | None  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer. `usage` None: the provider did not say."""

    text: str
    tool_calls: tuple[ToolCallPart, ...] = ()
    finish_reason: FinishReason
    usage: Usage | None
    raw_usage: dict[str, Any] | None = None
    logprobs: tuple[float, ...] | None = None  # natural log, of each output token
    response_model: str | None = None
    provider_request_id: str | None = None
    first_token: Duration | None = None  # from the call to the first delta; None where it was not streamed
    money: Money = Money.REAL
    cost: Usd | None = None  # as whoever answered states it; None: by the price card


DeltaSink = Callable[[str], None]  # gets each piece of answer text as it arrives


class ModelClient(Protocol):
    """Asks models of one provider."""

    async def complete(self, call: ModelCall, sink: DeltaSink | None = None) -> Answer:
        """Ask once, never retry; with a sink, stream. Raises ModelUnavailable, ModelRefused or OutcomeUnknown."""

    async def aclose(self) -> None:
        """Close its connections."""


# ---- what the loop needs beside them --------------------------------------------------------------------------------


class Clock(Protocol):
    """Time, from outside."""

    def now(self) -> Timestamp:
        """The wall clock, UTC."""

    def monotonic(self) -> Duration:
        """Microseconds since some moment; never runs backwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """A run's event with the envelope it was recorded in."""

    event: RunEvent
    envelope: RecordedEvent


class RunLog(Protocol):
    """The event store in the domain's words: events in, events out, texts kept apart."""

    def new_events(self, correlation: str, events: Sequence[Any], cause: str | None = None) -> tuple[NewEvent, ...]:
        """Envelopes for events that happen now; `correlation` is the stream they are about."""

    def decode(self, entry: RecordedEvent) -> Any:
        """The event of an envelope."""

    def encode(self, event: RunEvent) -> tuple[str, int, str]:
        """The type, schema version and canonical JSON that the event is stored as."""

    def writes(self, event: type[RunEvent]) -> bool:
        """Whether events of a type may be recorded yet: one that is new with this release, from `db finalize` on."""

    async def append(
        self,
        run_id: str,
        *,
        expected: int,
        events: Sequence[RunEvent],
        contents: Sequence[Content] = (),
        balances: Sequence[BalanceChange] = (),
        cause: str | None = None,
        beside: Append | None = None,
    ) -> tuple[AppendResult, str]:
        """Append a run's events, and what is to become durable with them.

        The first event is caused by event `cause`, each other by the one before it. Also returns the last one's id.
        """

    async def read(self, run_id: str) -> Sequence[LoggedEvent]:
        """The run's events; empty where there is no such run."""

    async def keep_request(
        self, run_id: str, request: Request, subject: str | None
    ) -> tuple[ContentRef, list[Content]]:
        """A request as contents, each message once a subject, and the reference events hold."""

    async def fingerprint(self, request: Request, *facts: str) -> bytes:
        """An HMAC, under the database's own key, of a request and of what else makes it the same or another."""

    def keep_text(self, run_id: str, text: str, subject: str | None) -> tuple[ContentRef, list[Content]]:
        """A text as content, and the reference events hold."""

    async def request(self, ref: ContentRef) -> Request | None:
        """The request, or None where it was erased."""

    async def requests(self, refs: Iterable[ContentRef]) -> dict[str, Request]:
        """By the reference's id, those of which no part was erased."""

    async def text(self, ref: ContentRef) -> str | None:
        """The text, or None where it was erased."""

    async def texts(self, refs: Iterable[ContentRef]) -> dict[str, str]:
        """By the reference's id, those that were not erased."""

    async def answer(self, ref: ContentRef) -> str | None:
        """The text of an answer, or None where it was erased."""
