"""The six models the user named, at the prices they were named with; simulated runs use them unless told otherwise."""

from __future__ import annotations

from .catalogue import Catalogue, Feature, ModelCapability, ModelConfig, ModelProvider
from .pricing import PriceCard
from .units import Usd

_TUNABLE = frozenset({Feature.TEMPERATURE, Feature.STOP, Feature.TOP_P})
_TOOLS = frozenset({Feature.TOOLS, Feature.TOOL_CHOICE, Feature.ONE_TOOL_CALL})
_ANTHROPIC = _TUNABLE | _TOOLS | {Feature.IMAGES, Feature.TOP_K}
_OPENAI = _TUNABLE | _TOOLS | {Feature.SEED, Feature.PENALTIES, Feature.LOGPROBS}
_OPENAI_OMNI = _OPENAI | {Feature.IMAGES, Feature.JSON, Feature.JSON_SCHEMA, Feature.STRICT_TOOLS}


def up_to(highest: ModelCapability) -> tuple[ModelCapability, ...]:
    """All classes up to the highest a model is trusted with."""
    return tuple(capability for capability in ModelCapability if capability.rank <= highest.rank)


# Source: prices and classes: the seed, 2025-12-01. Cache prices and windows: genai-prices 0.2.3, 2026-11-24; writes are
# those of 5 minutes. Output limits: the vendors' model pages. Retirements: Anthropic's model-deprecations page and
# OpenAI's (also in the docstring of openai 3.57 `ChatModel`), 2026-11-24; the successors are ours.
SEED_MODELS: tuple[ModelConfig, ...] = (
    ModelConfig(
        "claude-haiku-3.5",
        ModelProvider.ANTHROPIC,
        price=PriceCard(
            id="claude-haiku-3.5@2024-10-22",
            input=Usd("0.8"),
            output=Usd("4"),
            cache_read=Usd("0.08"),
            cache_write=Usd("1"),
        ),
        api_id="claude-3-5-haiku-20241022",
        capabilities=up_to(ModelCapability.INTERMEDIATE),
        context_window=200_000,
        max_tokens=8192,
        features=_ANTHROPIC,
        retired_on="2026-02-19",
        successor="claude-haiku-5-5",
    ),
    ModelConfig(
        "claude-sonnet-3.5",
        ModelProvider.ANTHROPIC,
        price=PriceCard(
            id="claude-sonnet-3.5@2024-10-22",
            input=Usd("3"),
            output=Usd("15"),
            cache_read=Usd("0.3"),
            cache_write=Usd("3.75"),
        ),
        api_id="claude-3-5-sonnet-20241022",
        capabilities=up_to(ModelCapability.ADVANCED),
        context_window=200_000,
        max_tokens=8192,
        features=_ANTHROPIC,
        retired_on="2025-10-28",
        successor="claude-sonnet-5-5",
    ),
    ModelConfig(
        "claude-opus-3",
        ModelProvider.ANTHROPIC,
        price=PriceCard(
            id="claude-opus-3@2024-02-29",
            input=Usd("15"),
            output=Usd("75"),
            cache_read=Usd("1.5"),
            cache_write=Usd("18.75"),
        ),
        api_id="claude-3-opus-20240229",
        capabilities=up_to(ModelCapability.EXPERT),
        context_window=200_000,
        max_tokens=4096,
        features=_ANTHROPIC,
        retired_on="2026-01-05",
        successor="claude-opus-5-5",
    ),
    ModelConfig(
        "gpt-4o-mini",
        ModelProvider.OPENAI,
        price=PriceCard(
            id="gpt-4o-mini@2024-07-18", input=Usd("0.15"), output=Usd("0.6"), cache_read=Usd("0.075")
        ),
        api_id="gpt-4o-mini-2024-07-18",
        capabilities=up_to(ModelCapability.BASIC),
        context_window=128_000,
        max_tokens=16_384,
        features=_OPENAI_OMNI,
        retired_on="2027-01-14",
        successor="gpt-6-luna",
    ),
    ModelConfig(
        "gpt-4o",
        ModelProvider.OPENAI,
        price=PriceCard(id="gpt-4o@2024-08-06", input=Usd("2.5"), output=Usd("10"), cache_read=Usd("1.25")),
        api_id="gpt-4o-2024-08-06",
        capabilities=up_to(ModelCapability.ADVANCED),
        context_window=128_000,
        max_tokens=16_384,
        features=_OPENAI_OMNI,
        retired_on="2027-01-14",
        successor="gpt-6.1-sol",
    ),
    ModelConfig(
        "gpt-4",
        ModelProvider.OPENAI,
        price=PriceCard(id="gpt-4@2023-06-13", input=Usd("30"), output=Usd("60")),
        api_id="gpt-4-0613",
        capabilities=up_to(ModelCapability.ADVANCED),
        context_window=8192,
        max_tokens=8192,
        features=_OPENAI,
        retired_on="2026-10-23",
        successor="gpt-6.1-sol",
    ),
)  # fmt: skip

SEED = Catalogue("seed", SEED_MODELS)
