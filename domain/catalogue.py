"""The models that can be asked, what each can do and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from .pricing import PriceCard
from .units import Usd, plain

ModelName = str


class ModelProvider(StrEnum):
    """Whose wire protocol a model speaks, and who bills for it."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"


class ModelCapability(StrEnum):
    """What a model can do, and what a prompt needs; ordered by `rank`."""

    BASIC = "basic"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"
    EXPERT = "expert"

    @property
    def rank(self) -> int:
        """0 for BASIC to 3 for EXPERT."""
        return _RANKS[self]


_RANKS = {capability: rank for rank, capability in enumerate(ModelCapability)}


class Feature(StrEnum):
    """What a request can ask for beyond text."""

    IMAGES = "images"
    TOOLS = "tools"
    JSON = "json"  # any JSON object
    JSON_SCHEMA = "json_schema"
    TEMPERATURE = "temperature"
    STOP = "stop"
    SEED = "seed"
    LOGPROBS = "logprobs"  # the server reports each output token's log-probability; never asked for by a request
    TOP_P = "top_p"
    TOP_K = "top_k"
    PENALTIES = "penalties"  # of tokens that came before: presence and frequency
    TOOL_CHOICE = "tool_choice"  # a tool must, or must not, be called
    ONE_TOOL_CALL = "one_tool_call"  # at most one an answer
    STRICT_TOOLS = "strict_tools"  # arguments keep the schema for certain
    LATE_SYSTEM = "late_system_message"  # after the first other message
    TOOL_ERRORS = "tool_errors"  # a mark on the result of a tool that failed
    HIGH_TEMPERATURE = "temperature_above_1"
    TEXT_AFTER_CALL = "text_after_tool_call"  # in one message of the assistant
    MANY_STOPS = "more_than_4_stops"
    LOOSE_ARGUMENTS = "loose_arguments"  # of an earlier tool call: a text that is no JSON object


# What a protocol decides for all of its models, and no model by itself.
PROTOCOL_FEATURES = frozenset(
    {
        Feature.LATE_SYSTEM,
        Feature.TOOL_ERRORS,
        Feature.HIGH_TEMPERATURE,
        Feature.TEXT_AFTER_CALL,
        Feature.MANY_STOPS,
        Feature.LOOSE_ARGUMENTS,
    }
)
MODEL_FEATURES = tuple(feature for feature in Feature if feature not in PROTOCOL_FEATURES)
EVERY_REQUEST_FEATURE = frozenset(MODEL_FEATURES) - {Feature.LOGPROBS}
NO_WORD_FOR = {  # what a protocol cannot say, whatever the model
    ModelProvider.ANTHROPIC: frozenset(
        {
            Feature.SEED,
            Feature.JSON,
            Feature.PENALTIES,
            Feature.LATE_SYSTEM,
            Feature.HIGH_TEMPERATURE,
            Feature.LOOSE_ARGUMENTS,
        }
    ),
    ModelProvider.OPENAI: frozenset({Feature.TOP_K, Feature.TOOL_ERRORS, Feature.TEXT_AFTER_CALL}),
}


@dataclass(frozen=True, slots=True, init=False)
class ModelConfig:
    """A model of a catalogue. Prices come a 1,000 tokens, as the seed has them, or as a card, a 1,000,000."""

    name: ModelName
    provider: ModelProvider
    price: PriceCard | None  # None: unknown, so it cannot run under a budget
    max_tokens: int  # the most output tokens of one answer
    capabilities: tuple[ModelCapability, ...]
    context_window: int  # tokens, input and output together
    supports_streaming: bool
    rate_limit_rpm: int  # requests a minute
    rate_limit_tpm: int | None  # tokens a minute
    api_id: str  # the name on the wire
    base_url: str | None  # None: the provider's own address
    api_key_env: str | None  # None: the provider's own variable
    features: frozenset[Feature]
    retired_on: str | None  # ISO date from which the vendor's own address refuses it; may lie ahead
    successor: ModelName | None

    def __init__(
        self,
        name: ModelName,
        provider: ModelProvider,
        cost_per_1k_input_tokens: Decimal | None = None,
        cost_per_1k_output_tokens: Decimal | None = None,
        max_tokens: int = 4096,
        capabilities: list[ModelCapability] | tuple[ModelCapability, ...] = (ModelCapability.BASIC,),
        context_window: int = 8192,
        supports_streaming: bool = True,
        rate_limit_rpm: int = 50,
        *,
        price: PriceCard | None = None,
        rate_limit_tpm: int | None = None,
        api_id: str | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        features: frozenset[Feature] = EVERY_REQUEST_FEATURE,
        retired_on: str | None = None,
        successor: ModelName | None = None,
    ) -> None:
        if price is None and cost_per_1k_input_tokens is not None and cost_per_1k_output_tokens is not None:
            price = PriceCard(
                id=f"{name}@given",
                input=Usd(plain(Decimal(str(cost_per_1k_input_tokens)) * 1000)),
                output=Usd(plain(Decimal(str(cost_per_1k_output_tokens)) * 1000)),
            )
        values: dict[str, object] = {
            "name": name,
            "provider": ModelProvider(provider),
            "price": price,
            "max_tokens": max_tokens,
            "capabilities": tuple(capabilities),
            "context_window": context_window,
            "supports_streaming": supports_streaming,
            "rate_limit_rpm": rate_limit_rpm,
            "rate_limit_tpm": rate_limit_tpm,
            "api_id": api_id or name,
            "base_url": base_url,
            "api_key_env": api_key_env,
            "features": features,
            "retired_on": retired_on,
            "successor": successor,
        }
        for field, value in values.items():
            object.__setattr__(self, field, value)

    @property
    def capability(self) -> ModelCapability:
        """The highest class of prompt the model can answer."""
        return max(self.capabilities, key=lambda capability: capability.rank)

    @property
    def carries(self) -> frozenset[Feature]:
        """What a request to the model can ask for: what it does, as far as its protocol has a word for it."""
        carried = (self.features | PROTOCOL_FEATURES) - NO_WORD_FOR[self.provider]
        at_openai = self.provider is ModelProvider.OPENAI and self.base_url is None
        return carried - {Feature.MANY_STOPS} if at_openai else carried

    @property
    def cost_per_1k_input_tokens(self) -> Decimal | None:
        """USD a 1,000 input tokens; None where the price is unknown."""
        return self.price.input / 1000 if self.price else None

    @property
    def cost_per_1k_output_tokens(self) -> Decimal | None:
        """USD a 1,000 output tokens; None where the price is unknown."""
        return self.price.output / 1000 if self.price else None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models of one name, in the order they are listed."""

    name: str  # seed, current, or a user's own
    models: tuple[ModelConfig, ...]

    def get(self, name: ModelName) -> ModelConfig | None:
        """The model of that name, or None."""
        return next((model for model in self.models if model.name == name), None)
