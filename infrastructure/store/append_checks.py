"""What an append must be like before any database sees it, and the order of its balance changes: every adapter's."""

from __future__ import annotations

from ...application.ports import (
    Append,
    BalanceChange,
    BalanceHold,
    BalanceSettle,
    BudgetLimit,
    CacheEntry,
    IdempotencyClaim,
)
from ...domain.errors import InvalidRequest
from ...domain.periods import PERIODS
from ...domain.units import PICODOLLARS

# A 64-bit column holds 9,223,372 USD of picodollars: any limit, and so any sum a hold is checked against, must fit.
MOST = 9_000_000 * PICODOLLARS
YEAR_10000 = 253_402_300_800_000_000  # microseconds; the first instant no calendar here can name
MOST_ATTEMPTS = 2**31 - 1  # what an integer column holds
# A row of a PostgreSQL index has at most 2,704 bytes, and a character up to 4.
LONGEST_NAME = 255  # characters
LONGEST_FINGERPRINT = 64  # bytes


def check_append(append: Append) -> None:
    """Raises ValueError for an append no store can record, InvalidRequest for money, a period or a key out of range.

    Whatever could fail later, inside a transaction that other callers share, must fail here.
    """
    names = [part.stream for part in append.streams]
    if not names or not all(part.events for part in append.streams):
        raise ValueError("an append needs a stream, and each of its streams an event")
    if len(set(names)) != len(names):
        raise ValueError(f"an append names each stream once, this one: {', '.join(names)}")
    if any(len(event.event_id) != 16 for part in append.streams for event in part.events):
        raise ValueError("an append's event ids have 16 bytes")
    for content in append.contents:
        _check_texts(content.ref, content.stream, content.subject or "", content.body)
    for change in append.balances:
        _check_texts(change.scope)
        _check_change(change)
    if append.claim is not None:
        check_key(append.claim.key)
        _check_owned(append.claim)
    if append.cache is not None:
        _check_entry(append.cache)


def _check_texts(*texts: str) -> None:
    """Raises UnicodeEncodeError (a ValueError) for half a surrogate pair, which UTF-8 cannot hold."""
    for text in texts:
        text.encode()


def check_key(key: str) -> None:
    """Raises InvalidRequest for an idempotency key that no store can hold."""
    if not _storable(key):
        raise InvalidRequest(
            f"an idempotency key has 1 to {LONGEST_NAME} characters of valid Unicode, none of them NUL; "
            f"this one has {len(key)}: {key[:40]!r}"
        )


def _check_entry(entry: CacheEntry) -> None:
    if not (0 <= entry.attempt <= MOST_ATTEMPTS and 0 <= entry.expires_at < YEAR_10000):
        raise ValueError(f"attempt {entry.attempt} or expiry {entry.expires_at} of a cache entry is out of range")
    _check_owned(entry)


def _check_owned(row: IdempotencyClaim | CacheEntry) -> None:
    if not (_storable(row.owner) and _storable(row.run)):
        raise ValueError(f"an owner and a run have 1 to {LONGEST_NAME} characters of valid Unicode, none of them NUL")
    if not 1 <= len(row.fingerprint) <= LONGEST_FINGERPRINT:
        raise ValueError(f"a fingerprint has 1 to {LONGEST_FINGERPRINT} bytes, this one {len(row.fingerprint)}")


def _storable(name: str) -> bool:
    """Whether every database can index it."""
    return 1 <= len(name) <= LONGEST_NAME and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in name)


def _check_change(change: BalanceChange) -> None:
    if change.period not in PERIODS:
        raise InvalidRequest(f"unknown budget period {change.period!r}: use one of {', '.join(PERIODS)}")
    match change:
        case BudgetLimit(limit=limit):
            _check_amount(0, limit or 0)
        case BalanceHold(amount=amount):
            _check_amount(0, amount)
        case BalanceSettle(held=held, spent=spent, held_at=held_at):
            if not 0 <= held_at < YEAR_10000:
                raise InvalidRequest(f"a settlement's held_at is out of range: {held_at}")
            _check_amount(0, held)
            _check_amount(-MOST, spent)  # a correction takes back


def _check_amount(least: int, amount: int) -> None:
    if not least <= amount <= MOST:
        raise InvalidRequest(f"an amount of {amount} picodollars is out of range: 0 to 9,000,000 USD is possible")


def ordered(changes: tuple[BalanceChange, ...]) -> list[BalanceChange]:
    """Limits, then settlements, then holds, each sorted by row: a hold sees what its own append set and released."""
    return sorted(changes, key=_rank)


def _rank(change: BalanceChange) -> tuple[int, str, str, str, int]:
    match change:
        case BudgetLimit():
            return (0, change.scope, change.period, "", 0)
        case BalanceSettle():
            return (1, change.scope, change.period, change.money, change.held_at)
        case BalanceHold():
            return (2, change.scope, change.period, change.money, 0)
