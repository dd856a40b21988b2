"""Today's Claude and GPT models in the four classes; live runs use them unless told otherwise. Prices: `prices.json`.

The classes are this project's judgement of what each model is sold for, not a measurement. What a model can carry is
what our adapters can send it: GPT-6 takes tools over the Responses API only, no stop sequences, and no temperature or
top_p while it reasons; Claude 5.5 refuses a temperature, top_p and top_k, and Anthropic has schemas but no schema-less
JSON mode.
"""

from __future__ import annotations

from functools import cache

from ..domain.catalogue import Catalogue, Feature, ModelCapability, ModelConfig
from ..domain.seed_catalogue import up_to
from .prices import priced_model

_CLAUDE = frozenset(
    {
        Feature.IMAGES,
        Feature.TOOLS,
        Feature.TOOL_CHOICE,
        Feature.ONE_TOOL_CALL,
        Feature.STRICT_TOOLS,
        Feature.JSON_SCHEMA,
        Feature.STOP,
    }
)
_GPT = frozenset({Feature.IMAGES, Feature.JSON, Feature.JSON_SCHEMA})
_MAX_OUTPUT = 128_000  # of all of them

# Source: Anthropic's model overview and migration guides (platform.claude.com), OpenAI's model pages and deployment
# checklist (developers.openai.com), 2026-11-24. Left out: gpt-6.2, of 2026-11-17 and not in genai-prices 0.2.3, and
# Claude Mythos, which is by admission only.
_MODELS = (
    ("openai", "gpt-6-luna", ModelCapability.BASIC, _GPT),
    ("anthropic", "claude-haiku-5-5", ModelCapability.INTERMEDIATE, _CLAUDE),
    ("openai", "gpt-6.1-terra", ModelCapability.INTERMEDIATE, _GPT),
    ("anthropic", "claude-sonnet-5-5", ModelCapability.ADVANCED, _CLAUDE),
    ("openai", "gpt-6.1-sol", ModelCapability.ADVANCED, _GPT),
    ("anthropic", "claude-opus-5-5", ModelCapability.EXPERT, _CLAUDE),
    ("anthropic", "claude-fable-5-2", ModelCapability.EXPERT, _CLAUDE),
    ("openai", "gpt-6-astra", ModelCapability.EXPERT, _GPT),
)


@cache
def current_catalogue() -> Catalogue:
    """The catalogue `current`."""
    return Catalogue("current", tuple(_model(*row) for row in _MODELS))


def _model(vendor: str, name: str, highest: ModelCapability, features: frozenset[Feature]) -> ModelConfig:
    priced = priced_model(vendor, name)
    return ModelConfig(
        name,
        priced.protocol,
        price=priced.price,
        context_window=priced.context_window or _MAX_OUTPUT,
        max_tokens=_MAX_OUTPUT,
        capabilities=up_to(highest),
        features=features,
    )
