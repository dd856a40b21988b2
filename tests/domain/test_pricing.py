"""Costs are exact, additive and never above the bound they were held at."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.pricing import PriceCard, PriceTier, Usage, cost, worst_cost
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import Usd, picodollars, plain

MINI = PriceCard(id="gpt-4o-mini@2024-07-18", input=Usd("0.15"), output=Usd("0.6"), cache_read=Usd("0.075"))
HAIKU = PriceCard(
    id="claude-haiku-5-5@2026-11-24",
    input=Usd("0.1"),
    output=Usd("0.5"),
    cache_read=Usd("0.01"),
    cache_write=Usd("0.125"),
    tiers=(
        PriceTier(
            above=100_000,
            input=Usd("0.5"),
            output=Usd("2.5"),
            cache_read=Usd("0.05"),
            cache_write=Usd("0.625"),
        ),
    ),
)

tokens = st.integers(0, 10**7)
prices = st.decimals(0, 1000, places=6).map(lambda price: Usd(plain(price)))
usages = st.builds(Usage, input_uncached=tokens, cache_read=tokens, cache_write=tokens, output=tokens, reasoning=tokens)
flat_cards = st.builds(
    PriceCard,
    id=st.just("any@2026-11-24"),
    input=prices,
    output=prices,
    cache_read=st.none() | prices,
    cache_write=st.none() | prices,
)
tier_lists = st.lists(
    st.builds(
        PriceTier,
        above=st.integers(1, 10**7),
        input=prices,
        output=prices,
        cache_read=st.none() | prices,
        cache_write=st.none() | prices,
    ),
    max_size=3,
    unique_by=lambda tier: tier.above,
)
cards = st.builds(
    lambda card, tiers: PriceCard(
        id=card.id,
        input=card.input,
        output=card.output,
        cache_read=card.cache_read,
        cache_write=card.cache_write,
        tiers=tuple(sorted(tiers, key=lambda tier: tier.above)),
    ),
    flat_cards,
    tier_lists,
)


def test_the_seeds_first_answer_costs_what_the_seed_says() -> None:
    """2 in and 40 out of gpt-4o-mini are $0.0000243 exactly."""
    card = SEED.get("gpt-4o-mini")
    assert card is not None
    assert card.price is not None
    assert cost(Usage(input_uncached=2, output=40), card.price) == Decimal("0.0000243")


def test_a_small_cost_prints_plain_digits() -> None:
    """No exponent, however small."""
    assert str(cost(Usage(cache_read=1), MINI)) == "0.000000075"


def test_each_class_has_its_own_price() -> None:
    """Uncached, read, written, answered and reasoned, to the digit."""
    used = Usage(input_uncached=3, cache_read=5, cache_write=7, output=11, reasoning=13)
    assert cost(used, HAIKU) == (Decimal("3") / 10 + Decimal("0.05") + Decimal("0.875") + Decimal("12")) / 10**6


def test_a_cache_without_a_price_costs_as_input() -> None:
    """gpt-4o-mini has no price for cache writes."""
    assert cost(Usage(cache_write=10), MINI) == cost(Usage(input_uncached=10), MINI)


def test_a_free_cache_is_free() -> None:
    """A price of 0 is a price, not a missing one."""
    card = PriceCard(id="free@1", input=Usd(1), output=Usd(1), cache_read=Usd(0))
    assert cost(Usage(cache_read=10), card) == 0


def test_a_long_input_is_billed_at_its_tier_from_the_first_token() -> None:
    """One token more than 100,000 makes every token dearer, the answer's too."""
    assert cost(Usage(input_uncached=100_000, output=10), HAIKU) == Decimal("0.010005")
    assert cost(Usage(input_uncached=100_001, output=10), HAIKU) == Decimal("0.0500255")


def test_the_highest_tier_reached_holds() -> None:
    """Tiers are not added up."""
    card = PriceCard(
        id="steps@1",
        input=Usd(1),
        output=Usd(1),
        tiers=(PriceTier(above=10, input=Usd(2), output=Usd(2)), PriceTier(above=20, input=Usd(3), output=Usd(3))),
    )
    steps = {length: cost(Usage(input_uncached=length), card) * 10**6 / length for length in (10, 11, 20, 21)}
    assert steps == {10: 1, 11: 2, 20: 2, 21: 3}


def test_cached_tokens_count_for_the_tier() -> None:
    """The length of the prompt decides, wherever its tokens came from."""
    assert cost(Usage(input_uncached=1, cache_read=100_000), HAIKU) == Decimal("0.0050005")


def test_the_bound_looks_at_the_tiers_a_call_can_reach() -> None:
    """A short call is not held at the price of a long one."""
    assert worst_cost(HAIKU, input_tokens=100_000, output_tokens=0) == Decimal("0.0125")
    assert worst_cost(HAIKU, input_tokens=100_001, output_tokens=0) == Decimal("0.062500625")


def test_dearest_input_covers_every_tier() -> None:
    """Whatever the length."""
    assert HAIKU.dearest_input == Decimal("0.625")


@given(cards, usages, st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_usage_within_the_bounds_costs_more_than_the_worst(
    card: PriceCard, used: Usage, more_in: int, more_out: int
) -> None:
    """A hold covers whatever is billed within its bounds."""
    worst = worst_cost(card, input_tokens=used.input_tokens + more_in, output_tokens=used.output_tokens + more_out)
    assert cost(used, card) <= worst


@given(cards, st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_bound_grows_with_the_tokens(
    card: PriceCard, input_tokens: int, output_tokens: int, more_in: int, more_out: int
) -> None:
    """More tokens never lower it, also across a tier that is cheaper."""
    least = worst_cost(card, input_tokens=input_tokens, output_tokens=output_tokens)
    assert least <= worst_cost(card, input_tokens=input_tokens + more_in, output_tokens=output_tokens + more_out)


@given(flat_cards, usages, usages)
def test_costs_add_up(card: PriceCard, one: Usage, other: Usage) -> None:
    """Two calls cost as one with the tokens of both, where length has no tiers."""
    both = Usage(
        input_uncached=one.input_uncached + other.input_uncached,
        cache_read=one.cache_read + other.cache_read,
        cache_write=one.cache_write + other.cache_write,
        output=one.output + other.output,
        reasoning=one.reasoning + other.reasoning,
    )
    assert cost(one, card) + cost(other, card) == cost(both, card)


@given(cards, usages)
def test_a_cost_is_a_whole_number_of_picodollars(card: PriceCard, used: Usage) -> None:
    """So the columns hold it exactly, and it prints without an exponent."""
    amount = cost(used, card)
    assert Decimal(picodollars(amount)).scaleb(-12) == amount
    assert "E" not in str(amount)


@given(cards, usages)
def test_a_cost_is_the_sum_of_its_classes(card: PriceCard, used: Usage) -> None:
    """Checked against integers: micro-prices times tokens."""
    rates = card.rates(used.input_tokens)
    classes = (
        (used.input_uncached, rates.input),
        (used.cache_read, rates.input if rates.cache_read is None else rates.cache_read),
        (used.cache_write, rates.input if rates.cache_write is None else rates.cache_write),
        (used.output + used.reasoning, rates.output),
    )
    assert picodollars(cost(used, card)) == sum(count * int(price * 10**6) for count, price in classes)
