"""What an evaluation judges of a policy: how it routes, and how far it trusts answers.

Its chains, panels and matrix are judged by `backtest`, which plays whole runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..application.evaluation.policies import HeuristicRouting, HeuristicScorer, RoutingPolicy, SuccessPolicy
from ..domain.catalogue import ModelName
from ..domain.confidence import SCORER
from ..domain.errors import InvalidRequest
from ..domain.learned.router import LearnedRouter
from ..domain.learned.scorer import LearnedScorer
from ..domain.policy import DEFAULT_TARGET
from ..domain.scorers import AnswerScorer, is_learned
from ..domain.units import fraction
from .learned_weights import CONFIDENCE, ROUTING, load_router, load_scorer, trained_on
from .policies import find_policy
from .policy_settings import LEARNED_POLICY, NamedPolicy
from .settings import Settings
from .weights_store import SHIPPED, text_of

HEURISTIC, LEARNED = "heuristic", LEARNED_POLICY.name


@dataclass(frozen=True, slots=True)
class EvaluatedPolicy:
    """A policy's keys; `weights`, where given, stand for the file that they name."""

    named: NamedPolicy
    weights: Path | None = None

    def routing(self) -> RoutingPolicy:
        """Of a pair of models."""
        file = self._router
        return HeuristicRouting() if file is None else load_router(file)

    def success(self) -> SuccessPolicy:
        """Of any number of models. Raises InvalidRequest for a policy that predicts no success."""
        if (file := self._router) is None:
            raise InvalidRequest(
                f"policy {self.named.name} does not know how likely a model is to be right: use --policy learned or "
                "--weights FILE, or name --weak and --strong"
            )
        return load_router(file)

    def scorer(self) -> AnswerScorer:
        """Of answers. Raises InvalidRequest for a policy whose answers a model scores."""
        file = self._scorer
        return HeuristicScorer() if file is None else load_scorer(file)

    @property
    def target(self) -> float:
        """Of many models: the predicted success that one has to reach."""
        given = self.named.keys.target
        return fraction(DEFAULT_TARGET if given is None else given)

    def training_notes(self, kind: str, prompts: Sequence[str]) -> list[str]:
        """What is to be said where its weights, of routing or of confidence, were trained on these prompts."""
        file = self._router if kind == ROUTING else self._scorer
        seen = 0 if file is None else trained_on(text_of(file), prompts)
        told = (
            f"the weights were trained on {seen:,} of these {len(prompts):,} prompts: "
            "the policy may look better than it is"
        )
        return [told] if seen else []

    @property
    def _router(self) -> Path | None:
        """The file of its routing weights; None: it has none."""
        given = self.named.keys.router
        return None if given is None else self._file(given, ROUTING)

    @property
    def _scorer(self) -> Path | None:
        """The file of its confidence weights; None: the built-in signals score."""
        scorer = self.named.keys.scorer or SCORER
        if scorer == SCORER:
            return None
        if not is_learned(scorer):
            raise InvalidRequest(f"policy {self.named.name} asks {scorer} about answers, and an evaluation asks nobody")
        return self._file(self.named.keys.scorer_weights, CONFIDENCE)

    def _file(self, given: str | None, kind: str) -> Path:
        return self.weights or self.named.weights(given) or SHIPPED / f"{kind}.json"


def evaluated_policy(settings: Settings, name: str | None, weights: Path | None = None) -> EvaluatedPolicy:
    """The policy of a name, or of a TOML file; without a name `learned` by the weights, else `heuristic`.

    Raises InvalidRequest for an unknown name, and for weights of a policy that has its own or none.
    """
    name = name or (HEURISTIC if weights is None else LEARNED)
    named = find_policy(settings, name)
    if weights is not None and name != LEARNED:
        has = "has no weights" if named is None else "names its own weights"
        raise InvalidRequest(f"policy {name} {has}: leave out --weights, or use --policy learned")
    return EvaluatedPolicy(named or NamedPolicy(name=HEURISTIC), weights)


def stranger_notes(judged: object, models: Sequence[ModelName]) -> list[str]:
    """What is to be said where learned weights were not trained on what they are judged on.

    `models` are a pair for a router, and those whose answers are read for a scorer.
    """
    if isinstance(judged, LearnedRouter) and not judged.knows(*models):
        return [
            f"{judged.version} knows no pair {' and '.join(models)}: it went by the plain difficulty of the prompts"
        ]
    if isinstance(judged, LearnedScorer) and (unknown := [one for one in models if one not in judged.models]):
        return [f"{judged.version} was not trained on answers of {', '.join(unknown)}: read as an average model's"]
    return []
