"""The policies an evaluation can be asked about, by name: the built-in heuristics, and what was learned."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ..application.evaluation.policies import (
    AnswerScorer,
    HeuristicRouting,
    HeuristicScorer,
    RoutingPolicy,
    SuccessPolicy,
)
from ..domain.errors import InvalidRequest

HEURISTIC, LEARNED = "heuristic", "learned"
POLICIES = (HEURISTIC, LEARNED)


class LearnedRouting(RoutingPolicy, SuccessPolicy, Protocol):
    """What routing weights can say."""


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
    found: AnswerScorer = _learned("scorer", weights)
    return found


def learned_routing(weights: Path | None) -> LearnedRouting:
    """The routing weights of a file; None: those shipped."""
    found: LearnedRouting = _learned("router", weights)
    return found


def _named(policy: str | None, weights: Path | None) -> str:
    if policy is not None and policy not in POLICIES:
        raise InvalidRequest(f"policy {policy!r}: expected {' or '.join(POLICIES)}")
    if policy == HEURISTIC and weights is not None:
        raise InvalidRequest("policy heuristic has no weights: leave out --weights, or use --policy learned")
    return policy or (HEURISTIC if weights is None else LEARNED)


def _learned(kind: str, weights: Path | None) -> Any:
    """Made of the weights of a file, or of those shipped."""
    try:
        module = import_module(".learned_weights", __package__)
    except ModuleNotFoundError:
        module = None
    make = getattr(module, f"shipped_{kind}" if weights is None else f"load_{kind}", None)
    if make is None:
        raise InvalidRequest(f"this build has no learned {kind}: use --policy heuristic")
    return make() if weights is None else make(weights)
