"""How one append is decided, for the stores whose rules run in Python (SQLite, memory).

Every check comes before the first write, so a refused append leaves nothing to undo: no exception, no savepoint, and
the appends after it in the same batch see exactly what the accepted ones did. PostgreSQL keeps the same rules in its
function `append_events_v1`; one contract suite holds all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ...application.ports import (
    Append,
    Appended,
    AppendResult,
    BalanceHold,
    BalanceSettle,
    BudgetLimit,
    CacheEntry,
    Content,
    ContentKey,
    Expected,
    ExpectedVersion,
    HoldRefused,
    IdempotencyClaim,
    KeyTaken,
    LogEnd,
    NewEvent,
    VersionConflict,
)
from ...domain.errors import EventIdReused, StoreError
from ...domain.periods import period_key
from ...domain.units import Timestamp
from .append_checks import check_append, ordered
from .chain import chain_hash, event_hash

Outcome = AppendResult | StoreError  # an error is data here: it belongs to one caller of the batch
Account = tuple[str, str, str, str]  # scope, period, money, period key: a balance row's id
Funds = tuple[int, int]  # held, settled
# An event as the log holds it: the fields of RecordedEvent, in its order.
LogRow = tuple[
    int, str, int, bytes, str, int, Timestamp, Timestamp, str | None, str, str, str, bytes, bytes
]  # fmt: skip


class Head(NamedTuple):
    """Where the log ends."""

    position: int
    recorded_at: Timestamp
    chain_hash: bytes


class Known(NamedTuple):
    """What the log says of an event id."""

    position: int
    version: int
    recorded_at: Timestamp
    event_hash: bytes


class Transaction(Protocol):
    """The log under its head lock, as this batch has changed it so far."""

    head: Head
    recorded_at: Timestamp  # of everything the batch records

    def known(self, event_ids: Sequence[bytes]) -> dict[bytes, Known]:
        """Those of the ids that are in the log."""

    def version(self, stream: str) -> int:
        """The stream's last version; 0 for none."""

    def funds(self, account: Account) -> Funds:
        """The balance row, (0, 0) where there is none."""

    def limit(self, scope: str, period: str) -> int | None:
        """The budget's limit."""

    def claim(self, owner: str, key: str) -> IdempotencyClaim | None:
        """Who has the idempotency key."""

    def put_claim(self, claim: IdempotencyClaim) -> None:
        """Give a free key to its run."""

    def put_cached(self, entry: CacheEntry) -> None:
        """Write the entry, over an earlier one."""

    def put_limit(self, scope: str, period: str, limit: int | None) -> None:
        """Set or remove it."""

    def put_funds(self, account: Account, funds: Funds) -> None:
        """Write the balance row."""

    def add_events(self, rows: Sequence[LogRow]) -> None:
        """Put the events at the log's end; the last one is its new head."""

    def add_contents(self, contents: Sequence[Content]) -> None:
        """Keep the texts whose ref is new, and who uses them."""

    def add_keys(self, keys: Sequence[ContentKey]) -> None:
        """Keep the keys whose id is new; a shared message's only where its text is the one encrypted with it."""

    def erase(self, runs: Sequence[str]) -> None:
        """Destroy what is kept of the runs beside their events; a text that another run uses too stays."""


@dataclass(slots=True)
class Prepared:
    """A checked append, with what can be worked out before the head lock is taken."""

    append: Append
    events: list[tuple[str, NewEvent, bytes]]  # stream, event, event hash; in the append's order
    ids: list[bytes]  # of the events

    @classmethod
    def of(cls, append: Append) -> Prepared:
        """Raises ValueError, InvalidRequest for what no store can record."""
        check_append(append)
        events = [
            (part.stream, event, event_hash(part.stream, event)) for part in append.streams for event in part.events
        ]
        return cls(append, events, [event.event_id for _, event, _ in events])


@dataclass(slots=True)
class BalancePlan:
    """What an append's balance changes come to."""

    limits: dict[tuple[str, str], int | None]
    funds: dict[Account, Funds]


def apply(tx: Transaction, prepared: Prepared) -> Outcome:
    """Duplicates, the idempotency key, expected versions, balances, then the writes: in this order, always."""
    append = prepared.append
    if (known := _recorded_before(tx, prepared)) is not None:
        return known
    if append.claim is not None and (taken := _taken(tx, append.claim)) is not None:
        return taken
    versions = {part.stream: tx.version(part.stream) for part in append.streams}
    for part in append.streams:
        if not _as_expected(part.expected, versions[part.stream], tx.head):
            return VersionConflict(part.stream, part.expected, versions[part.stream])
    plan = _plan_balances(tx, append) if append.balances else None
    if isinstance(plan, HoldRefused):
        return plan
    if plan is not None:
        _write_balances(tx, plan)
    if append.claim is not None:
        tx.put_claim(append.claim)
    if append.cache is not None:
        tx.put_cached(append.cache)
    if append.contents:
        tx.add_contents(append.contents)
    if append.keys:
        tx.add_keys(append.keys)
    if append.erased:
        tx.erase(append.erased)
    return _write_events(tx, prepared, versions)


def _recorded_before(tx: Transaction, prepared: Prepared) -> Appended | EventIdReused | None:
    """The first result where the log holds exactly these events; None where it holds none of them."""
    ids = prepared.ids
    if len(ids) > 1 and len(set(ids)) != len(ids):
        return EventIdReused("an append brought the same event id twice; nothing was written")
    known = tx.known(ids)
    if not known:
        return None
    found = [known[id] for id in ids if id in known]
    first = found[0].position
    as_written = len(found) == len(ids) and all(
        there.event_hash == digest and there.position == first + n
        for n, (there, (_, _, digest)) in enumerate(zip(found, prepared.events, strict=True))
    )
    if not as_written:
        return EventIdReused("event ids came again with other content or in another batch; nothing was written")
    versions = {stream: there.version for there, (stream, _, _) in zip(found, prepared.events, strict=True)}
    return Appended(
        first_position=first,
        last_position=found[-1].position,
        versions=tuple(versions[part.stream] for part in prepared.append.streams),
        recorded_at=found[0].recorded_at,
        duplicate=True,
    )


def _taken(tx: Transaction, claim: IdempotencyClaim) -> KeyTaken | None:
    if (holder := tx.claim(claim.owner, claim.key)) is None:
        return None
    return KeyTaken(run=holder.run, same_request=holder.fingerprint == claim.fingerprint)


def _as_expected(expected: ExpectedVersion, actual: int, head: Head) -> bool:
    match expected:
        case LogEnd(position=position):
            return head.position == position
        case Expected.ANY:
            return True
        case Expected.NONE:
            return actual == 0
        case Expected.EXISTS:
            return actual > 0
        case _:
            return expected == actual


def _plan_balances(tx: Transaction, append: Append) -> BalancePlan | HoldRefused:
    plan = BalancePlan({}, {})
    for change in ordered(append.balances):
        budget = (change.scope, change.period)
        if isinstance(change, BudgetLimit):
            plan.limits[budget] = change.limit
            continue
        at = change.held_at if isinstance(change, BalanceSettle) else tx.recorded_at
        account = (*budget, str(change.money), period_key(change.period, at))
        held, settled = plan.funds.get(account) or tx.funds(account)
        if isinstance(change, BalanceSettle):
            plan.funds[account] = (held - change.held, settled + change.spent)
            continue
        limit = plan.limits[budget] if budget in plan.limits else tx.limit(*budget)
        if limit is not None and held + settled + change.amount > limit:
            return _refused(change, limit, held, settled)
        plan.funds[account] = (held + change.amount, settled)
    return plan


def _refused(hold: BalanceHold, limit: int, held: int, settled: int) -> HoldRefused:
    return HoldRefused(
        scope=hold.scope, period=hold.period, limit=limit, held=held, settled=settled, needed=hold.amount
    )


def _write_balances(tx: Transaction, plan: BalancePlan) -> None:
    for (scope, period), limit in plan.limits.items():
        tx.put_limit(scope, period, limit)
    for account, funds in sorted(plan.funds.items()):
        tx.put_funds(account, funds)


def _write_events(tx: Transaction, prepared: Prepared, versions: dict[str, int]) -> Appended:
    (position, _, chain), recorded_at = tx.head, tx.recorded_at
    first = position + 1
    rows: list[LogRow] = []
    for stream, event, digest in prepared.events:
        position += 1
        version = versions[stream] = versions[stream] + 1
        chain = chain_hash(chain, position, version, recorded_at, digest)
        rows.append(_row(stream, event, position, version, recorded_at, digest, chain))
    tx.add_events(rows)
    return Appended(
        first_position=first, last_position=position, versions=tuple(versions.values()), recorded_at=recorded_at
    )


def _row(
    stream: str, event: NewEvent, position: int, version: int, recorded_at: Timestamp, digest: bytes, chain: bytes
) -> LogRow:
    return (
        position,
        stream,
        version,
        event.event_id,
        event.type,
        event.schema_version,
        event.occurred_at,
        recorded_at,
        event.causation_id,
        event.correlation_id,
        event.actor,
        event.payload,
        digest,
        chain,
    )
