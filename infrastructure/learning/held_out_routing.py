"""How well learned routing does on prompts that it was not trained on: cross-validated, served as it will be served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from ...domain.catalogue import ModelName
from ...domain.dataset import RIGHT
from ...domain.errors import InvalidRequest
from ...domain.learned.router import LearnedRouter
from ...domain.metrics.calibration import Calibration
from ...domain.metrics.discrimination import auroc
from ...domain.metrics.ranking import Ranking, mean
from ...domain.metrics.routing_curve import RankedPair
from ...domain.risk_control import controlled
from .held_out import Figure, Measure, figure, firsts
from .routing import fold_of, train_routing
from .tables import Table
from .texts import Array, Corpus

STEPS = 50  # thresholds tried, from sending all prompts to the strong model to sending none


@dataclass(frozen=True, slots=True, kw_only=True)
class PairQuality:
    """Of a pair of models on a data set. `over_length`: how much higher APGR is than by the prompts' length."""

    dataset: str
    weak: ModelName
    strong: ModelName
    prompts: int
    weak_grade: float
    strong_grade: float
    apgr: Figure
    over_length: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessQuality:
    """Of P(right | request, model), for one model on a data set."""

    dataset: str
    model: ModelName
    right: float
    auroc: Figure
    brier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """Send prompts whose need is at least `threshold` to the strong model: the others lose at most `risk`, so surely.

    `lost` and `kept` are of folds whose threshold was chosen on the other folds: the loss that the risk bounds, which
    is what the strong model's grades are ahead where the weak one answered, its wins not set against that, as a mean
    over all prompts; and the share of prompts that the weak one answered.
    `threshold` is None where nothing could be shown: all prompts go to the strong model.
    """

    weak: ModelName
    strong: ModelName
    risk: float
    confidence: float
    threshold: float | None
    lost: float
    kept: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Of one table: what routers trained on the other folds said of each prompt, and its fold."""

    table: Table
    folds: Array
    needs: dict[tuple[ModelName, ModelName], Array]
    success: dict[ModelName, Array]


def held_out(tables: Sequence[Table], pairs: Sequence[tuple[ModelName, ModelName]], folds: int) -> list[HeldOut]:
    """Train on all folds but one, as often as there are folds. Equal prompts share a fold."""
    corpus = Corpus([prompt for table in tables for prompt in table.prompts])
    empty = np.zeros
    found = [
        HeldOut(
            table=table,
            folds=np.array([fold_of(prompt, folds, "outer") for prompt in table.prompts]),
            needs={pair: empty(len(table.prompts)) for pair in pairs if set(pair) <= set(table.models)},
            success={model: empty(len(table.prompts)) for model in table.models},
        )
        for table in tables
    ]
    for number in range(folds):
        rest = [one.table.only([int(place) for place in np.flatnonzero(one.folds != number)]) for one in found]
        _check_fold(rest)
        router = LearnedRouter(train_routing(rest, corpus), "held-out")
        for one in found:
            for place in np.flatnonzero(one.folds == number):
                prompt = one.table.prompts[int(place)]
                for pair, needs in one.needs.items():
                    needs[place] = router.need(prompt, *pair)
                said = router.success(prompt)
                for model, chances in one.success.items():
                    chances[place] = said[model]
    return found


def pair_qualities(found: Sequence[HeldOut]) -> Iterator[PairQuality]:
    """Of every pair on every table that has it and where the strong model is better."""
    for one in found:
        lengths = Ranking([len(prompt) for prompt in one.table.prompts])
        for (weak, strong), needs in one.needs.items():
            low, high = one.table.grades_of(weak), one.table.grades_of(strong)
            if mean(high) <= mean(low):
                continue
            by_need, by_length = apgr(Ranking(needs.tolist()), low, high), apgr(lengths, low, high)
            yield PairQuality(
                dataset=one.table.name,
                weak=weak,
                strong=strong,
                prompts=len(needs),
                weak_grade=mean(low),
                strong_grade=mean(high),
                apgr=figure(by_need, len(needs)),
                over_length=figure(_above(by_need, by_length), len(needs)),
            )


def _above(first: Measure, second: Measure) -> Measure:
    return lambda counts: first(counts) - second(counts)


def success_qualities(found: Sequence[HeldOut]) -> Iterator[SuccessQuality]:
    """Of every model on every table."""
    for one in found:
        for model, chances in one.success.items():
            right = [grade >= RIGHT for grade in one.table.grades_of(model)]
            yield SuccessQuality(
                dataset=one.table.name,
                model=model,
                right=mean(right),
                auroc=figure(partial(auroc, Ranking(chances.tolist()), right), len(right)),
                brier=Calibration(chances.tolist(), right).brier(),
            )


def guarantee(
    found: Sequence[HeldOut], weak: ModelName, strong: ModelName, risk: float, confidence: float
) -> Guarantee:
    """The threshold of a pair, over all tables that have it, and how it did on folds it was not chosen on.

    Of equal prompts the first counts.
    """
    held = [one for one in found if (weak, strong) in one.needs]
    first = firsts(prompt for one in held for prompt in one.table.prompts)
    needs = np.concatenate([one.needs[weak, strong] for one in held])[first]
    folds = np.concatenate([one.folds for one in held])[first]
    gains = [np.array(one.table.grades_of(strong)) - np.array(one.table.grades_of(weak)) for one in held]
    losses = np.maximum(np.concatenate(gains), 0)[first]
    lost, kept = 0.0, 0
    for number in np.unique(folds):
        rest, here = folds != number, folds == number
        chosen = _threshold(needs[rest], losses[rest], risk, confidence)
        spared = here & (needs < (-np.inf if chosen is None else chosen))
        lost, kept = lost + float(losses[spared].sum()), kept + int(spared.sum())
    return Guarantee(
        weak=weak,
        strong=strong,
        risk=risk,
        confidence=confidence,
        threshold=_threshold(needs, losses, risk, confidence),
        lost=lost / len(needs),
        kept=kept / len(needs),
    )


def apgr(needs: Ranking, weak: Sequence[float], strong: Sequence[float]) -> Measure:
    """The area under the recovered gap of prompts sent by need; NaN where there is no gap, or the weak one is ahead."""
    pair = RankedPair(needs, weak, strong)

    def measured(counts: Sequence[int] | None) -> float:
        curve = pair.curve(counts)
        return curve.apgr if curve.gap > 0 else float("nan")

    return measured


def as_dict(report: PairQuality | SuccessQuality | Guarantee) -> dict[str, Any]:
    """For JSON."""
    return asdict(report)


def _threshold(needs: Array, losses: Array, risk: float, confidence: float) -> float | None:
    """The highest threshold whose losses are controlled; it keeps more prompts with the weak model than lower ones."""
    thresholds = [float(one) for one in np.quantile(needs, np.linspace(0, 1, STEPS + 1))[1:]]
    sequence = (np.where(needs < at, losses, 0.0).tolist() for at in thresholds)
    last = controlled(sequence, risk=risk, confidence=confidence)
    return None if last is None else thresholds[last]


def _check_fold(tables: Sequence[Table]) -> None:
    for table in tables:
        if not table.prompts:
            raise InvalidRequest(f"{table.name} has too few different prompts for its folds: use fewer --folds")
