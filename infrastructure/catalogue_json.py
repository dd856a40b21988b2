"""A catalogue as canonical JSON and back: sorted keys, prices as decimal strings, no floats; its hash names it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..domain.catalogue import Catalogue, Feature, ModelCapability, ModelConfig, ModelProvider
from ..domain.pricing import PriceCard, PriceTier
from ..domain.units import Usd

_PRICES = ("input", "output", "cache_read", "cache_write")
_PLAIN = (
    "name",
    "max_tokens",
    "context_window",
    "supports_streaming",
    "rate_limit_rpm",
    "rate_limit_tpm",
    "api_id",
    "base_url",
    "api_key_env",
    "retired_on",
    "successor",
)


def catalogue_hash(catalogue: Catalogue) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(catalogue_json(catalogue).encode()).hexdigest()


def catalogue_json(catalogue: Catalogue) -> str:
    """The canonical JSON of a catalogue."""
    document = {"name": catalogue.name, "models": [model_to(model) for model in catalogue.models]}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def catalogue_from_json(text: str) -> Catalogue:
    """The catalogue whose canonical JSON this is."""
    document = json.loads(text)
    return Catalogue(document["name"], tuple(model_from(model) for model in document["models"]))


def model_to(model: ModelConfig) -> dict[str, Any]:
    """A model as JSON values."""
    return {
        **{name: getattr(model, name) for name in _PLAIN},
        "provider": model.provider.value,
        "capabilities": [capability.value for capability in model.capabilities],
        "features": sorted(feature.value for feature in model.features),
        "price": model.price and card_to(model.price),
    }


def model_from(table: dict[str, Any]) -> ModelConfig:
    """The model of such values."""
    plain_values = {name: table[name] for name in _PLAIN}
    return ModelConfig(
        **plain_values,
        provider=ModelProvider(table["provider"]),
        capabilities=tuple(ModelCapability(word) for word in table["capabilities"]),
        features=frozenset(Feature(word) for word in table["features"]),
        price=table["price"] and card_from(table["price"]),
    )


def card_to(card: PriceCard) -> dict[str, Any]:
    """A price card as JSON values."""
    tiers = [{"above": tier.above, **_rates_to(tier)} for tier in card.tiers]
    return {"id": card.id, **_rates_to(card), "tiers": tiers}


def card_from(table: dict[str, Any]) -> PriceCard:
    """The price card of such values; a cache price or the tiers may be left out."""
    tiers = tuple(PriceTier(above=tier["above"], **_rates_from(tier)) for tier in table.get("tiers", ()))
    return PriceCard(id=table["id"], **_rates_from(table), tiers=tiers)


def _rates_to(rates: PriceCard | PriceTier) -> dict[str, str | None]:
    prices = {name: getattr(rates, name) for name in _PRICES}
    return {name: None if price is None else str(price) for name, price in prices.items()}


def _rates_from(table: dict[str, Any]) -> dict[str, Any]:
    return {name: Usd(table[name]) for name in _PRICES if table.get(name) is not None}
