"""`config init` and `config show`."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from model_orchestrator.cli.config import app
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.infrastructure.catalogues import load_catalogue
from model_orchestrator.infrastructure.setting_keys import keys_of
from model_orchestrator.infrastructure.settings import Settings

FILE = Path("model-orchestrator.toml")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env=env, catch_exceptions=False)


def test_init_writes_a_file_that_changes_nothing() -> None:
    """Every setting is in it, commented out."""
    config("init")
    text = FILE.read_text(encoding="utf-8")
    assert Settings.load(env={}).sources == {}
    for name in keys_of(Settings):
        assert f"\n# {name} = " in text


def test_the_examples_of_the_file_work() -> None:
    """Uncommented, they load, and the local model is there."""
    config("init")
    text = re.sub(r"^# (\w+ = (?!\.\.\.)|\[)", r"\1", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    FILE.write_text(text, encoding="utf-8")
    settings = Settings.load(env={})
    assert settings.timeout == 120
    assert settings.models["llama"].input_price == 0
    assert load_catalogue(settings, "live").get("llama")


def test_init_overwrites_only_when_told_to() -> None:
    """A file is somebody's work."""
    FILE.write_text("timeout = 5\n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="exists already; --force overwrites it"):
        config("init")
    assert FILE.read_text(encoding="utf-8") == "timeout = 5\n"
    config("init", "--force")
    assert Settings.load(env={}).timeout == 120


def test_init_writes_where_it_is_told() -> None:
    """Folders are made on the way."""
    assert "Wrote" in config("init", "--config", "deep/er/own.toml").stderr
    assert Path("deep/er/own.toml").is_file()


def test_show_says_what_is_in_effect_and_why() -> None:
    """One line a setting."""
    FILE.write_text("timeout = 5\n[models.gpt-4o]\nrpm = 7\n", encoding="utf-8")
    lines = config("show", MODEL_ORCHESTRATOR_CATEGORY="chat").stdout.splitlines()
    shown = {line.split(" = ")[0].strip(): line.split(" = ")[1] for line in lines}
    assert shown["timeout"] == f"5.0  ({FILE.absolute()})"
    assert shown["category"] == "chat  (environment MODEL_ORCHESTRATOR_CATEGORY)"
    assert shown["log_level"] == "warning  (default)"
    assert shown["max_cost"] == "not set  (default)"
    assert shown["models.gpt-4o.rpm"] == f"7  ({FILE.absolute()})"
    assert shown["OPENAI_API_KEY"] == "not set  (default)"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_show_masks_keys_and_passwords(flags: list[str]) -> None:
    """In both forms."""
    url = "postgresql://me:secret-word@host/db"
    result = config("show", *flags, OPENAI_API_KEY="sk-secret-key", MODEL_ORCHESTRATOR_DATABASE_URL=url)
    assert "secret-" not in result.output
    assert "postgresql://me:****@host/db" in result.stdout
    assert "****" in result.stdout


def test_show_as_json_is_one_object() -> None:
    """Values as texts, or null."""
    document = json.loads(config("show", "--json", MODEL_ORCHESTRATOR_MAX_COST="0.0000001").stdout)
    assert document["file"] is None
    assert document["settings"]["max_cost"] == {
        "value": "0.0000001",
        "source": "environment MODEL_ORCHESTRATOR_MAX_COST",
    }
    assert document["settings"]["catalogue"] == {"value": None, "source": "default"}
