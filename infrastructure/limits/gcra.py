"""The rate limiter's rule (GCRA), as functions of what is kept and a moment; all times in whole microseconds.

**The rule.** A limit of L a window of W is split: a burst of B may go at once, the rest comes at a steady rate. A
weight w (1 for a request, its tokens for tokens) costs more than w * W / (L + 1 - B) of time, and `slack` is at most
B * W / (L + 1 - B). A bucket keeps `full_at`, the moment at which all that was granted is paid for by time gone by:

    start   = max(now, full_at + cost - slack)      of both buckets: the grant's moment
    full_at = max(full_at, start) + cost

**The law: no closed window of length W, wherever it lies, holds more than L.** Take the grants 1..n inside one, in the
order they were given. `full_at` after the first is at least start_1 + cost_1, it grows by each cost, and the last had
to wait for it: start_n >= start_1 + cost_1 + ... + cost_n - slack. Both moments lie in the window, so the costs sum up
to at most W + slack, hence

    sum of w  <  (L + 1 - B) / W * (W + slack)  <=  L + 1 - B + B  =  L + 1.

Weights are whole numbers, so their sum is at most L. (One grant alone: its weight is cut to L.) B is a tenth of L, at
least 1, so with a queue at least nine tenths of L are used; a call with more tokens than B waits for the bucket to be
empty for as long as the surplus takes, which costs capacity only where calls are that large.

**Corrections.** With costs as corrected, a bucket must be no earlier than the rule would have it: the greatest of
start_j + cost_j + cost_(j+1) + ... over all grants j. Making grant i cheaper by d lowers the terms up to j = i by d;
the others are at most the latest start plus all costs since i, which `total` counts. So `full_at` goes down by d but
not below that. A call that used more than it reserved makes those pay who come after it.

**Places given back.** The last grant of all is undone. Another one whose moment still lies ahead is kept as it is, paid
for, and goes to the next call that needs no more tokens: no moment changes and no weight grows, so the law holds. It
may be ahead of calls that came earlier; their moments were named to them, and stay.

**Losing the books.** They start anew with the burst spent: the first call goes at once, the next at the steady rate. A
window across that moment holds at most the limit and one call more, and what was already waiting for its moment.

**The clock.** Where it is set back, the books move back with it, as if no time had passed, and begin a new life:
receipts and places of the old one are void.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...application.limits import Limits, Receipt

BURST_SHARE = 10  # a tenth of the limit
NO_LIMIT = 10**15  # a window; nobody comes near it


@dataclass(frozen=True, slots=True)
class Price:
    """What a call takes of a bucket, and how far ahead of its rate the bucket may be; microseconds."""

    cost: int
    slack: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is kept of one limit of a model."""

    full_at: int
    before: int  # what `full_at` was before the last grant
    total: int  # of all costs ever taken; what was given back is not taken off


@dataclass(frozen=True, slots=True)
class Books:
    """What is kept of a model."""

    life: int  # when they were begun, or the clock set back
    asked: int  # the last moment of a grant's asking
    granted: int  # the start it got
    latest: int  # the latest start of all
    latest_before: int  # what it was before the last grant
    requests: Bucket
    tokens: Bucket


@dataclass(frozen=True, slots=True)
class Place:
    """A grant as the books know it."""

    start: int
    tokens: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Call:
    """What a call takes of both buckets."""

    weight: int  # tokens
    requests: Price
    tokens: Price


def call(limits: Limits, tokens: int) -> Call:
    """The prices of one request with so many tokens."""
    window = round(limits.window * 1_000_000)
    return Call(tokens, _price(limits.requests, 1, window), _price(limits.tokens, tokens, window))


def reservable(limits: Limits, tokens: int) -> int:
    """The tokens that count at the grant: none without a limit, and at most the limit."""
    return min(tokens, limits.tokens or 0)


def _price(limit: int | None, weight: int, window: int) -> Price:
    most = limit or NO_LIMIT
    burst = max(1, most // BURST_SHARE)
    rest = most + 1 - burst
    return Price(weight * window // rest + 1 if weight else 0, burst * window // rest)


def begun(now: int, call: Call) -> Books:
    """The books after their first grant, which starts at once: its burst is spent."""

    def bucket(price: Price) -> Bucket:
        return Bucket(now + max(price.cost, price.slack), now + max(0, price.slack - price.cost), price.cost)

    return Books(now, now, now, now, now, bucket(call.requests), bucket(call.tokens))


def start(books: Books, now: int, call: Call) -> int:
    """When a call that asks now may start."""
    back = max(0, books.asked - now)
    return max(
        now,
        books.requests.full_at - back + call.requests.cost - call.requests.slack,
        books.tokens.full_at - back + call.tokens.cost - call.tokens.slack,
    )


def reserved(books: Books, now: int, call: Call) -> Books:
    """The books after the grant; `granted` is its moment."""
    granted = start(books, now, call)
    back = max(0, books.asked - now)

    def bucket(old: Bucket, price: Price) -> Bucket:
        before = old.full_at - back
        return Bucket(max(before, granted) + price.cost, before, old.total + price.cost)

    return Books(
        life=books.life if now >= books.asked else now,
        asked=now,
        granted=granted,
        latest=max(books.latest - back, granted),
        latest_before=books.latest - back,
        requests=bucket(books.requests, call.requests),
        tokens=bucket(books.tokens, call.tokens),
    )


def wait(books: Books | None, now: int, call: Call) -> int:
    """Microseconds that a call which asks now would wait."""
    return 0 if books is None else start(books, now, call) - now


def last_place(books: Books, call: Call) -> Place:
    """The place that the last grant got."""
    return Place(books.granted, call.weight, Receipt(books.life, books.requests.total, books.tokens.total))


def corrected(books: Books, receipt: Receipt, *, requests: int, tokens: int) -> Books:
    """The books with a grant's costs changed by so much."""

    def bucket(old: Bucket, change: int, mark: int) -> Bucket:
        if change >= 0:
            return replace(old, full_at=old.full_at + change, total=old.total + change)
        lowest = books.latest + old.total - mark
        return replace(old, full_at=min(old.full_at, max(old.full_at + change, lowest)))

    return replace(
        books,
        requests=bucket(books.requests, requests, receipt.requests),
        tokens=bucket(books.tokens, tokens, receipt.tokens),
    )


def undone(books: Books, receipt: Receipt) -> Books | None:
    """The books without that grant, where it is the last one; else None."""
    if (receipt.life, receipt.requests, receipt.tokens) != (books.life, books.requests.total, books.tokens.total):
        return None

    def bucket(old: Bucket) -> Bucket:
        return replace(old, full_at=min(old.full_at, old.before))

    return replace(books, latest=books.latest_before, requests=bucket(books.requests), tokens=bucket(books.tokens))
