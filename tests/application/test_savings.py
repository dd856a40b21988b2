"""Savings are reckoned at the prices that the runs had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

from model_orchestrator.application.read_models import ReadModels
from model_orchestrator.application.savings import savings
from model_orchestrator.domain.catalogue import Catalogue, ModelConfig, ModelProvider
from model_orchestrator.domain.pricing import PriceCard, PriceTier, Usage
from model_orchestrator.domain.units import Usd
from model_orchestrator.projections.grains import BEGINNING, END
from model_orchestrator.projections.usage_report import CachedAnswers, ObservedUsage

LONG = 200_000
OBSERVED = ObservedUsage(
    catalogue="a",
    money="real",
    model="one",
    is_known=True,
    runs=2,
    agreed=1,
    cost=10**12,
    usage=Usage(input_uncached=150_000, output=0),
    longest=100_000,
)


def catalogue(price: str, *more: ModelConfig) -> Catalogue:
    tier = PriceTier(above=LONG, input=Usd(str(10 * Decimal(price))), output=Usd("1"))
    card = PriceCard(id="one@1", input=Usd(price), output=Usd("1"), tiers=(tier,))
    return Catalogue("own", (ModelConfig("one", ModelProvider.OPENAI, price=card), *more))


class Usages:
    """Read models with nothing but these."""

    def __init__(self, *observed: ObservedUsage) -> None:
        self._observed = observed
        self.bounds: Sequence[int] = ()

    def observed_usage(self, *, bounds: Sequence[int], **_: Any) -> list[ObservedUsage]:
        self.bounds = bounds
        return list(self._observed)

    def cached_answers(self, **_: Any) -> list[CachedAnswers]:
        return []


def reckoned(usages: Usages, catalogues: dict[str, Catalogue]) -> Any:
    models, span = cast(ReadModels, usages), (BEGINNING, END)
    (found,) = savings(models, catalogues, lambda money: catalogue("7"), span=span, conditions=())
    return found


def test_each_run_has_the_prices_of_its_own_catalogue() -> None:
    """A price that changed in between changes nothing of what came before."""
    found = reckoned(Usages(OBSERVED, replace(OBSERVED, catalogue="b")), {"a": catalogue("2"), "b": catalogue("4")})
    (row,) = found.alternatives
    assert (found.cost, row.cost, row.estimated, found.assumed) == (2, Decimal("0.9"), 0, 0)


def test_sums_of_short_calls_are_no_long_call() -> None:
    """A group has the rate of its calls' length, not that of their sum."""
    many = replace(OBSERVED, runs=5, usage=Usage(input_uncached=5 * LONG, output=0), longest=LONG)
    usages = Usages(many)
    assert reckoned(usages, {"a": catalogue("2")}).alternatives[0].cost == 2
    assert usages.bounds == [LONG]
    long = replace(many, longest=LONG + 1)
    assert reckoned(Usages(long), {"a": catalogue("2")}).alternatives[0].cost == 20


def test_what_cannot_be_priced_is_told() -> None:
    """Runs of unknown cost are left out; a catalogue that is gone is assumed to be the one in force."""
    unknown = replace(OBSERVED, is_known=False, cost=0)
    found = reckoned(Usages(OBSERVED, unknown, replace(OBSERVED, catalogue="gone")), {"a": catalogue("2")})
    assert (found.runs, found.agreed, found.left_out, found.assumed) == (4, 2, 2, 2)
    assert found.alternatives[0].cost == Decimal("0.3") + Decimal("1.05")


def test_only_models_of_every_catalogue_are_compared() -> None:
    """With a price in each."""
    free = ModelConfig("free", ModelProvider.OPENAI)
    other = ModelConfig("two", ModelProvider.OPENAI, Decimal(1), Decimal(1))
    usages = Usages(OBSERVED, replace(OBSERVED, catalogue="b"))
    found = reckoned(usages, {"a": catalogue("2", free, other), "b": catalogue("2", free)})
    assert [one.model for one in found.alternatives] == ["one"]
