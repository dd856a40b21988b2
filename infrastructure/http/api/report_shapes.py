"""What the reports, the catalogue and the budgets of the native API answer, as types: see shapes.py."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from .shapes import Chance, Count, Usd


class CostRow(Struct):
    """One group; beside these fields each dimension asked for, null where a run has no such tag."""

    cost: Usd
    calls: Count
    unknown: Count
    before: Usd | None


class CostSection(Struct):
    """One kind of money."""

    total: Usd
    before: Usd | None
    rows: list[CostRow]


class Costs(Struct):
    """Each kind of money on its own."""

    real: CostSection
    simulated: CostSection
    recorded: CostSection


class ModelStats(Struct):
    """How a model does. Times in seconds."""

    model: str
    calls: Count
    answered: Count
    failed: Count
    lost: Count
    open: Count
    success: Chance | None
    failures: dict[str, int]
    retries: Count
    escalated_to: dict[str, int]
    escalated_from: dict[str, int]
    confidence: Chance | None
    confidence_histogram: list[int]
    latency: dict[str, float | None]
    first_token: dict[str, float | None]
    tokens: dict[str, int]
    cost: Usd | None
    unknown: Count
    failed_cost: Usd
    lost_cost: Usd
    cache_hits: Count
    cache_saved: Usd


class AllModelStats(Struct):
    """Each kind of money on its own."""

    real: list[ModelStats]
    simulated: list[ModelStats]
    recorded: list[ModelStats]


class Breaker(Struct):
    """What holds a model back."""

    status: str
    failures: Count
    open_until: str | None


class Model(Struct):
    """A model of the catalogue. Prices are USD a million tokens."""

    name: str
    max_tokens: int
    context_window: int
    supports_streaming: bool
    rate_limit_rpm: int | None
    rate_limit_tpm: int | None
    api_id: str
    base_url: str | None
    api_key_env: str | None
    retired_on: str | None
    successor: str | None
    provider: str
    capabilities: list[str]
    features: list[str]
    price: dict[str, Any] | None
    capability: str
    usable: bool
    status: str
    breaker: Breaker | None


class Models(Struct):
    """The catalogue."""

    catalogue: str
    provider: str
    models: list[Model]


class Balance(Struct):
    """One period of a budget."""

    period: str
    money: str
    held: Usd
    spent: Usd
    left: Usd


class Told(Struct):
    """An alert that was told."""

    period: str
    money: str
    percent: int
    spent: Usd
    limit: Usd


class Budget(Struct):
    """What a scope may spend in each period."""

    scope: str
    period: str
    limit: Usd
    balances: list[Balance]
    alerts: list[int]
    told: list[Told]


class Budgets(Struct):
    """All that concern who asks."""

    budgets: list[Budget]


class RemovedBudget(Struct):
    """A budget that is no more."""

    scope: str
    period: str
    removed: bool
