"""What the read models want of each event: lean copies, decoded from the same payload, with every other field skipped.

Money is still text here; `picos` makes it the columns' integer.
"""

from __future__ import annotations

import json
from functools import lru_cache

import msgspec

DECIMALS = 12  # of a dollar in picodollars


class Lean(msgspec.Struct, frozen=True, gc=False):
    """The fields of an event that some read model keeps."""


class RunStarted(Lean, frozen=True, gc=False):
    """A request was accepted."""

    strategy: str
    category: str
    tags: msgspec.Raw  # canonical JSON, as the rows keep it
    owner: str
    subject: str | None
    provider: str  # live, simulated or recorded:NAME
    catalogue: str  # its hash


class AttemptStarted(Lean, frozen=True, gc=False):
    """A paid call is about to leave."""

    attempt: int
    call: int
    epoch: int
    model: str
    provider: str
    purpose: str
    max_cost: str | None


class Usage(Lean, frozen=True, gc=False):
    """Tokens in disjoint classes."""

    input_uncached: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int


class ModelCalled(Lean, frozen=True, gc=False):
    """A whole answer arrived."""

    attempt: int
    usage: Usage | None
    finish_reason: str
    response_model: str | None
    provider_request_id: str | None
    latency: int
    first_token: int | None


class AttemptFailed(Lean, frozen=True, gc=False):
    """The call was refused."""

    attempt: int
    kind: str
    status: int | None
    provider_request_id: str | None
    latency: int


class AttemptLost(Lean, frozen=True, gc=False):
    """The outcome is unknown."""

    attempt: int
    kind: str
    status: int | None
    provider_request_id: str | None
    latency: int | None


class AttemptReconciled(Lean, frozen=True, gc=False):
    """What a lost attempt turned out to cost."""

    attempt: int
    amount: str
    evidence: str
    by: str


class CostIncurred(Lean, frozen=True, gc=False):
    """An attempt cost money."""

    attempt: int
    amount: str | None
    price_card: str | None
    estimated: bool
    money: str


class ConfidenceScored(Lean, frozen=True, gc=False):
    """How likely an answer is right."""

    attempt: int
    score: int


class Escalated(Lean, frozen=True, gc=False):
    """The chain moved on."""

    from_model: str
    to_model: str
    reason: str


class AnsweredFromCache(Lean, frozen=True, gc=False):
    """An earlier answer is given again."""

    confidence: int
    model: str
    saved: str | None


class RunCompleted(Lean, frozen=True, gc=False):
    """The run has its answer."""

    attempt: int | None
    stop_reason: str
    confidence: int


class RunFailed(Lean, frozen=True, gc=False):
    """The run ended without an answer."""

    kind: str


class RunCancelled(Lean, frozen=True, gc=False):
    """Somebody ended the run."""

    by: str


class FeedbackGiven(Lean, frozen=True, gc=False):
    """How good an answer is."""

    value: int
    attempt: int | None


LEAN: dict[str, type[Lean]] = {
    fact.__name__: fact
    for fact in (
        RunStarted,
        AttemptStarted,
        ModelCalled,
        AttemptFailed,
        AttemptLost,
        AttemptReconciled,
        CostIncurred,
        ConfidenceScored,
        Escalated,
        AnsweredFromCache,
        RunCompleted,
        RunFailed,
        RunCancelled,
        FeedbackGiven,
    )
}


def tags_text(tags: msgspec.Raw) -> str:
    """The tags as a JSON object. Raises ValueError where they are none."""
    text = bytes(tags).decode()
    if not text.startswith("{"):
        raise ValueError("tags are not a JSON object")
    return text


@lru_cache(maxsize=10_000)
def tags_of(text: str) -> tuple[tuple[str, str], ...]:
    """Keys and values of a JSON object of tags."""
    return tuple(json.loads(text).items())


def picos(amount: str | None) -> int | None:
    """A plain decimal amount of USD in picodollars. Raises ValueError where it is finer than one."""
    if amount is None:
        return None
    whole, _, part = amount.partition(".")
    if len(part) > DECIMALS:
        raise ValueError(f"{amount} is finer than a picodollar ({DECIMALS} decimals)")
    return int(whole + part.ljust(DECIMALS, "0"))


def money_of(provider: str) -> str:
    """Whose money a run spends, by who answers it: real, simulated or recorded."""
    return "real" if provider == "live" else provider.partition(":")[0]
