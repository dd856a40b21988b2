"""The catalogue of a run: a named one, with the user's own models and changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from ..application.world import dataset_of
from ..domain.catalogue import Catalogue, Feature, ModelCapability, ModelConfig, ModelProvider
from ..domain.errors import ConfigurationError, InvalidRequest
from ..domain.events import Exclusion, ExclusionReason
from ..domain.exclusions import exclusion_text
from ..domain.pricing import PriceCard
from ..domain.seed_catalogue import SEED, up_to
from .catalogue_json import catalogue_from_json, catalogue_hash, catalogue_json
from .model_settings import ModelSettings
from .settings import CATALOGUES, Settings

__all__ = [
    "catalogue_from_json",
    "catalogue_hash",
    "catalogue_json",
    "catalogue_name",
    "find_model",
    "load_catalogue",
    "named_catalogue",
]

_RENAMED = {"streaming": "supports_streaming", "rpm": "rate_limit_rpm", "tpm": "rate_limit_tpm"}
_SAME = ("api_id", "base_url", "api_key_env", "context_window", "max_tokens", "retired_on", "successor")
_PRICES = ("input", "output", "cache_read", "cache_write")

# What any server of a protocol carries; images, tools and schemas depend on its model, so the user says so.
_USUAL = {
    ModelProvider.ANTHROPIC: frozenset({Feature.STOP, Feature.TEMPERATURE, Feature.TOP_P, Feature.TOP_K}),
    ModelProvider.OPENAI: frozenset(
        {Feature.STOP, Feature.TEMPERATURE, Feature.TOP_P, Feature.PENALTIES, Feature.SEED, Feature.JSON}
    ),
}


def named_catalogue(name: str) -> Catalogue:
    """A catalogue as it comes, `seed` or `current`."""
    if name == "seed":
        return SEED
    from .current_catalogue import current_catalogue  # reads the price snapshot, which simulated runs do without

    return current_catalogue()


def is_known_model(name: str) -> bool:
    """Whether a built-in catalogue has the model, this run's or another."""
    return any(named_catalogue(catalogue).get(name) for catalogue in CATALOGUES)


def catalogue_name(settings: Settings, provider: str) -> str:
    """The catalogue a run uses: the one set, else `current` live and `seed` otherwise."""
    return settings.catalogue or ("current" if provider == "live" else "seed")


def load_catalogue(settings: Settings, provider: str) -> Catalogue:
    """The models of a run. Raises ConfigurationError where a [models.NAME] table does not make a model.

    A table without `provider` changes a known model, in the catalogues that have it; one with it adds a model to any.
    A data set's catalogue is its own. Raises InvalidRequest where there is no such set.
    """
    if (dataset := dataset_of(provider)) is not None:
        from .recorded import check_askable, load_recorded, recorded_catalogue

        summary = load_recorded(settings.database_url, dataset)
        check_askable(dataset, summary)
        return recorded_catalogue(dataset, summary)
    catalogue = named_catalogue(catalogue_name(settings, provider))
    models = {model.name: model for model in catalogue.models}
    for name, changes in settings.models.items():
        if name in models or changes.provider:
            models[name] = _changed(models.get(name), name, changes, str(settings.file))
        elif not any(named_catalogue(other).get(name) for other in CATALOGUES):
            raise ConfigurationError(
                f"models.{name} in {settings.file}: a new model needs provider = anthropic or openai"
                f"{_nearest(name, catalogue)}"
            )
    return Catalogue(catalogue.name, tuple(models.values()))


def find_model(catalogue: Catalogue, name: str, *, excluded: Sequence[Exclusion] = ()) -> ModelConfig:
    """The model a caller named.

    Raises InvalidRequest for an unknown name, with the nearest, and for one of those that cannot be called: a retired
    one, with its successor, or one without a key.
    """
    model = catalogue.get(name)
    if model is None:
        raise InvalidRequest(_unknown_model(catalogue, name))
    for exclusion in excluded:
        if exclusion.model == name:
            raise InvalidRequest(f"{name}: {exclusion_text(exclusion)}{_use_instead(model, exclusion)}")
    return model


def _use_instead(model: ModelConfig, exclusion: Exclusion) -> str:
    retired = exclusion.reason is ExclusionReason.RETIRED and model.successor
    return f"; use {model.successor} (catalogue current)" if retired else ""


def _unknown_model(catalogue: Catalogue, name: str) -> str:
    for other in CATALOGUES:
        model = named_catalogue(other).get(name) if other != catalogue.name else None
        if model is not None:
            if model.successor and catalogue.get(model.successor):
                gone = f"{name} is not in the catalogue {catalogue.name} (its vendor retires it on {model.retired_on})"
                return f"{gone}; use {model.successor}"
            there = f"{name} is not in the catalogue {catalogue.name} but in {other}"
            return f"{there}: set MODEL_ORCHESTRATOR_CATALOGUE={other}"
    from .prices import priced_names

    if any(name in (model_id, f"{vendor}/{model_id}") for vendor, model_id in priced_names()):
        return f"{name} is not in the catalogue {catalogue.name}; `models add {name}` adds it from the price list"
    return f"unknown model {name!r} in the catalogue {catalogue.name}{_nearest(name, catalogue)}"


def _nearest(name: str, catalogue: Catalogue) -> str:
    """What the caller may have meant, by name or by name on the wire."""
    names = {known: model.name for model in catalogue.models for known in (model.api_id, model.name)}
    near = list(dict.fromkeys(names[match] for match in get_close_matches(name, names, n=3, cutoff=0.5)))
    return (
        f"; did you mean {' or '.join(near)}?"
        if near
        else f"; known are: {', '.join(model.name for model in catalogue.models)}"
    )


def _changed(base: ModelConfig | None, name: str, changes: ModelSettings, file: str) -> ModelConfig:
    """The base with the changes, or a new model."""
    given = {one.name: getattr(changes, one.name) for one in fields(changes) if getattr(changes, one.name) is not None}
    values: dict[str, Any] = (
        _values(base) if base else {"name": name, "features": _USUAL[ModelProvider(given["provider"])]}
    )
    values |= {key: given[key] for key in _SAME if key in given}
    values |= {new: given[old] for old, new in _RENAMED.items() if old in given}
    if "provider" in given:
        values["provider"] = ModelProvider(given["provider"])
    if "capability" in given:
        values["capabilities"] = up_to(ModelCapability(given["capability"]))
    if "features" in given:
        values["features"] = frozenset(Feature(word) for word in given["features"])
    values["price"] = _price(base.price if base else None, name, given, file)
    model = ModelConfig(**values)
    if "max_tokens" not in given and model.max_tokens > model.context_window:
        return ModelConfig(**{**values, "max_tokens": model.context_window})
    if model.max_tokens > model.context_window:
        raise ConfigurationError(
            f"models.{name}.max_tokens in {file}: expected at most context_window ({model.context_window}), "
            f"got {model.max_tokens}"
        )
    return model


def _values(model: ModelConfig) -> dict[str, Any]:
    return {one.name: getattr(model, one.name) for one in fields(model)}


def _price(base: PriceCard | None, name: str, given: dict[str, Any], file: str) -> PriceCard | None:
    """The card with the prices given; its id is new, because a card never changes."""
    prices = {price: given[f"{price}_price"] for price in _PRICES if f"{price}_price" in given}
    if not prices and "tiers" not in given:
        return base
    if base is not None and base.tiers and "tiers" not in given:
        raise ConfigurationError(
            f"models.{name} in {file}: {name} costs more above {base.tiers[0].above} input tokens; "
            f"give its `tiers` with the new prices too, or tiers = [] where there are none"
        )
    values: dict[str, Any] = {price: prices.get(price, getattr(base, price, None)) for price in _PRICES}
    for price in ("input", "output"):
        if values[price] is None:
            raise ConfigurationError(f"models.{name}.{price}_price in {file}: expected beside the other prices")
    card = PriceCard(id="", **values, tiers=given.get("tiers", ()))
    digest = hashlib.sha256(repr(card).encode()).hexdigest()[:8]
    return PriceCard(id=f"{name}@set-{digest}", **values, tiers=card.tiers)
