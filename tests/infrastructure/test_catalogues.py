"""Catalogues: the named ones, the user's changes, names and hashes."""

import json
from datetime import date
from pathlib import Path

import pytest

from model_orchestrator.domain.catalogue import Catalogue, Feature, ModelCapability, ModelProvider
from model_orchestrator.domain.errors import ConfigurationError, InvalidRequest
from model_orchestrator.domain.events import ExclusionReason
from model_orchestrator.domain.pricing import PriceTier
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.availability import access, availability
from model_orchestrator.infrastructure.catalogues import (
    catalogue_from_json,
    catalogue_hash,
    catalogue_json,
    find_model,
    load_catalogue,
    named_catalogue,
)
from model_orchestrator.infrastructure.prices import SNAPSHOT, priced_model, priced_names, snapshot
from model_orchestrator.infrastructure.settings import Settings

TODAY = date(2026, 11, 24)
BOTH_KEYS = {"OPENAI_API_KEY": "sk-openai", "ANTHROPIC_API_KEY": "sk-anthropic"}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(text: str = "", env: dict[str, str] | None = None, catalogue: str | None = None) -> Settings:
    Path("a.toml").write_text(text, encoding="utf-8")
    return Settings.load(Path("a.toml"), env or {}, catalogue=catalogue)


def reasons(one: Settings, provider: str = "live", today: date = TODAY) -> dict[str, str | None]:
    """Why models cannot be called."""
    _, excluded = availability(load_catalogue(one, provider), one, provider, today=today)
    return {exclusion.model: exclusion.limit for exclusion in excluded}


def test_simulated_runs_use_the_seed_and_live_ones_todays_models() -> None:
    """Unless one is named."""
    assert load_catalogue(settings(), "simulated").name == "seed"
    assert load_catalogue(settings(), "live").name == "current"
    assert load_catalogue(settings(catalogue="seed"), "live").name == "seed"


def test_each_vendor_alone_covers_every_class() -> None:
    """With one key, any prompt finds a model."""
    for vendor in ModelProvider:
        able = {c for m in named_catalogue("current").models if m.provider is vendor for c in m.capabilities}
        assert able == set(ModelCapability)


def test_a_harder_class_costs_more() -> None:
    """At each vendor the cheapest model of a class costs at least as much as that of an easier one."""
    for vendor in ModelProvider:
        cheapest = [
            min(
                m.price.input
                for m in named_catalogue("current").models
                if m.provider is vendor and m.price and capability in m.capabilities
            )
            for capability in ModelCapability
        ]
        assert cheapest == sorted(cheapest)


def test_todays_models_have_dated_prices_of_the_snapshot() -> None:
    """Nothing in the catalogue is priced by hand."""
    for model in named_catalogue("current").models:
        assert model.price == priced_model(model.provider.value, model.name).price
        assert model.price is not None
        assert model.price.id == f"{model.name}@{snapshot()['date']}"
        assert model.api_id == model.name


def test_a_retired_models_successor_is_of_its_vendor_and_class() -> None:
    """Following the advice loses nothing."""
    for model in named_catalogue("seed").models:
        assert model.successor is not None
        successor = named_catalogue("current").get(model.successor)
        assert successor is not None
        assert successor.provider is model.provider
        assert successor.capability.rank >= model.capability.rank


def test_the_snapshot_is_small_exact_and_says_where_it_is_from() -> None:
    """Decimal strings only."""
    text = SNAPSHOT.read_text(encoding="utf-8")
    assert len(text) < 300_000
    assert json.loads(text, parse_float=lambda number: pytest.fail(f"a float: {number}")) == snapshot()
    assert snapshot()["source"].startswith("genai-prices ")
    assert len(priced_names()) > 100


def test_the_snapshot_prices_as_genai_prices_does() -> None:
    """For every Anthropic and OpenAI model, around every tier; needs the development environment."""
    genai_prices = pytest.importorskip("genai_prices")
    from datetime import UTC, datetime

    from model_orchestrator.domain.pricing import Usage, cost

    assert snapshot()["source"] == f"genai-prices {genai_prices.__version__}", "`make prices` renews the snapshot"
    on = datetime.fromisoformat(snapshot()["date"]).replace(hour=12, tzinfo=UTC)
    for vendor in ("anthropic", "openai"):
        for model_id in snapshot()["vendors"][vendor]["models"]:
            priced = priced_model(vendor, model_id).price
            read, written = (10 if priced.cache_read else 0), (20 if priced.cache_write else 0)
            for total in (1000, *(tier.above + more for tier in priced.tiers for more in (0, 1))):
                theirs = genai_prices.calc_price(
                    genai_prices.Usage(
                        input_tokens=total, output_tokens=77, cache_read_tokens=read, cache_write_tokens=written
                    ),
                    model_id,
                    provider_id=vendor,
                    genai_request_timestamp=on,
                )
                uncached = total - read - written
                used = Usage(input_uncached=uncached, cache_read=read, cache_write=written, output=77)
                assert cost(used, priced) == theirs.total_price, model_id


@pytest.mark.parametrize("name", ["seed", "current"])
def test_a_catalogue_survives_as_json(name: str) -> None:
    """And its hash names exactly this content."""
    catalogue = named_catalogue(name)
    text = catalogue_json(catalogue)
    assert catalogue_from_json(text) == catalogue
    assert catalogue_json(catalogue_from_json(text)) == text
    assert catalogue_hash(catalogue_from_json(text)) == catalogue_hash(catalogue)
    assert len(catalogue_hash(catalogue)) == 64
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == text
    json.loads(text, parse_float=lambda number: pytest.fail(f"a float: {number}"))


def test_any_change_changes_the_hash() -> None:
    """Also the order, which decides between equal prices."""
    seed = named_catalogue("seed")
    changed = load_catalogue(settings("[models.gpt-4o]\nrpm = 51\n"), "simulated")
    backwards = Catalogue("seed", seed.models[::-1])
    assert len({catalogue_hash(one) for one in (seed, changed, backwards)}) == 3


def test_a_users_limits_change_a_known_model_only_there() -> None:
    """All else stays as it was."""
    changed = load_catalogue(settings("[models.gpt-4o]\nrpm = 500\ntpm = 30000\n"), "simulated")
    model, before = changed.get("gpt-4o"), named_catalogue("seed").get("gpt-4o")
    assert model is not None
    assert before is not None
    assert (model.rate_limit_rpm, model.rate_limit_tpm) == (500, 30000)
    assert model.price == before.price
    assert [one.name for one in changed.models] == [one.name for one in named_catalogue("seed").models]


def test_a_change_of_a_model_of_another_catalogue_waits_for_it() -> None:
    """The same file serves simulated and live runs."""
    assert load_catalogue(settings("[models.gpt-4o]\nrpm = 500\n"), "live") == named_catalogue("current")


def test_a_users_prices_make_a_new_card() -> None:
    """A card's id names one set of prices for ever; unchanged classes keep theirs."""
    one = load_catalogue(settings("[models.gpt-4o]\ninput_price = 2\n"), "simulated").get("gpt-4o")
    two = load_catalogue(settings("[models.gpt-4o]\ninput_price = 3\n"), "simulated").get("gpt-4o")
    assert one is not None
    assert two is not None
    assert one.price is not None
    assert two.price is not None
    prices = one.price.input, one.price.output, one.price.cache_read
    assert prices == (Usd(2), Usd(10), Usd("1.25"))
    assert one.price.id != two.price.id
    assert one.price.id.startswith("gpt-4o@set-")


def test_new_prices_of_a_tiered_model_say_what_becomes_of_its_tiers() -> None:
    """Losing them silently would hold too little."""
    with pytest.raises(ConfigurationError, match="costs more above 272000 input tokens; give its `tiers`"):
        load_catalogue(settings("[models.gpt-6-luna]\ninput_price = 0.05\n"), "live")
    text = "[models.gpt-6-luna]\ninput_price = 0.05\ntiers = [{above = 9, input_price = 1, output_price = '2.5'}]\n"
    model = load_catalogue(settings(text), "live").get("gpt-6-luna")
    assert model is not None
    assert model.price is not None
    assert model.price.tiers == (
        PriceTier(above=9, input=Usd(1), output=Usd("2.5"), cache_read=None, cache_write=None),
    )


def test_a_local_model_is_a_table() -> None:
    """Any server that speaks OpenAI's protocol; price 0 is a price."""
    text = """
[models.llama]
provider = "openai"
api_id = "llama3.2"
base_url = "http://localhost:11434/v1"
capability = "intermediate"
context_window = 2048
input_price = 0
output_price = 0
features = ["temperature", "tools"]
streaming = false
"""
    one = settings(text)
    model = load_catalogue(one, "live").get("llama")
    assert model is not None
    assert model.api_id == "llama3.2"
    assert model.price is not None
    assert (model.price.input, model.price.output) == (Usd(0), Usd(0))
    assert model.capabilities == (ModelCapability.BASIC, ModelCapability.INTERMEDIATE)
    assert (model.context_window, model.max_tokens, model.supports_streaming) == (2048, 2048, False)
    assert model.features == {Feature.TEMPERATURE, Feature.TOOLS}
    assert "llama" not in reasons(one)


def test_a_new_model_without_prices_has_none() -> None:
    """It cannot run under a budget, and is not taken for free."""
    model = load_catalogue(settings("[models.x]\nprovider = 'openai'\nbase_url = 'http://localhost/v1'\n"), "live").get(
        "x"
    )
    assert model is not None
    assert model.price is None
    assert (model.capability, model.context_window) == (ModelCapability.BASIC, 8192)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[models.gpt-6-lune]\nrpm = 5", "models.gpt-6-lune in .*a.toml: a new model needs provider.*mean gpt-6-luna"),
        ("[models.x]\nprovider = 'openai'\ninput_price = 1", "models.x.output_price in .*a.toml: expected beside"),
        (
            "[models.gpt-6-luna]\nmax_tokens = 2000000",
            "max_tokens in .*: expected at most context_window .1050000., got 2000",
        ),
    ],
)
def test_a_table_that_makes_no_model_is_refused(text: str, says: str) -> None:
    """With the file and what is missing."""
    with pytest.raises(ConfigurationError, match=says):
        load_catalogue(settings(text + "\n"), "live")


def test_live_a_provider_without_key_is_out() -> None:
    """The variable to set is named."""
    assert set(reasons(settings(env={"OPENAI_API_KEY": "x"})).values()) == {"ANTHROPIC_API_KEY"}
    assert set(reasons(settings()).values()) == {"ANTHROPIC_API_KEY", "OPENAI_API_KEY"}
    assert reasons(settings(env=BOTH_KEYS)) == {}


def test_live_a_retired_model_is_out_at_its_vendor() -> None:
    """From its day on, with a key or without."""
    one = settings(env=BOTH_KEYS, catalogue="seed")
    assert reasons(one) == {
        "claude-haiku-3.5": "retired on 2026-02-19",
        "claude-sonnet-3.5": "retired on 2025-10-28",
        "claude-opus-3": "retired on 2026-01-05",
        "gpt-4": "retired on 2026-10-23",
    }
    assert "claude-sonnet-3.5" not in reasons(one, today=date(2025, 10, 27))
    assert reasons(one, today=date(2027, 1, 14))["gpt-4o"] == "retired on 2027-01-14"
    _, excluded = availability(load_catalogue(one, "live"), one, "live", today=TODAY)
    assert {exclusion.reason for exclusion in excluded} == {ExclusionReason.RETIRED}


def test_another_address_decides_for_itself() -> None:
    """A gateway may serve what its vendor retired, and without a key."""
    env = {"OPENAI_BASE_URL": "http://localhost:9/v1", "ANTHROPIC_BASE_URL": "http://localhost:9"}
    assert reasons(settings(env=env, catalogue="seed")) == {}


def test_the_vendors_address_spelt_out_is_still_the_vendors() -> None:
    """Regional addresses too."""
    for address in ("https://api.openai.com/v1", "https://eu.api.openai.com/v1"):
        assert reasons(settings(env={"OPENAI_BASE_URL": address}, catalogue="seed"))["gpt-4o"] == "OPENAI_API_KEY"
    lookalike = settings(env={"OPENAI_BASE_URL": "https://api.openai.com.example.org/v1"}, catalogue="seed")
    assert "gpt-4" not in reasons(lookalike)


def test_simulated_runs_need_no_key_and_know_no_retirement() -> None:
    """Every model can be tried out."""
    assert reasons(settings(), "simulated") == {}


def test_a_named_key_must_be_there() -> None:
    """A table that names a variable means it."""
    text = "[models.x]\nprovider = 'openai'\nbase_url = 'https://host/v1'\napi_key_env = 'HOST_KEY'\n"
    assert reasons(settings(text))["x"] == "HOST_KEY"
    assert "x" not in reasons(settings(text, {"HOST_KEY": "k"}))
    text = "[providers.openai]\nbase_url = 'https://host/v1'\napi_key_env = 'HOST_KEY'\n"
    assert reasons(settings(text))["gpt-6-luna"] == "HOST_KEY"


def test_a_vendors_key_goes_to_no_other_address_unasked() -> None:
    """A model's own address gets the key it names, or none; a provider's address gets the provider's."""
    text = "[models.x]\nprovider = 'openai'\nbase_url = 'https://elsewhere/v1'\n"
    one = settings(text, BOTH_KEYS)
    model = load_catalogue(one, "live").get("x")
    assert model is not None
    reached = access(model, one)
    assert (reached.base_url, reached.api_key, reached.needs_key) == ("https://elsewhere/v1", None, False)
    luna = named_catalogue("current").get("gpt-6-luna")
    assert luna is not None
    for one, address in (
        (settings(env=BOTH_KEYS), "https://api.openai.com/v1"),
        (settings(env={**BOTH_KEYS, "OPENAI_BASE_URL": "http://gateway/v1"}), "http://gateway/v1"),
    ):
        reached = access(luna, one)
        assert reached.base_url == address
        assert reached.api_key is not None
        assert reached.api_key.reveal() == "sk-openai"


def test_an_unknown_model_names_the_nearest() -> None:
    """By its name here or on the wire."""
    seed = named_catalogue("seed")
    with pytest.raises(InvalidRequest, match=r"unknown model 'gpt-4o-mimi' .*did you mean gpt-4o-mini or gpt-4o"):
        find_model(seed, "gpt-4o-mimi")
    with pytest.raises(InvalidRequest, match="did you mean claude-opus-3"):
        find_model(seed, "claude-3-opus-20240229")
    with pytest.raises(InvalidRequest, match="known are: claude-haiku-3"):
        find_model(seed, "zzz")
    assert find_model(seed, "gpt-4").name == "gpt-4"


def test_a_model_of_elsewhere_says_where() -> None:
    """In the other catalogue, or in the price list."""
    current = named_catalogue("current")
    with pytest.raises(
        InvalidRequest, match=r"claude-opus-3 is not in .*retires it on 2026-01-05\); use claude-opus-5-5"
    ):
        find_model(current, "claude-opus-3")
    with pytest.raises(
        InvalidRequest, match="not in the catalogue seed but in current: set MODEL_ORCHESTRATOR_CATALOGUE"
    ):
        find_model(named_catalogue("seed"), "gpt-6-luna")
    with pytest.raises(InvalidRequest, match=r"`models add gpt-5\.4` adds it"):
        find_model(current, "gpt-5.4")


def test_a_retired_model_is_refused_with_its_successor() -> None:
    """And one without a key with the variable; simulated, both may be named."""
    one = settings(env={"ANTHROPIC_API_KEY": "x"}, catalogue="seed")
    catalogue = load_catalogue(one, "live")
    with pytest.raises(InvalidRequest, match="claude-opus-3: retired on 2026-01-05; use claude-opus-5-5"):
        find_model(catalogue, "claude-opus-3", excluded=availability(catalogue, one, "live")[1])
    with pytest.raises(InvalidRequest, match="gpt-4o: no key: set OPENAI_API_KEY"):
        find_model(catalogue, "gpt-4o", excluded=availability(catalogue, Settings(), "live")[1])
    excluded = availability(catalogue, one, "simulated")[1]
    assert find_model(catalogue, "claude-opus-3", excluded=excluded).name == "claude-opus-3"
