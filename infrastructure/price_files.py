"""Price cards by model: of a file, or the latest this release knows."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..domain.errors import ConfigurationError, InvalidRequest
from ..domain.pricing import PriceCard
from .catalogues import load_catalogue
from .model_settings import ModelSettings
from .prices import priced_model, priced_names
from .setting_keys import read_table
from .settings import Settings

LATEST = "latest"
_PRICES = ("input", "output", "cache_read", "cache_write")
_MAKERS = ("openai", "anthropic")  # whose prices stand for a model that others sell too


def price_cards(name: str, settings: Settings) -> dict[str, PriceCard]:
    """The cards of a file, or `latest`. Raises InvalidRequest for a file that is no price list."""
    return latest_cards(settings) if name == LATEST else read_cards(Path(name))


def latest_cards(settings: Settings) -> dict[str, PriceCard]:
    """The committed price list, and over it the live catalogue with the user's own prices."""
    cards: dict[str, PriceCard] = {}
    for vendor, model in sorted(priced_names(), key=lambda one: one[0] in _MAKERS):  # the makers last, so they stand
        cards[model] = cards[f"{vendor}/{model}"] = priced_model(vendor, model).price
    for config in load_catalogue(settings, "live").models:
        if config.price is None:
            cards.pop(config.name, None)
        else:
            cards[config.name] = config.price
    return cards


def read_cards(file: Path) -> dict[str, PriceCard]:
    """The cards of a JSON or TOML file: `models` by name, or `vendors` each with `models`, as prices.json has them.

    A model's prices are input, output, cache_read, cache_write and tiers, or the same with _price behind, as in the
    settings. Raises InvalidRequest.
    """
    document = _read(file)
    try:
        cards = {name: card for name, table in _tables(document) if (card := _card(name, table, file)) is not None}
    except ConfigurationError as error:
        raise InvalidRequest(str(error)) from None
    if not cards:
        raise InvalidRequest(f"{file} has no prices: expected models by name, as in [models.NAME] of the settings")
    return cards


def _read(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".toml":
            return tomllib.loads(text, parse_float=Decimal)
        return json.loads(text, parse_float=Decimal)
    except OSError as error:
        raise InvalidRequest(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{file} is neither JSON nor TOML (*.toml): {error}") from None


def _tables(document: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(document, Mapping):
        return
    vendors = document.get("vendors", {})
    if isinstance(vendors, Mapping):
        for vendor, table in sorted(vendors.items(), key=lambda one: one[0] in _MAKERS):
            models = table.get("models") if isinstance(table, Mapping) else None
            for name, prices in models.items() if isinstance(models, Mapping) else ():
                yield name, prices
                yield f"{vendor}/{name}", prices
    models = document.get("models", {})
    if isinstance(models, Mapping):
        yield from models.items()


def _card(name: str, table: Any, file: Path) -> PriceCard | None:
    given = ModelSettings(**read_table(ModelSettings, _as_settings(table), prefix=f"models.{name}", source=str(file)))
    prices = {price: asdict(given)[f"{price}_price"] for price in _PRICES}
    if not any(price is not None for price in prices.values()) and not given.tiers:
        return None
    for price in ("input", "output"):
        if prices[price] is None:
            raise ConfigurationError(f"models.{name} in {file}: expected an {price} price beside the others")
    return PriceCard(id=f"{name}@{file.name}", **prices, tiers=given.tiers or ())


def _as_settings(table: Any) -> Any:
    """The table with its prices named as in the settings."""
    if not isinstance(table, Mapping):
        return table
    renamed = {f"{key}_price" if key in _PRICES else key: value for key, value in table.items()}
    if isinstance(renamed.get("tiers"), list):
        renamed["tiers"] = [_as_settings(tier) for tier in renamed["tiers"]]
    return renamed
