"""Why a model was no candidate, in words for people."""

from __future__ import annotations

from .catalogue import ModelName
from .events import Exclusion, ExclusionReason, RoutingDecided

_WORDS = {
    ExclusionReason.NO_KEY: "no key: set {limit}",  # the environment variable
    ExclusionReason.RETIRED: "{limit}",  # retired on DATE
    ExclusionReason.CAPABILITY: "answers prompts up to {limit} only",
    ExclusionReason.CONTEXT_WINDOW: "context window {limit} tokens",
    ExclusionReason.FEATURE: "cannot carry {limit}",
    ExclusionReason.UNPRICED: "no price, so no budget can bound it",
    ExclusionReason.MAX_COST: "needs up to ${limit}",
    ExclusionReason.NOT_ASKED: "not asked: {limit} was",
    ExclusionReason.PROVIDER: "another provider was asked: {limit}",
    ExclusionReason.CATALOGUE: "not in the catalogue {limit}",
    ExclusionReason.KEY: "the key {limit} does not allow it",
}
_WITHOUT_LIMIT = {
    ExclusionReason.NO_KEY: "no key",
    ExclusionReason.RETIRED: "retired",
    ExclusionReason.CAPABILITY: "not capable enough",
    ExclusionReason.CONTEXT_WINDOW: "context window too small",
    ExclusionReason.FEATURE: "cannot carry what the request asks for",
    ExclusionReason.UNPRICED: "no price, so no budget can bound it",
    ExclusionReason.MAX_COST: "could cost too much",
    ExclusionReason.NOT_ASKED: "not asked",
    ExclusionReason.PROVIDER: "another provider was asked",
    ExclusionReason.CATALOGUE: "not in this catalogue",
    ExclusionReason.KEY: "the key does not allow it",
}


def exclusion_text(exclusion: Exclusion) -> str:
    """The reason with its figure, such as "no key: set OPENAI_API_KEY" or "context window 8,192 tokens"."""
    if exclusion.limit is None:
        return _WITHOUT_LIMIT[exclusion.reason]
    limit = exclusion.limit
    if exclusion.reason is ExclusionReason.CONTEXT_WINDOW and limit.isdecimal():
        limit = f"{int(limit):,}"
    return _WORDS[exclusion.reason].format(limit=limit)


def left_out_for_money(routing: RoutingDecided) -> tuple[ModelName, ...]:
    """The models that the plan would have had with a higher limit."""
    unaffordable = (one.model for one in routing.excluded if one.reason is ExclusionReason.MAX_COST)
    return (*unaffordable, *routing.dropped)
