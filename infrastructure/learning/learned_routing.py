"""Training a router from data sets, with a report on prompts held out: what `learn routing` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...domain.catalogue import ModelName
from ...domain.dataset import Example
from ...domain.errors import InvalidRequest
from ..datasets import name_of, open_dataset
from ..learned_weights import ROUTING, fingerprints, weights_file
from .held_out import repeated
from .held_out_routing import (
    Guarantee,
    PairQuality,
    SuccessQuality,
    as_dict,
    guarantee,
    held_out,
    pair_qualities,
    success_qualities,
)
from .routing import train_routing
from .tables import Table, table_of

Pairs = Sequence[tuple[ModelName, ModelName]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is trained. No models: all. No pair: of each set, the worst and the best model."""

    models: tuple[ModelName, ...] = ()
    pair: tuple[ModelName, ModelName] | None = None
    folds: int = 5
    risk: float | None = None
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingReport:
    """All figures are of prompts held out. `repeated`: prompts that stand in more than one row."""

    repeated: int
    pairs: list[PairQuality]
    models: list[SuccessQuality]
    guarantees: list[Guarantee]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "repeated": self.repeated,
            "pairs": [as_dict(one) for one in self.pairs],
            "models": [as_dict(one) for one in self.models],
            "guarantees": [as_dict(one) for one in self.guarantees],
        }


def learned_routing(
    names: Sequence[str], wanted: Wanted, opened: Callable[[str], Iterable[Example]] = open_dataset
) -> tuple[str, RoutingReport]:
    """The text of the file of weights, and the report. Raises InvalidRequest for what cannot be learned from."""
    tables = [table_of(name_of(Path(name)), opened(name), wanted.models) for name in names]
    pairs = _pairs(tables, wanted.pair)
    report = _report(tables, pairs, wanted)
    weights = train_routing(tables)
    weights["thresholds"] = [as_dict(one) for one in report.guarantees]
    prompts = [prompt for table in tables for prompt in table.prompts]
    trained = {
        "prompts": {table.name: len(table.prompts) for table in tables},
        "fingerprints": fingerprints(prompts),
        "held_out": [as_dict(one) for one in report.pairs],
    }
    return weights_file(
        ROUTING, weights, sources=[{"dataset": table.name} for table in tables], trained=trained
    ), report


def _report(tables: Sequence[Table], pairs: Pairs, wanted: Wanted) -> RoutingReport:
    found = held_out(tables, pairs, wanted.folds)
    return RoutingReport(
        repeated=repeated(prompt for table in tables for prompt in table.prompts),
        pairs=list(pair_qualities(found)),
        models=list(success_qualities(found)),
        guarantees=[]
        if wanted.risk is None
        else [guarantee(found, *pair, wanted.risk, wanted.confidence) for pair in pairs],
    )


def _pairs(tables: Sequence[Table], asked: tuple[ModelName, ModelName] | None) -> Pairs:
    return list(dict.fromkeys(_extremes(table) for table in tables)) if asked is None else [_known(tables, asked)]


def _extremes(table: Table) -> tuple[ModelName, ModelName]:
    order = sorted(table.models, key=lambda model: sum(table.grades_of(model)))
    return order[0], order[-1]


def _known(tables: Sequence[Table], pair: tuple[ModelName, ModelName]) -> tuple[ModelName, ModelName]:
    if pair[0] == pair[1]:
        raise InvalidRequest(f"--weak and --strong are both {pair[0]}: a pair has two models")
    if not any(set(pair) <= set(table.models) for table in tables):
        known = ", ".join(sorted({model for table in tables for model in table.models}))
        raise InvalidRequest(f"no data set has both {pair[0]} and {pair[1]}: their models are {known}")
    if not any(set(pair) <= set(table.models) and _is_better(table, *pair) for table in tables):
        raise InvalidRequest(f"{pair[1]} is nowhere better than {pair[0]}: exchange them, or choose another pair")
    return pair


def _is_better(table: Table, weak: ModelName, strong: ModelName) -> bool:
    return sum(table.grades_of(strong)) > sum(table.grades_of(weak))
