"""The committed snapshot of public prices, `prices.json`; `make prices` renews it from genai-prices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..domain.catalogue import ModelProvider
from ..domain.pricing import PriceCard
from .catalogue_json import card_from

SNAPSHOT = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedModel:
    """A model of the snapshot. `base_url` and `api_key_env` are None at Anthropic and OpenAI themselves."""

    vendor: str  # who bills, such as groq
    id: str
    protocol: ModelProvider
    base_url: str | None
    api_key_env: str | None
    context_window: int | None
    price: PriceCard
    retired_on: str | None  # announced, ISO date


@cache
def snapshot() -> dict[str, Any]:
    """The snapshot as it lies there: `source`, `date` and `vendors` with their `models`."""
    document: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return document


def priced_model(vendor: str, model_id: str) -> PricedModel:
    """The model of that vendor. Raises KeyError."""
    document = snapshot()
    table = document["vendors"][vendor]
    entry = table["models"][model_id]
    return PricedModel(
        vendor=vendor,
        id=model_id,
        protocol=ModelProvider(table["protocol"]),
        base_url=table.get("base_url"),
        api_key_env=table.get("api_key_env"),
        context_window=entry.get("context_window"),
        price=card_from({"id": f"{model_id}@{document['date']}", **entry}),
        retired_on=entry.get("retired_on"),
    )


def priced_names() -> list[tuple[str, str]]:
    """Vendor and id of every model in the snapshot."""
    return [(vendor, model_id) for vendor, table in snapshot()["vendors"].items() for model_id in table["models"]]
