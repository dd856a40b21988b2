"""How each model is reached, and which of them can be called at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from ..domain.catalogue import Catalogue, ModelConfig, ModelProvider
from ..domain.events import Exclusion, ExclusionReason
from .model_settings import KEY_VARIABLES, ProviderSettings
from .secret import Secret
from .settings import Settings

Availability = tuple[tuple[ModelConfig, ...], tuple[Exclusion, ...]]  # who can be called; why the others cannot
VENDOR_ADDRESSES = {
    ModelProvider.ANTHROPIC: "https://api.anthropic.com",
    ModelProvider.OPENAI: "https://api.openai.com/v1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a model is reached. `api_key` None: none is sent. `key_env` is the variable it is read from."""

    base_url: str
    api_key: Secret | None
    key_env: str | None
    at_vendor: bool  # the vendor's own address, where its retirements hold and a key is needed
    needs_key: bool


def access(model: ModelConfig, settings: Settings) -> Access:
    """The address and key of a model.

    A model with an address of its own gets a key only where it names one: a vendor's key never goes elsewhere unasked.
    """
    provider = settings.providers.get(model.provider.value, ProviderSettings())
    base_url = model.base_url or provider.base_url or VENDOR_ADDRESSES[model.provider]
    at_vendor = is_vendor_address(model.provider, base_url)
    own_address = model.base_url is not None and not at_vendor
    named = model.api_key_env or (None if own_address else provider.api_key_env)
    key_env = named or (None if own_address else KEY_VARIABLES[model.provider])
    return Access(
        base_url=base_url,
        api_key=settings.keys.get(key_env) if key_env else None,
        key_env=key_env,
        at_vendor=at_vendor,
        needs_key=at_vendor or named is not None,
    )


def account(model: ModelConfig, settings: Settings) -> str:
    """A digest of the key and the address, so that a corrected key does not wait for the wrong one's breaker."""
    reached = access(model, settings)
    key = reached.api_key.reveal() if reached.api_key else ""
    return hashlib.sha256(f"{reached.base_url}\0{key}".encode()).hexdigest()[:12]


@lru_cache(maxsize=256)
def is_vendor_address(provider: ModelProvider, base_url: str) -> bool:
    """Whether the address is the vendor's own, regional ones included."""
    vendor = urlsplit(VENDOR_ADDRESSES[provider]).hostname or ""
    host = urlsplit(base_url).hostname or ""
    return host == vendor or host.endswith("." + vendor)


def availability(catalogue: Catalogue, settings: Settings, provider: str, *, today: date | None = None) -> Availability:
    """The models that can be called, and why the others cannot. Only live calls need a key and a model in service.

    `provider` is live, simulated or recorded:NAME; `today` is a date in UTC.
    """
    if provider != "live":
        return catalogue.models, ()
    date_ = today or datetime.now(UTC).date()
    outcomes = [(model, _exclusion(model, access(model, settings), date_)) for model in catalogue.models]
    usable = tuple(model for model, exclusion in outcomes if exclusion is None)
    return usable, tuple(exclusion for _, exclusion in outcomes if exclusion is not None)


def _exclusion(model: ModelConfig, reached: Access, today: date) -> Exclusion | None:
    if reached.at_vendor and model.retired_on and date.fromisoformat(model.retired_on) <= today:
        return Exclusion(model=model.name, reason=ExclusionReason.RETIRED, limit=f"retired on {model.retired_on}")
    if reached.needs_key and reached.api_key is None:
        return Exclusion(model=model.name, reason=ExclusionReason.NO_KEY, limit=reached.key_env)
    return None
