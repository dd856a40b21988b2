"""`models list` and `models add`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from model_orchestrator.cli.models import app
from model_orchestrator.domain.errors import ConfigurationError, InvalidRequest
from model_orchestrator.infrastructure.catalogues import load_catalogue
from model_orchestrator.infrastructure.prices import priced_model
from model_orchestrator.infrastructure.settings import Settings, user_file


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def models(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env=env, catch_exceptions=False)


def test_the_list_shows_prices_and_what_is_missing() -> None:
    """Without keys the seed, as a run would use it."""
    result = models("list")
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert next(iter(lines)) == "MODEL"
    assert len(lines) == 7
    assert lines["gpt-4o-mini"].split()[1:6] == ["basic", "openai", "0.15", "0.6", "128,000"]
    assert lines["gpt-4o"].endswith("no key: set OPENAI_API_KEY")
    assert lines["claude-opus-3"].endswith("retired on 2026-01-05 -> claude-opus-5-5")
    assert "Simulated runs can use every model" in result.stderr


def test_with_a_key_todays_models_are_listed() -> None:
    """Those it opens are usable; "from" marks a price that rises with the length."""
    result = models("list", OPENAI_API_KEY="sk-secret")
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines["gpt-6-luna"].endswith("usable")
    assert "from 0.1" in lines["gpt-6-luna"]
    assert lines["claude-opus-5-5"].endswith("no key: set ANTHROPIC_API_KEY")
    assert "sk-secret" not in result.output


def test_the_list_as_json_has_decimal_strings() -> None:
    """Every field of every model."""
    document = json.loads(models("list", "--catalogue", "seed", "--json", OPENAI_API_KEY="x").stdout)
    mini = next(model for model in document["models"] if model["name"] == "gpt-4o-mini")
    assert document["catalogue"] == "seed"
    assert mini["price"]["input"] == "0.15"
    assert (mini["capability"], mini["usable"], mini["status"]) == ("basic", True, "usable until 2027-01-14")


def test_a_catalogue_that_does_not_exist_is_refused() -> None:
    """With those that do."""
    with pytest.raises(ConfigurationError, match="expected seed or current, got 'sead'"):
        models("list", "--catalogue", "sead")


def test_a_model_is_added_and_the_rest_of_the_file_stays() -> None:
    """Comments and all; prices exactly those of the list."""
    before = "# mine\ntimeout = 7 # short\n\n[models.gpt-4o]\nrpm = 9"
    file = Path("model-orchestrator.toml")
    file.write_text(before, encoding="utf-8")
    result = models("add", "gpt-5.4", "--capability", "advanced")
    assert "Added gpt-5.4 (openai, advanced)" in result.stderr
    assert file.read_text(encoding="utf-8").startswith(before + "\n\n[models.")
    settings = Settings.load(env={})
    assert (settings.timeout, settings.models["gpt-4o"].rpm) == (7, 9)
    model = load_catalogue(settings, "live").get("gpt-5.4")
    price = priced_model("openai", "gpt-5.4").price
    assert model is not None
    assert model.price is not None
    assert (model.price.input, model.price.output, model.price.tiers) == (price.input, price.output, price.tiers)
    assert model.capability == "advanced"


def test_a_model_of_another_vendor_brings_its_address_and_key() -> None:
    """Under a name of one's own, in the user's file where there is no other."""
    models("add", "groq/llama-3.1-8b-instant", "--as", "my llama")
    model = load_catalogue(Settings.load(env={}), "live").get("my llama")
    assert user_file().is_file()
    assert model is not None
    assert (model.base_url, model.api_key_env) == ("https://api.groq.com/openai/v1", "GROQ_API_KEY")
    assert model.api_id == "llama-3.1-8b-instant"


def test_a_name_that_fits_no_or_several_models_is_refused() -> None:
    """And nothing is written."""
    with pytest.raises(InvalidRequest, match=r"gpt-5\.44 is not in the price list .* did you mean openai/gpt-5"):
        models("add", "gpt-5.44")
    with pytest.raises(InvalidRequest, match="several vendors sell gpt-oss-120b: name one of cerebras/gpt-oss-120b"):
        models("add", "gpt-oss-120b")
    assert not user_file().exists()


def test_a_model_is_not_added_twice() -> None:
    """The file keeps what its owner wrote."""
    models("add", "gpt-5.4", "--config", "own.toml")
    before = Path("own.toml").read_text(encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"has a table for gpt-5\.4 already; .* another name with --as"):
        models("add", "gpt-5.4", "--config", "own.toml")
    assert Path("own.toml").read_text(encoding="utf-8") == before


def test_a_file_that_cannot_take_a_table_stays_as_it_was() -> None:
    """Such as one whose models stand in a single line."""
    before = "models = { gpt-4o = { rpm = 9 } }\n"
    Path("own.toml").write_text(before, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"own\.toml is not TOML"):
        models("add", "gpt-5.4", "--config", "own.toml")
    assert Path("own.toml").read_text(encoding="utf-8") == before


def test_an_unknown_class_is_refused() -> None:
    """With those there are."""
    with pytest.raises(
        ConfigurationError, match="--capability in the arguments: expected basic, intermediate, advanced"
    ):
        models("add", "gpt-5.4", "--capability", "genius")
