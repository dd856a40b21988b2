"""Routing between two models, judged on what both answered."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.catalogue import ModelName
from .pair import ModelPair
from .policies import RoutingPolicy, checked
from .recorded_set import RecordedSet
from .report import Evaluation, Row

LENGTH = "prompt length"
RANDOM = "random"
ORACLE = "oracle"


def evaluate_routing(data: RecordedSet, policy: RoutingPolicy, weak: ModelName, strong: ModelName) -> Evaluation:
    """What the policy's ranking is worth beside length, chance and knowing all. Raises InvalidRequest."""
    pair, prompts = ModelPair(data, weak, strong), data.prompts()
    needs = checked(policy.version, (policy.need(prompt, weak, strong) for prompt in prompts))
    measured = pair.measured(needs)
    lengths = [float(len(prompt)) for prompt in prompts]
    by_length = pair.measured(lengths)
    row = pair.row(policy.version, needs, measured)
    gain, interval = measured.over(by_length, "apgr")
    return Evaluation(
        kind="routing",
        data=data,
        asked={"weak": weak, "strong": strong},
        policy=Row(
            name=row.name,
            figures={**row.figures, "apgr_over_length": gain},
            intervals={**row.intervals, **({} if interval is None else {"apgr_over_length": interval})},
            points=row.points,
        ),
        references=(
            pair.row(LENGTH, lengths, by_length),
            pair.row(RANDOM, [0.0] * len(prompts)),
            pair.row(ORACLE, pair.gains),
            pair.always(0),
            pair.always(1),
            *_guaranteed(pair, needs, policy.thresholds.get((weak, strong))),
        ),
        predictions=[{"id": one.id, "score": need} for one, need in zip(data.examples, needs, strict=True)],
    )


def _guaranteed(pair: ModelPair, needs: Sequence[float], threshold: float | None) -> list[Row]:
    """What the threshold comes to that a guarantee was given for."""
    if threshold is None:
        return []
    return [pair.sent([need >= threshold for need in needs]).row(f"within the guaranteed risk, need {threshold:.4f}")]
