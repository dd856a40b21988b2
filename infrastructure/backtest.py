"""A backtest over a data set: the policies by name, and every prompt that is not contaminated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..application.backtest_dataset import DatasetPlayer, oracle, single
from ..application.backtest_report import (
    Backtest,
    Reference,
    policy_result,
    references,
)
from ..application.backtest_tally import Calibration, Tally
from ..application.run_options import settings_of
from ..domain.catalogue import Catalogue
from ..domain.dataset import evaluated
from ..domain.errors import InvalidRequest
from ..domain.scorers import is_learned
from ..domain.strategies import STRATEGIES
from .datasets import name_of, open_dataset, summary_of
from .policies import PolicyInForce, policy_in_force
from .recorded import recorded_catalogue, recorded_policy
from .settings import Settings
from .weights_store import scorer_weights


@dataclass(frozen=True, slots=True)
class Asked:
    """A policy as a user names it: NAME, or NAME:STRATEGY."""

    name: str
    strategy: str | None

    @classmethod
    def of(cls, text: str) -> Asked:
        """Raises InvalidRequest for a strategy that does not exist."""
        name, colon, strategy = text.rpartition(":")
        if not colon:
            return cls(text, None)
        if strategy not in STRATEGIES or not name:
            raise InvalidRequest(
                f"policy {text!r}: expected NAME, or NAME:STRATEGY with one of {', '.join(STRATEGIES)}"
            )
        return cls(name, strategy)

    def __str__(self) -> str:
        name = Path(self.name).stem if self.name.endswith(".toml") else self.name
        return name if self.strategy is None else f"{name}:{self.strategy}"


def backtest_dataset(settings: Settings, dataset: str, asked: Sequence[Asked]) -> Backtest:
    """Each policy over every prompt that is not contaminated. Raises InvalidRequest."""
    summary = summary_of(dataset, settings.database_url)
    scored = [model.name for model in summary.models if model.mean_score is not None]
    if not scored:
        raise InvalidRequest(f"the data set {dataset!r} has no row that can be evaluated")
    of = name_of(Path(dataset))
    catalogue, base = recorded_catalogue(of, summary), recorded_policy(summary)
    found = [policy_in_force(settings, catalogue, one.name, base=base) for one in asked]
    players = [_player(catalogue, one, want) for one, want in zip(found, asked, strict=True)]
    tallies, alone, best = [Tally() for _ in asked], references(scored), Reference("oracle")
    for example in evaluated(open_dataset(dataset, settings.database_url)):
        played = [player.play(example) for player in players]
        for number, tally in enumerate(tallies):
            tally.add(example.id, played[number], played[1 - number] if len(played) > 1 else None)
        best.add(oracle(example))
        for name, one in alone.items():
            one.add(single(example, name))
    none = Calibration()
    results = [
        policy_result(str(want), one.policy.version, want.strategy or "auto", tally, none, seen)
        for want, one, tally, seen in zip(asked, found, tallies, _trained_on(found, settings, dataset), strict=True)
    ]
    return Backtest(of=of, is_log=False, policies=results, models=list(alone.values()), oracle=best)


def _trained_on(policies: Sequence[PolicyInForce], settings: Settings, dataset: str) -> list[int]:
    """Of each policy, how many of the set's prompts its router was trained on."""
    from .learned_weights import trained_on

    counts = []
    for one in policies:
        examples = evaluated(open_dataset(dataset, settings.database_url)) if one.router else ()
        prompts = (example.prompt for example in examples if example.prompt is not None)
        counts.append(trained_on(one.router.text, prompts) if one.router else 0)
    return counts


def _player(catalogue: Catalogue, found: PolicyInForce, asked: Asked) -> DatasetPlayer:
    scorer = found.scorer
    if scorer is None and is_learned(found.policy.scorer):
        scorer = scorer_weights(None)
    return DatasetPlayer(
        catalogue,
        found.policy,
        strategy=asked.strategy or "auto",
        settings=settings_of({}, found.policy),
        router=found.router.model if found.router else None,
        scorer=scorer.model if scorer else None,
    )
