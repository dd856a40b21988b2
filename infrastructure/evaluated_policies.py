"""The policies an evaluation can be asked about, by name: the built-in heuristics, and what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..application.evaluation.policies import HeuristicRouting, HeuristicScorer, RoutingPolicy, SuccessPolicy
from ..domain.errors import InvalidRequest
from ..domain.learned.router import LearnedRouter
from ..domain.scorers import AnswerScorer
from .learned_weights import load_router, load_scorer, shipped_router, shipped_scorer, trained_on

HEURISTIC, LEARNED = "heuristic", "learned"
POLICIES = (HEURISTIC, LEARNED)


def routing_policy(policy: str | None, weights: Path | None = None) -> RoutingPolicy:
    """Of a pair of models. Weights mean what they hold; without them, `learned` means those shipped."""
    return HeuristicRouting() if _named(policy, weights) == HEURISTIC else learned_routing(weights)


def success_policy(policy: str | None, weights: Path | None = None) -> SuccessPolicy:
    """Of any number of models. Raises InvalidRequest for a policy that predicts no success."""
    if _named(policy, weights) == HEURISTIC:
        raise InvalidRequest(
            "policy heuristic does not know how likely a model is to be right: use --policy learned or --weights FILE, "
            "or name --weak and --strong"
        )
    return learned_routing(weights)


def answer_scorer(policy: str | None, weights: Path | None = None) -> AnswerScorer:
    """Of answers."""
    if _named(policy, weights) == HEURISTIC:
        return HeuristicScorer()
    return shipped_scorer() if weights is None else load_scorer(weights)


def learned_routing(weights: Path | None) -> LearnedRouter:
    """The routing weights of a file; None: those shipped."""
    return shipped_router() if weights is None else load_router(weights)


def training_notes(kind: str, policy: str | None, weights: Path | None, prompts: Sequence[str]) -> list[str]:
    """What is to be said where the weights, routing's or confidence's, were trained on these prompts."""
    seen = 0 if _named(policy, weights) == HEURISTIC else trained_on(weights, prompts, kind)
    told = (
        f"the weights were trained on {seen:,} of these {len(prompts):,} prompts: the policy may look better than it is"
    )
    return [told] if seen else []


def _named(policy: str | None, weights: Path | None) -> str:
    if policy is not None and policy not in POLICIES:
        raise InvalidRequest(f"policy {policy!r}: expected {' or '.join(POLICIES)}")
    if policy == HEURISTIC and weights is not None:
        raise InvalidRequest("policy heuristic has no weights: leave out --weights, or use --policy learned")
    return policy or (HEURISTIC if weights is None else LEARNED)
