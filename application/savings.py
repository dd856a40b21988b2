"""What runs would have cost, had one model answered them all: their observed usage at that model's prices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ..domain.catalogue import Catalogue, ModelConfig
from ..domain.events import Money
from ..domain.filters import Condition
from ..domain.pricing import PriceCard, cost
from ..domain.units import usd
from ..projections.cost_report import Range
from ..projections.usage_report import ObservedUsage
from .read_models import ReadModels

CatalogueOf = Callable[[str, Money], Catalogue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One model for everything, one call a run."""

    model: str
    cost: Decimal  # USD
    estimated: int  # runs that another model answered: it would have counted and written other tokens
    is_strongest: bool  # of the highest class, the dearest of those


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """One kind of money: what answered runs cost, and would have."""

    money: Money
    runs: int
    cost: Decimal  # USD of all their calls: retries, checks, members and judges too
    agreed: int  # runs that ended as soon as two answers agreed: what was planned beyond them was not asked
    left_out: int  # runs whose cost, or whose answer's usage, is not known
    assumed: int  # runs whose catalogue is not in the database: priced by the one in force
    alternatives: tuple[Alternative, ...]  # the dearest first; the models with a price in every catalogue used
    cached: int  # runs that were given an earlier answer
    cache_saved: Decimal  # USD that asking again would have cost


def savings(
    models: ReadModels,
    catalogues: Mapping[str, Catalogue],
    in_force: Callable[[Money], Catalogue],
    *,
    span: Range,
    conditions: Sequence[Condition],
) -> list[Savings]:
    """A row a kind of money with answered runs, real first. `catalogues` are those the database holds, by hash."""
    bounds = _bounds((*catalogues.values(), *map(in_force, Money)))
    observed = models.observed_usage(span=span, conditions=conditions, bounds=bounds)
    cached = {one.money: one for one in models.cached_answers(span=span, conditions=conditions)}
    found = []
    for money in Money:
        mine = [one for one in observed if one.money == money]
        known = [one for one in mine if one.is_known]
        given = cached.get(money)
        if not mine and given is None:
            continue
        of = {one.catalogue: catalogues.get(one.catalogue) or in_force(money) for one in known}
        found.append(
            Savings(
                money=money,
                runs=sum(one.runs for one in known),
                cost=usd(sum(one.cost for one in known)),
                agreed=sum(one.agreed for one in known),
                left_out=sum(one.runs for one in mine if not one.is_known),
                assumed=sum(one.runs for one in known if one.catalogue not in catalogues),
                alternatives=_alternatives(known, of),
                cached=0 if given is None else given.runs,
                cache_saved=usd(0 if given is None else given.saved),
            )
        )
    return found


def _alternatives(known: Sequence[ObservedUsage], of: Mapping[str, Catalogue]) -> tuple[Alternative, ...]:
    if not known:
        return ()
    shared = set.intersection(*({one.name for one in catalogue.models if one.price} for catalogue in of.values()))
    described = [model for model in of[known[-1].catalogue].models if model.name in shared]
    strongest = max(described, key=_strength, default=None)
    rows = [
        Alternative(
            model=model.name,
            cost=sum((_repriced(one, _price(of[one.catalogue], model.name)) for one in known), Decimal(0)),
            estimated=sum(one.runs for one in known if one.model != model.name),
            is_strongest=model is strongest,
        )
        for model in described
    ]
    return tuple(sorted(rows, key=lambda row: (-row.cost, row.model)))


def _repriced(one: ObservedUsage, card: PriceCard) -> Decimal:
    """The whole group at the rates of its calls' length."""
    rates = card.rates(one.longest)
    flat = PriceCard(
        id=card.id,
        input=rates.input,
        output=rates.output,
        cache_read=rates.cache_read,
        cache_write=rates.cache_write,
    )
    return cost(one.usage, flat)


def _price(catalogue: Catalogue, name: str) -> PriceCard:
    model = catalogue.get(name)
    assert model is not None
    assert model.price is not None
    return model.price


def _strength(model: ModelConfig) -> tuple[int, Decimal]:
    assert model.price is not None
    return model.capability.rank, model.price.input + model.price.output


def _bounds(catalogues: Iterable[Catalogue]) -> list[int]:
    cards = (model.price for catalogue in catalogues for model in catalogue.models if model.price)
    return sorted({tier.above for card in cards for tier in card.tiers})
