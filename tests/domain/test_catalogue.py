"""The seed's models, and models built the way the seed builds them."""

from decimal import Decimal

import pytest

from model_orchestrator.domain.catalogue import (
    EVERY_REQUEST_FEATURE,
    Catalogue,
    ModelCapability,
    ModelConfig,
    ModelProvider,
)
from model_orchestrator.domain.events import Exclusion, ExclusionReason
from model_orchestrator.domain.exclusions import exclusion_text
from model_orchestrator.domain.seed_catalogue import SEED, up_to

BASIC, INTERMEDIATE, ADVANCED, EXPERT = ModelCapability


@pytest.mark.parametrize(
    ("name", "price_in", "price_out", "capability"),
    [
        ("claude-haiku-3.5", "0.80", "4.00", INTERMEDIATE),
        ("claude-sonnet-3.5", "3.00", "15.00", ADVANCED),
        ("claude-opus-3", "15.00", "75.00", EXPERT),
        ("gpt-4o-mini", "0.15", "0.60", BASIC),
        ("gpt-4o", "2.50", "10.00", ADVANCED),
        ("gpt-4", "30.00", "60.00", ADVANCED),
    ],
)
def test_the_seed_has_the_users_models(name: str, price_in: str, price_out: str, capability: ModelCapability) -> None:
    """At the prices and in the classes of the user's text."""
    model = SEED.get(name)
    assert model is not None
    assert model.price is not None
    assert (model.price.input, model.price.output) == (Decimal(price_in), Decimal(price_out))
    assert model.capability is capability
    assert model.capabilities == up_to(capability)
    assert model.cost_per_1k_input_tokens == Decimal(price_in) / 1000
    assert model.cost_per_1k_output_tokens == Decimal(price_out) / 1000
    assert model.rate_limit_rpm == 50
    assert model.supports_streaming


def test_the_seed_has_six_models() -> None:
    """No more, and no unknown name."""
    assert len(SEED.models) == 6
    assert SEED.get("gpt-5") is None


def test_a_model_can_answer_all_easier_classes() -> None:
    """An expert model takes a basic prompt."""
    assert up_to(EXPERT) == tuple(ModelCapability)
    assert [capability.rank for capability in ModelCapability] == [0, 1, 2, 3]


def test_a_model_is_built_from_the_seeds_fields() -> None:
    """Prices given a 1,000 tokens are kept a 1,000,000."""
    model = ModelConfig(
        name="gpt-4o-mini",
        provider=ModelProvider.OPENAI,
        cost_per_1k_input_tokens=Decimal("0.00015"),
        cost_per_1k_output_tokens=Decimal("0.0006"),
        max_tokens=16384,
        capabilities=[BASIC],
        context_window=128000,
    )
    assert model.price is not None
    assert (str(model.price.input), str(model.price.output)) == ("0.15", "0.6")
    assert model.cost_per_1k_input_tokens == Decimal("0.00015")
    assert (model.supports_streaming, model.rate_limit_rpm) == (True, 50)
    assert model.api_id == "gpt-4o-mini"
    assert model.features == EVERY_REQUEST_FEATURE


def test_a_model_without_prices_has_none() -> None:
    """Unknown is not free."""
    model = ModelConfig("local", ModelProvider.OPENAI)
    assert model.price is None
    assert model.cost_per_1k_input_tokens is None
    assert model.cost_per_1k_output_tokens is None


def test_a_model_does_not_change() -> None:
    """It is a value: equal to its like, and refusing assignment."""
    model = ModelConfig("local", ModelProvider.OPENAI)
    assert model == ModelConfig("local", ModelProvider.OPENAI)
    assert Catalogue("mine", (model,)).get("local") is model
    with pytest.raises(AttributeError):
        model.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("reason", "limit", "text"),
    [
        (ExclusionReason.NO_KEY, "OPENAI_API_KEY", "no key: set OPENAI_API_KEY"),
        (ExclusionReason.RETIRED, "retired on 2025-10-28", "retired on 2025-10-28"),
        (ExclusionReason.CONTEXT_WINDOW, "8192", "context window 8,192 tokens"),
        (ExclusionReason.FEATURE, "images, tools", "cannot carry images, tools"),
        (ExclusionReason.MAX_COST, "0.0123", "needs up to $0.0123"),
        (ExclusionReason.UNPRICED, None, "no price, so no budget can bound it"),
        (ExclusionReason.CAPABILITY, None, "not capable enough"),
    ],
)
def test_an_exclusion_says_why(reason: ExclusionReason, limit: str | None, text: str) -> None:
    """In words, with its figure."""
    assert exclusion_text(Exclusion(model="any", reason=reason, limit=limit)) == text


@pytest.mark.parametrize("reason", list(ExclusionReason))
@pytest.mark.parametrize("limit", [None, "7"])
def test_every_reason_has_words(reason: ExclusionReason, limit: str | None) -> None:
    """With a figure and without."""
    assert exclusion_text(Exclusion(model="any", reason=reason, limit=limit))
