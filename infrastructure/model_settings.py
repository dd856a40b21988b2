"""The tables [providers.NAME] and [models.NAME] of the settings file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..domain.catalogue import MODEL_FEATURES, ModelCapability, ModelProvider
from ..domain.errors import ConfigurationError
from ..domain.pricing import PriceTier
from ..domain.units import Usd
from . import setting_values as values
from .setting_keys import key, keys_of, read, read_table, unknown
from .setting_values import Detail

KEY_VARIABLES = {ModelProvider.ANTHROPIC: "ANTHROPIC_API_KEY", ModelProvider.OPENAI: "OPENAI_API_KEY"}
ADDRESS_VARIABLES = {ModelProvider.ANTHROPIC: "ANTHROPIC_BASE_URL", ModelProvider.OPENAI: "OPENAI_BASE_URL"}

_PRICE = key(values.price, "USD a 1,000,000 tokens, 0 or more, at most 6 decimals, such as 0.15")
_URL = key(values.url, "an address such as http://localhost:8000/v1, without password or query", private=True)
_VARIABLE = key(values.environment_name, "the name of an environment variable, such as OPENAI_API_KEY", private=True)
_TOKENS = key(values.whole(1, 100_000_000), "a number of tokens")
_NAME = key(values.text, "a model's name")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """Where a provider is reached, and which variable holds its key."""

    base_url: str | None = field(default=None, metadata=_URL)
    api_key_env: str | None = field(default=None, metadata=_VARIABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierTable:
    """An entry of `tiers`."""

    above: int = field(metadata=_TOKENS)
    input_price: Usd = field(metadata=_PRICE)
    output_price: Usd = field(metadata=_PRICE)
    cache_read_price: Usd | None = field(default=None, metadata=_PRICE)
    cache_write_price: Usd | None = field(default=None, metadata=_PRICE)


def tiers(value: object) -> tuple[PriceTier, ...]:
    """Price tiers by rising `above`."""
    if not isinstance(value, list):
        raise ValueError
    return tuple(sorted((_tier(entry) for entry in value), key=lambda tier: tier.above))


def _tier(entry: object) -> PriceTier:
    try:
        table = TierTable(**read_table(TierTable, entry, prefix="tiers", source="the list"))
    except ConfigurationError as error:
        raise Detail(str(error)) from None
    except TypeError:
        raise Detail("each has above, input_price and output_price") from None
    return PriceTier(
        above=table.above,
        input=table.input_price,
        output=table.output_price,
        cache_read=table.cache_read_price,
        cache_write=table.cache_write_price,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """A new model, or what is different about a known one. None leaves a field as it is."""

    provider: str | None = field(
        default=None,
        metadata=key(values.one_of(ModelProvider), "anthropic or openai: whose protocol the server speaks"),
    )
    api_id: str | None = field(default=None, metadata=_NAME)  # on the wire
    base_url: str | None = field(default=None, metadata=_URL)
    api_key_env: str | None = field(default=None, metadata=_VARIABLE)
    capability: str | None = field(
        default=None, metadata=key(values.one_of(ModelCapability), "basic, intermediate, advanced or expert")
    )
    features: tuple[str, ...] | None = field(
        default=None, metadata=key(values.words_of(MODEL_FEATURES), f"a list of {', '.join(MODEL_FEATURES)}")
    )
    context_window: int | None = field(default=None, metadata=_TOKENS)
    max_tokens: int | None = field(default=None, metadata=_TOKENS)  # the longest answer
    streaming: bool | None = field(default=None, metadata=key(values.switch, "true or false"))
    rpm: int | None = field(default=None, metadata=key(values.whole(1, 10**7), "requests a minute, 1 or more"))
    tpm: int | None = field(default=None, metadata=key(values.whole(1, 10**12), "tokens a minute, 1 or more"))
    input_price: Usd | None = field(default=None, metadata=_PRICE)
    output_price: Usd | None = field(default=None, metadata=_PRICE)
    cache_read_price: Usd | None = field(default=None, metadata=_PRICE)
    cache_write_price: Usd | None = field(default=None, metadata=_PRICE)
    tiers: tuple[PriceTier, ...] | None = field(
        default=None, metadata=key(tiers, "a list of { above, input_price, output_price } tables")
    )
    retired_on: str | None = field(default=None, metadata=key(values.day, "a date, YYYY-MM-DD"))
    successor: str | None = field(default=None, metadata=_NAME)


def read_providers(
    tables: Any, env: Mapping[str, str], file: Path | None, sources: dict[str, str]
) -> dict[str, ProviderSettings]:
    """The [providers.NAME] tables; an address in the environment goes before the file's."""
    found: dict[str, dict[str, Any]] = {}
    for name, table in _named(tables, "providers", file):
        if name not in list(ModelProvider):
            raise unknown(f"providers.{name}", name, dict.fromkeys(ModelProvider), str(file))
        found[name] = read_table(ProviderSettings, table, prefix=f"providers.{name}", source=str(file))
        sources.update({f"providers.{name}.{field_name}": str(file) for field_name in found[name]})
    address = keys_of(ProviderSettings)["base_url"]
    for provider, variable in ADDRESS_VARIABLES.items():
        if variable in env:
            value = read(address, env[variable], name=variable, source="the environment")
            found.setdefault(provider.value, {})["base_url"] = value
            sources[f"providers.{provider.value}.base_url"] = f"environment {variable}"
    return {name: ProviderSettings(**table) for name, table in found.items()}


def read_models(tables: Any, file: Path | None, sources: dict[str, str]) -> dict[str, ModelSettings]:
    """The [models.NAME] tables, in the file's order."""
    found = {}
    for name, table in _named(tables, "models", file):
        given = read_table(ModelSettings, table, prefix=f"models.{name}", source=str(file))
        found[name] = ModelSettings(**given)
        sources.update({f"models.{name}.{field_name}": str(file) for field_name in given})
    return found


def _named(tables: Any, kind: str, file: Path | None) -> list[tuple[str, Any]]:
    """The sub-tables of [providers] or [models]."""
    if not isinstance(tables, Mapping):
        raise ConfigurationError(f"{kind} in {file}: expected tables such as [{kind}.NAME]")
    return list(tables.items())
