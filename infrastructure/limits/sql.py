"""The statements both databases share, in PostgreSQL's words; sqlite.py has a file's for the few that differ.

RESERVE and CORRECT are gcra.begun, gcra.reserved and gcra.corrected as one statement each: the clock is
read by whoever holds the row, after it got it; the answer is the books after the grant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from ...application.limits import Receipt
from ...domain.breaker import Breaker
from ...domain.units import Timestamp
from .gcra import Books, Bucket, Call, Place

_BOOKS: LiteralString = (
    "life, asked, granted, latest, latest_before, "
    "requests_full_at, requests_before, requests_total, tokens_full_at, tokens_before, tokens_total"
)
RESERVE: LiteralString = f"""
INSERT INTO {{rate_limits}} AS b (model, {_BOOKS})
SELECT %(model)s, c.now, c.now, c.now, c.now, c.now,
    c.now + greatest(%(requests_cost)s, %(requests_slack)s),
    c.now + greatest(0, %(requests_slack)s - %(requests_cost)s), %(requests_cost)s,
    c.now + greatest(%(tokens_cost)s, %(tokens_slack)s),
    c.now + greatest(0, %(tokens_slack)s - %(tokens_cost)s), %(tokens_cost)s
FROM (SELECT {{now}} AS now) c WHERE true
ON CONFLICT (model) DO UPDATE SET
    ({_BOOKS}) = (
    SELECT CASE WHEN g.now < b.asked THEN g.now ELSE b.life END, g.now, g.start, greatest(g.latest, g.start), g.latest,
        greatest(g.requests, g.start) + %(requests_cost)s, g.requests, b.requests_total + %(requests_cost)s,
        greatest(g.tokens, g.start) + %(tokens_cost)s, g.tokens, b.tokens_total + %(tokens_cost)s
    FROM (SELECT k.now, k.latest, k.requests, k.tokens, greatest(k.now,
                 k.requests + %(requests_cost)s - %(requests_slack)s,
                 k.tokens + %(tokens_cost)s - %(tokens_slack)s) AS start
          FROM (SELECT a.now, b.latest - a.back AS latest, b.requests_full_at - a.back AS requests,
                       b.tokens_full_at - a.back AS tokens
                FROM (SELECT c.now, greatest(0, b.asked - c.now) AS back FROM (SELECT {{now}} AS now) c) a) k) g)
RETURNING {_BOOKS}
"""
CORRECT: LiteralString = """
UPDATE {rate_limits} SET
    requests_total = requests_total + greatest(0, %(requests)s),
    requests_full_at = CASE WHEN %(requests)s >= 0 THEN requests_full_at + %(requests)s
        ELSE least(requests_full_at,
                   greatest(requests_full_at + %(requests)s, latest + requests_total - %(requests_mark)s)) END,
    tokens_total = tokens_total + greatest(0, %(tokens)s),
    tokens_full_at = CASE WHEN %(tokens)s >= 0 THEN tokens_full_at + %(tokens)s
        ELSE least(tokens_full_at,
                   greatest(tokens_full_at + %(tokens)s, latest + tokens_total - %(tokens_mark)s)) END
WHERE model = %(model)s AND life = %(life)s
"""
UNDO: LiteralString = """
UPDATE {rate_limits} SET latest = latest_before, requests_full_at = least(requests_full_at, requests_before),
    tokens_full_at = least(tokens_full_at, tokens_before)
WHERE model = %(model)s AND life = %(life)s
    AND requests_total = %(requests_mark)s AND tokens_total = %(tokens_mark)s
"""
BOOKS: LiteralString = f"SELECT {_BOOKS} FROM {{rate_limits}} WHERE model = %(model)s"

# Places given back. Void where the books have begun a new life, or are about to because the clock was set back.
_PLACE: LiteralString = "start, tokens, life, requests_mark, tokens_mark"
_FREE: LiteralString = """FROM {rate_limit_places} f JOIN {rate_limits} b ON b.model = f.model AND b.life = f.life
    JOIN (SELECT {now} AS now) c ON b.asked <= c.now AND f.start >= c.now
WHERE f.model = %(model)s AND f.tokens >= %(tokens)s"""
FREE: LiteralString = f"SELECT min(f.start) {_FREE}"
TAKE: LiteralString = f"""
DELETE FROM {{rate_limit_places}} WHERE model = %(model)s AND requests_mark = (
    SELECT f.requests_mark {_FREE} ORDER BY f.start LIMIT 1 FOR UPDATE OF f SKIP LOCKED)
RETURNING {_PLACE}, {{now}}
"""
GIVE_BACK: LiteralString = f"""
INSERT INTO {{rate_limit_places}} (model, {_PLACE})
SELECT b.model, %(start)s, %(weight)s, b.life, %(requests_mark)s, %(tokens_mark)s FROM {{rate_limits}} b
WHERE b.model = %(model)s AND b.life = %(life)s AND %(start)s > {{now}}
"""
FORGET_PAST: LiteralString = "DELETE FROM {rate_limit_places} WHERE model = %(model)s AND start < {now}"

_BREAKER: LiteralString = "failures, failed_at, opened, open_until, probe_until"
BREAKER: LiteralString = f"SELECT {_BREAKER} FROM {{breakers}} WHERE name = %(name)s"
NAMED_BREAKERS: LiteralString = f"SELECT name, {_BREAKER} FROM breakers"
PUT_BREAKER: LiteralString = f"""
INSERT INTO {{breakers}} (name, {_BREAKER})
VALUES (%(name)s, %(failures)s, %(failed_at)s, %(opened)s, %(open_until)s, %(probe_until)s)
ON CONFLICT (name) DO UPDATE SET failures = excluded.failures, failed_at = excluded.failed_at,
    opened = excluded.opened, open_until = excluded.open_until, probe_until = excluded.probe_until
"""


def call_parameters(model: str, call: Call) -> dict[str, Any]:
    """What RESERVE and TAKE are given."""
    return {
        "model": model,
        "tokens": call.weight,
        "requests_cost": call.requests.cost,
        "requests_slack": call.requests.slack,
        "tokens_cost": call.tokens.cost,
        "tokens_slack": call.tokens.slack,
    }


def correction_parameters(model: str, receipt: Receipt, requests: int, tokens: int) -> dict[str, Any]:
    """What CORRECT is given."""
    return {
        "model": model,
        "life": receipt.life,
        "requests": requests,
        "tokens": tokens,
        "requests_mark": receipt.requests,
        "tokens_mark": receipt.tokens,
    }


def cancel_parameters(model: str, place: Place, call: Call) -> dict[str, Any]:
    """What UNDO is given; GIVE_BACK, where it is not the last; CORRECT, where it no longer lies ahead."""
    correction = correction_parameters(model, place.receipt, -call.requests.cost, -call.tokens.cost)
    return correction | {"start": place.start, "weight": place.tokens}


def breaker_parameters(name: str, breaker: Breaker) -> dict[str, Any]:
    """What PUT_BREAKER is given."""
    return {
        "name": name,
        "failures": breaker.failures,
        "failed_at": breaker.failed_at,
        "opened": breaker.opened,
        "open_until": breaker.open_until,
        "probe_until": breaker.probe_until,
    }


def books(row: Sequence[int]) -> Books:
    """A row of RESERVE or BOOKS."""
    return Books(row[0], row[1], row[2], row[3], row[4], Bucket(*row[5:8]), Bucket(*row[8:]))


def place(row: Sequence[int]) -> tuple[Place, Timestamp]:
    """A row of TAKE: the place, and the clock."""
    return Place(row[0], row[1], Receipt(row[2], row[3], row[4])), Timestamp(row[5])


def breaker(row: Sequence[Any]) -> Breaker:
    """A row of BREAKER."""
    return Breaker(failures=row[0], failed_at=row[1], opened=row[2], open_until=row[3], probe_until=row[4])
