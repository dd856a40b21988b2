"""Settings: which source wins, what a bad value says, and that no secret is ever shown."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from model_orchestrator.domain.errors import ConfigurationError, InvalidRequest
from model_orchestrator.infrastructure.database_url import masked, parse_database_url
from model_orchestrator.infrastructure.secret import Secret
from model_orchestrator.infrastructure.settings import Settings, resolve_provider, user_file

KEY = "sk-proj-do-not-show-me"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(text: str, env: dict[str, str] | None = None) -> str:
    """What loading such a file says."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(write(Path("bad.toml"), text), env or {})
    return str(caught.value)


def test_nothing_set_is_the_defaults() -> None:
    """A database in the user's data folder, no limit, a minute or two."""
    settings = Settings.load(env={})
    assert settings == Settings()
    assert settings.database_url.endswith("/orchestrator.db")
    assert settings.category == "orchestration"
    assert settings.max_cost is None
    assert (settings.timeout, settings.max_output_tokens, settings.store_content) == (120, 1024, True)
    assert settings.source("timeout") == "default"
    assert settings.file is None


def test_an_argument_goes_before_the_environment_before_the_file_before_the_default() -> None:
    """And each value knows where it came from."""
    file = write(Path("a.toml"), "timeout = 1\ncategory = 'file'\nlog_level = 'info'\n")
    env = {"MODEL_ORCHESTRATOR_TIMEOUT": "2", "MODEL_ORCHESTRATOR_CATEGORY": "environment"}
    settings = Settings.load(file, env, timeout=3, category=None)
    assert (settings.timeout, settings.category, settings.log_level, settings.log_format) == (
        3,
        "environment",
        "info",
        "auto",
    )
    sources = [settings.source(name) for name in ("timeout", "category", "log_level", "log_format")]
    assert sources == ["argument", "environment MODEL_ORCHESTRATOR_CATEGORY", str(file.absolute()), "default"]


def test_the_file_in_the_working_folder_goes_before_the_users() -> None:
    """One file is read, never two."""
    write(user_file(), "category = 'user'\ntimeout = 5\n")
    assert Settings.load(env={}).category == "user"
    write(Path("model-orchestrator.toml"), "category = 'here'\n")
    settings = Settings.load(env={})
    assert (settings.category, settings.timeout) == ("here", 120)
    named = write(Path("other.toml"), "category = 'named'\n")
    assert Settings.load(env={"MODEL_ORCHESTRATOR_CONFIG": str(named)}).category == "named"


@pytest.mark.parametrize("env", [{}, {"MODEL_ORCHESTRATOR_CONFIG": "absent.toml"}])
def test_a_named_file_must_be_there(env: dict[str, str]) -> None:
    """A misspelt path is not silently the defaults."""
    with pytest.raises(ConfigurationError, match=r"absent\.toml does not exist"):
        Settings.load(None if env else Path("absent.toml"), env)


def test_an_amount_in_a_file_is_exact() -> None:
    """TOML's 0.1 is a tenth, not the nearest binary fraction."""
    settings = Settings.load(write(Path("a.toml"), "max_cost = 0.1\n[models.gpt-4o]\ninput_price = 2.50\n"), {})
    assert settings.max_cost == Decimal("0.1")
    assert str(settings.models["gpt-4o"].input_price) == "2.5"
    assert Settings.load(env={"MODEL_ORCHESTRATOR_MAX_COST": "5e-3"}).max_cost == Decimal("0.005")
    many_digits = "123456789.123456789012"
    assert str(Settings.load(write(Path("b.toml"), f"max_cost = {many_digits}"), {}).max_cost) == many_digits


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("timeout = 'soon'", "timeout in {file}: expected seconds above 0, such as 120, got 'soon'"),
        ("timeout = 0", "expected seconds above 0"),
        ("timeout = true", "expected seconds above 0, such as 120, got true"),
        ("timeout = nan", "expected seconds"),
        ("max_cost = -1", "max_cost in {file}: expected US dollars, such as 0.05, at most 12 decimals, got -1"),
        ("max_cost = inf", "expected US dollars"),
        ("max_cost = 0.0000000000001", "at most 12 decimals"),
        ("max_output_tokens = 1.5", "expected a number of tokens"),
        ("max_output_tokens = 0", "expected a number of tokens"),
        ("store_content = 'maybe'", "expected true or false"),
        ("catalogue = 'seeds'", "catalogue in {file}: expected seed or current, got 'seeds'"),
        ("provider = 'openai'", "expected live, simulated or recorded:NAME"),
        ("category = ''", "expected a label"),
        ("log_level = []", "expected debug, info, warning or error"),
        ("timout = 3", "timout in {file}: there is no such setting; did you mean timeout?"),
        ("[provider.openai]", "provider in {file}: expected live, simulated or recorded:NAME"),
        ("[providers.opanai]", "providers.opanai in {file}: there is no such setting; did you mean openai?"),
        (
            "[models.gpt-4]\ninput_prize = 1",
            "models.gpt-4.input_prize in {file}: there is no such setting; did you mean ",
        ),
        (
            "[models.gpt-4]\ninput_price = 0.0000001",
            "models.gpt-4.input_price in {file}: expected USD a 1,000,000 tokens",
        ),
        ("[models.gpt-4]\nrpm = 0", "models.gpt-4.rpm in {file}: expected requests a minute, 1 or more, got 0"),
        ("[models.gpt-4]\nfeatures = ['vision']", "models.gpt-4.features in {file}: expected a list of images, tools"),
        ("[models.gpt-4]\ntiers = [{ above = 5 }]", "(each has above, input_price and output_price)"),
        ("[models.gpt-4]\ntiers = [{ over = 5 }]", "(tiers.over in the list: there is no such setting;"),
        ("models = 3", "models in {file}: expected tables such as [models.NAME]"),
        ("models.x = 3", "models.x in {file}: expected a table, [models.x]"),
        ("timeout = ", "is not TOML: Invalid value (at line 1"),
    ],
)
def test_a_bad_value_names_its_key_its_file_and_what_was_expected(line: str, says: str) -> None:
    """So that it can be put right without looking anything up."""
    message = refused(line + "\n")
    assert says.format(file=Path("bad.toml").absolute()) in message
    assert "\n" not in message


def test_a_file_that_is_not_text_is_refused() -> None:
    """With its name."""
    Path("bad.toml").write_bytes(b"category = '\xff'\n")
    with pytest.raises(ConfigurationError, match=r"bad\.toml is not TOML: it is not UTF-8 text"):
        Settings.load(Path("bad.toml"), {})


def test_a_bad_variable_names_itself() -> None:
    """The environment is named as the source."""
    for value in ("a lot", "sNaN", "1e999999", "-0.1"):
        with pytest.raises(
            ConfigurationError, match="MODEL_ORCHESTRATOR_MAX_COST in the environment: expected US dollars"
        ):
            Settings.load(env={"MODEL_ORCHESTRATOR_MAX_COST": value})


def test_a_misspelt_variable_is_not_overlooked() -> None:
    """A limit that is not applied because of a typing error would cost money."""
    with pytest.raises(ConfigurationError, match="did you mean MODEL_ORCHESTRATOR_MAX_COST"):
        Settings.load(env={"MODEL_ORCHESTRATOR_MAXCOST": "1"})


def test_a_bad_argument_is_refused() -> None:
    """Unknown names with the nearest."""
    with pytest.raises(ConfigurationError, match=r"timout in the arguments: .*did you mean timeout"):
        Settings.load(env={}, timout=3)
    with pytest.raises(ConfigurationError, match="max_cost in the arguments: expected US dollars"):
        Settings.load(env={}, max_cost=Decimal("-1"))


def test_an_empty_variable_is_not_set() -> None:
    """As shells and CI leave them."""
    settings = Settings.load(env={"OPENAI_API_KEY": " ", "MODEL_ORCHESTRATOR_TIMEOUT": ""})
    assert settings.keys == {}
    assert settings.timeout == 120


def test_keys_come_from_the_environment_and_stay_hidden() -> None:
    """In no text of the settings, and without the line end a secret's file adds."""
    settings = Settings.load(env={"OPENAI_API_KEY": KEY + "\n", "ANTHROPIC_API_KEY": KEY, "UNRELATED_API_KEY": KEY})
    assert settings.keys.keys() == {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"}
    assert settings.keys["OPENAI_API_KEY"].reveal() == KEY
    shown = f"{settings} {settings!r} {settings.keys} {settings.keys['OPENAI_API_KEY']}"
    assert KEY not in shown
    assert "****" in shown


def test_a_secret_is_compared_but_not_copied_out() -> None:
    """Equal to its like; pickling it would write it somewhere."""
    import pickle

    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("a"))


@pytest.mark.parametrize(
    "text",
    [
        f"[providers.openai]\napi_key = '{KEY}'",
        f"[providers.openai]\napi_key_env = '{KEY}'",
        f"[models.x]\napi_key_env = '{KEY}'",
        f"[providers.openai]\nbase_url = 'https://user:{KEY}@host/v1'",
        f"[providers.openai]\nbase_url = 'https://host/v1?key={KEY}'",
        f"database_url = 'mysql://user:{KEY}@host/db'",
    ],
)
def test_an_error_never_repeats_what_may_be_a_secret(text: str) -> None:
    """Also where it stands in the wrong place."""
    assert KEY not in refused(text)


def test_an_error_says_where_keys_belong() -> None:
    """Not in a file."""
    assert "api_key_env names the variable" in refused("[providers.openai]\napi_key = 'x'")


def test_an_address_in_the_environment_goes_before_the_files() -> None:
    """The SDKs' own variables are read."""
    file = write(Path("a.toml"), "[providers.openai]\nbase_url = 'http://file/v1'\napi_key_env = 'TEAM_KEY'\n")
    settings = Settings.load(file, {"OPENAI_BASE_URL": "http://localhost:8000/v1/", "TEAM_KEY": KEY})
    assert settings.providers["openai"].base_url == "http://localhost:8000/v1"
    assert settings.providers["openai"].api_key_env == "TEAM_KEY"
    assert settings.keys["TEAM_KEY"].reveal() == KEY
    assert settings.source("providers.openai.base_url") == "environment OPENAI_BASE_URL"
    assert Settings.load(file, {}).providers["openai"].base_url == "http://file/v1"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://a b/", "http://host:99999"])
def test_an_address_must_be_one(url: str) -> None:
    """http or https, with a host."""
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL in the environment: expected an address such as"):
        Settings.load(env={"OPENAI_BASE_URL": url})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("sqlite:///runs.db", "sqlite:///runs.db"),
        ("sqlite:////var/runs.db", "sqlite:////var/runs.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("runs.db", "sqlite:///runs.db"),
        (Path("/var/runs.db"), "sqlite:////var/runs.db"),
        ("postgres://user@host/db", "postgresql://user@host/db"),
        ("postgresql+psycopg://host/db", "postgresql://host/db"),
    ],
)
def test_a_database_is_an_address_or_a_path(given: object, url: str) -> None:
    """In one spelling afterwards."""
    assert parse_database_url(given) == url


@pytest.mark.parametrize("given", ["", "mysql://host/db", "sqlite://", "sqlite:///", "postgresql://", "host:5432", 7])
def test_another_database_is_refused(given: object) -> None:
    """The kinds there are, are named."""
    with pytest.raises(
        ConfigurationError, match="database_url in the arguments: expected sqlite:///PATH or postgresql"
    ):
        Settings.load(env={}, database_url=given)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:pa%40ss@host:5432/db", "postgresql://user:****@host:5432/db"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me&password=****"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("sqlite:////var/runs.db", "sqlite:////var/runs.db"),
    ],
)
def test_a_database_address_is_shown_without_its_password(url: str, shown: str) -> None:
    """Wherever it stands."""
    assert masked(url) == shown
    assert shown in repr(Settings(database_url=url))


def test_without_key_and_address_the_simulator_answers_and_says_so() -> None:
    """Only then."""
    provider, notice = resolve_provider(Settings.load(env={}), None)
    assert provider == "simulated"
    assert notice is not None
    assert "set ANTHROPIC_API_KEY or OPENAI_API_KEY" in notice


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ("", {"OPENAI_API_KEY": KEY}),
        ("", {"ANTHROPIC_API_KEY": KEY}),
        ("", {"OPENAI_BASE_URL": "http://localhost/v1"}),
        ("[providers.anthropic]\nbase_url = 'http://localhost'", {}),
        ("[models.local]\nprovider = 'openai'\nbase_url = 'http://localhost/v1'", {}),
        ("[models.llama]\nprovider = 'openai'\napi_key_env = 'GROQ_API_KEY'", {"GROQ_API_KEY": KEY}),
    ],
)
def test_once_a_key_or_an_address_is_set_runs_are_live(text: str, env: dict[str, str]) -> None:
    """Never a silent switch back."""
    assert resolve_provider(Settings.load(write(Path("a.toml"), text), env), None) == ("live", None)


def test_the_provider_asked_for_goes_before_the_setting() -> None:
    """A vendor's name means live."""
    settings = Settings.load(env={"OPENAI_API_KEY": KEY}, provider="simulated")
    assert resolve_provider(settings, None) == ("simulated", None)
    assert resolve_provider(settings, "openai") == ("live", None)
    assert resolve_provider(settings, "recorded:lab") == ("recorded:lab", None)
    for name in ("recorded:", "opanai"):
        with pytest.raises(InvalidRequest, match="expected live, simulated, anthropic, openai or recorded:NAME"):
            resolve_provider(settings, name)


def test_settings_load_no_heavy_library() -> None:
    """A run on SQLite with the simulator reads them at every start."""
    program = """
import sys
from model_orchestrator.infrastructure import availability, catalogues
from model_orchestrator.infrastructure.settings import Settings
settings = Settings.load(env={})
catalogues.load_catalogue(settings, "simulated")
heavy = {"pydantic", "sqlalchemy", "alembic", "rich", "genai_prices", "psycopg", "openai", "anthropic", "httpx2"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() == "[]"
