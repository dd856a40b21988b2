"""The models: how each does, which are held back now, and what they cost over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from ....application.amounts import dollars
from ....application.cost_reports import HEADINGS
from ....application.model_figures import TENTHS, ended, histogram, known_cost, mean_confidence
from ....domain.catalogue import Catalogue, ModelConfig
from ....domain.exclusions import exclusion_text
from ....domain.pricing import PriceCard
from ....domain.units import MILLION, plain
from ....projections.model_report import ModelStats
from ...availability import availability
from ...breaker_states import breaker_states, breaker_text
from ...event_codec import decode
from ...stored_catalogues import stored_catalogues
from .desk import Desk
from .spans import Span, shown_money
from .visit import Visit
from .words import address, equals


@dataclass(frozen=True, slots=True)
class PricePoint:
    """From when on a model cost this; `at` is microseconds."""

    at: int
    input: str  # USD a 1,000,000 tokens
    output: str
    before: tuple[str, str] | None


class ModelsPage:
    """`/dashboard/models`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> Response:
        """Statistics of the time, the catalogue with its breakers, and changed prices."""
        orchestrator = self._desk.orchestrator
        span = Span.recent(visit.asked("time") or "30d", orchestrator.clock.now())
        found = await self._desk.ask(lambda models: models.model_stats(span=span.range, conditions=visit.owned))
        money, kinds = shown_money(found, visit.asked("money"))
        catalogue = orchestrator.catalogue()
        held_back = await breaker_states(orchestrator.settings, catalogue.models)
        _, excluded = availability(catalogue, orchestrator.settings, orchestrator.provider_name())
        why = {one.model: exclusion_text(one) for one in excluded}
        return await self._desk.page(
            visit,
            "models.html",
            stats=sorted(
                (_stats(one, span) for one in found if one.money == money.value), key=lambda row: -row["one"].calls
            ),
            money=money,
            kinds=kinds,
            headings=HEADINGS,
            span=span,
            tenths=TENTHS,
            catalogue=catalogue.name,
            models=[
                _model(one, why, {name: breaker_text(state) for name, state in held_back.items()})
                for one in catalogue.models
            ],
            prices=await self._prices(),
        )

    async def _prices(self) -> dict[str, list[PricePoint]]:
        """By model, every price it had in a catalogue that runs used, oldest first; those that changed come first."""
        store = self._desk.orchestrator.store
        known = await stored_catalogues(store)
        found: dict[str, list[PricePoint]] = {}
        for entry in await store.read_stream("catalogue"):
            event = decode(entry.type, entry.schema_version, entry.payload)
            if event.catalogue in known:
                _note_prices(found, known[event.catalogue], entry.recorded_at)
        return dict(sorted(found.items(), key=lambda one: (-len(one[1]), one[0])))


def _note_prices(found: dict[str, list[PricePoint]], catalogue: Catalogue, at: int) -> None:
    for model in catalogue.models:
        if model.price is None:
            continue
        points = found.setdefault(model.name, [])
        price = (plain(model.price.input), plain(model.price.output))
        last = (points[-1].input, points[-1].output) if points else None
        if price != last:
            points.append(PricePoint(at, *price, last))


def _stats(one: ModelStats, span: Span) -> dict[str, Any]:
    confidence = mean_confidence(one)
    bars = histogram(one.confidences)
    most = max(bars, default=0)
    return {
        "one": one,
        "ended": ended(one),
        "cost": known_cost(one),
        "confidence": None if confidence is None else confidence * MILLION,
        "bars": [(count, 0 if not most else max(1, round(20 * count / most)) if count else 0) for count in bars],
        "failures": one.errors.most_common(),
        "link": address("/dashboard/runs", time=span.name, money=one.money, where=[equals("model", one.model)]),
    }


def _model(model: ModelConfig, why: Mapping[str, str], breakers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "model": model,
        "input": _price(model.price, "input"),
        "output": _price(model.price, "output"),
        "breaker": breakers.get(model.name),
        "why": why.get(model.name),
    }


def _price(card: PriceCard | None, kind: str) -> str:
    """As money is written, with "from" where long inputs cost more."""
    return "unknown" if card is None else f"{'from ' if card.tiers else ''}{dollars(getattr(card, kind))}"
