"""What calls would have cost on other price cards, beside what was charged; nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..domain.errors import InvalidRequest
from ..domain.events import Money
from ..domain.pricing import PriceCard, Usage, cost
from ..domain.units import Usd, picodollars, usd
from ..projections.filter_sql import tag_of
from ..projections.run_report import AttemptRow

FIELDS = ("model", "category", "strategy", "provider", "purpose", "status")


@dataclass(slots=True)
class Repriced:
    """Calls of one group and kind of money. Both amounts are of the same calls: those where both are known."""

    calls: int = 0
    compared: int = 0
    charged_picos: int = 0
    repriced_picos: int = 0
    unknown_charged_picos: int = 0

    @property
    def unknown(self) -> int:
        """Calls left out: without a known cost, without usage, or of a model without a card."""
        return self.calls - self.compared

    @property
    def charged(self) -> Usd | None:
        """As charged; None where no call could be compared."""
        return usd(self.charged_picos) if self.compared else None

    @property
    def repriced(self) -> Usd | None:
        """On the cards."""
        return usd(self.repriced_picos) if self.compared else None

    @property
    def difference(self) -> Usd | None:
        """Repriced less charged."""
        return usd(self.repriced_picos - self.charged_picos) if self.compared else None

    @property
    def unknown_charged(self) -> Usd:
        """What was charged for the calls left out, as far as it is known."""
        return usd(self.unknown_charged_picos)

    def add(self, charged: int | None, repriced: int | None) -> None:
        """One more call."""
        self.calls += 1
        if charged is None or repriced is None:
            self.unknown_charged_picos += charged or 0
            return
        self.compared += 1
        self.charged_picos += charged
        self.repriced_picos += repriced

    def plus(self, other: Repriced) -> Repriced:
        """Both together."""
        return Repriced(
            self.calls + other.calls,
            self.compared + other.compared,
            self.charged_picos + other.charged_picos,
            self.repriced_picos + other.repriced_picos,
            self.unknown_charged_picos + other.unknown_charged_picos,
        )


Group = tuple[str | None, ...]


def check_by(by: Sequence[str]) -> None:
    """Raises InvalidRequest for what calls cannot be grouped by."""
    for name in by:
        if name not in FIELDS and not tag_of(name):
            raise InvalidRequest(f"cannot group by {name!r}: expected {', '.join(FIELDS)} or tag:KEY")


def reprice(
    attempts: Iterable[AttemptRow], cards: Mapping[str, PriceCard], by: Sequence[str]
) -> dict[Money, dict[Group, Repriced]]:
    """The calls on these cards, by kind of money and group, sorted. Raises InvalidRequest for an unknown group."""
    check_by(by)
    found: dict[Money, dict[Group, Repriced]] = {money: {} for money in Money}
    for attempt in attempts:
        group = tuple(_value(attempt, name) for name in by)
        repriced = repriced_cost(attempt, cards.get(attempt.model))
        found[Money(attempt.money)].setdefault(group, Repriced()).add(
            attempt.cost, None if repriced is None else picodollars(repriced)
        )
    return {
        money: {key: groups[key] for key in sorted(groups, key=lambda key: [(one is None, one or "") for one in key])}
        for money, groups in found.items()
    }


def repriced_cost(attempt: AttemptRow, card: PriceCard | None) -> Usd | None:
    """What the call costs on the card: nothing where it was refused; None where that is not known, or there is none."""
    if card is not None and attempt.status == "failed":
        return Usd(0)
    tokens = (attempt.input_uncached, attempt.cache_read, attempt.cache_write, attempt.output, attempt.reasoning)
    if card is None or None in tokens:
        return None
    uncached, read, write, output, reasoning = (one or 0 for one in tokens)
    return cost(
        Usage(input_uncached=uncached, cache_read=read, cache_write=write, output=output, reasoning=reasoning), card
    )


def _value(attempt: AttemptRow, name: str) -> str | None:
    key = tag_of(name)
    if key is not None:
        value = json.loads(attempt.tags).get(key)
        return None if value is None else str(value)
    return str(getattr(attempt, name))
