"""What a user can set, and where each value came from.

A value is taken from the first of: an argument (command line, library keyword), the environment, the file, the default.
The file is `--config FILE`, else MODEL_ORCHESTRATOR_CONFIG, else `model-orchestrator.toml` in the working folder, else
the one in the user's configuration folder; one file is read, never two. API keys come from the environment only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..domain.catalogue import ModelProvider
from ..domain.errors import ConfigurationError, InvalidRequest
from ..domain.events import OnUnknown
from ..domain.units import Duration, Usd
from . import setting_values as values
from .content_cipher import OuterKey, OuterKeys
from .database_url import default_database_url, masked, parse_database_url
from .model_settings import KEY_VARIABLES as KEY_VARIABLES
from .model_settings import ModelSettings, ProviderSettings, read_models, read_providers
from .policy_settings import POLICY_TABLES, NamedPolicy, PolicySettings, read_policies, read_policy
from .secret import Secret
from .service_settings import ServiceSettings, read_service
from .setting_keys import key, keys_of, read, unknown

FILE_NAME = "model-orchestrator.toml"
PREFIX = "MODEL_ORCHESTRATOR_"
CONFIG_VARIABLE = PREFIX + "CONFIG"
CATALOGUES = ("seed", "current")
TRANSPORTS = ("lean", "sdk")
TABLES = ("providers", "models", *POLICY_TABLES, "policies", "service")
SECRETS = {PREFIX + "CONTENT_KEY": "content_key", PREFIX + "OLD_CONTENT_KEY": "old_content_key"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """Everything that can be set, read and checked; `Settings.load()` collects it, `Settings()` is the defaults."""

    database_url: str = field(
        default_factory=default_database_url,
        metadata=key(
            parse_database_url,
            "sqlite:///PATH or postgresql://USER@HOST/NAME",
            "where runs are stored",
            private=True,
        ),
    )
    catalogue: str | None = field(
        default=None,
        metadata=key(
            values.one_of(CATALOGUES),
            "seed or current",
            "which models there are; default: current, and seed for simulated runs",
        ),
    )
    provider: str | None = field(
        default=None,
        metadata=key(
            values.provider,
            "live, simulated or recorded:NAME",
            "who answers; default: live where a key or base_url is set, else simulated",
        ),
    )
    category: str = field(
        default="orchestration",
        metadata=key(values.label, "a label of 1 to 64 characters", "what runs are reported by"),
    )
    max_cost: Usd | None = field(
        default=None,
        metadata=key(
            values.amount, "US dollars, such as 0.05, at most 12 decimals", "the most one run may cost, in USD"
        ),
    )
    timeout: float = field(
        default=120.0,
        metadata=key(values.seconds, "seconds above 0, such as 120", "seconds until a run is given up"),
    )
    max_output_tokens: int = field(
        default=1024,
        metadata=key(
            values.whole(1, 100_000_000), "a number of tokens, 1 or more", "the longest answer asked for, in tokens"
        ),
    )
    policy: str = field(
        default="heuristic",
        metadata=key(
            values.text,
            "heuristic, learned, one of your [policies.NAME], or a TOML file",
            "how models are chosen and answers scored",
        ),
    )
    default_chain: str = field(
        default="mixed",
        metadata=key(values.text, "the name of a chain", "the chain of a fallback that names none"),
    )
    max_attempts: int = field(
        default=3,
        metadata=key(values.whole(1, 10), "a number, 1 to 10", "attempts at one call, the first included"),
    )
    on_unknown: str = field(
        default="retry",
        metadata=key(values.one_of(OnUnknown), "retry or fail", "what follows a call whose outcome is unknown"),
    )
    settle_lost_after: float = field(
        default=24.0,
        metadata=key(
            values.hours,
            "hours above 0, such as 24, or 90m, 24h, 7d",
            "hours until `runs resume --all` settles a lost call at the most it could cost",
        ),
    )
    store_content: bool = field(
        default=True,
        metadata=key(values.switch, "true or false", "whether prompts and answers are stored in the database"),
    )
    cache: Duration | None = field(
        default=None,
        metadata=key(
            values.duration_or_off,
            "a time such as 90s, 10m, 24h or 7d, or off",
            "how long an answer may be given again",
        ),
    )
    webhook_url: str | None = field(
        default=None,
        metadata=key(
            values.url,
            "an address such as https://example.com/hook, without password or query",
            "where a budget's alerts are posted",
            private=True,
        ),
    )
    transport: str = field(
        default="lean",
        metadata=key(
            values.one_of(TRANSPORTS),
            "lean or sdk",
            "what carries live calls: HTTP alone, or the vendors' SDKs, slower",
        ),
    )
    log_level: str = field(
        default="warning",
        metadata=key(
            values.one_of(("debug", "info", "warning", "error")),
            "debug, info, warning or error",
            "which log lines go to standard error",
        ),
    )
    log_format: str = field(
        default="auto",
        metadata=key(
            values.one_of(("auto", "human", "json")),
            "auto, human or json",
            "how log lines look; auto: human on a terminal, else JSON",
        ),
    )
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    models: Mapping[str, ModelSettings] = field(default_factory=dict)
    changes: PolicySettings = PolicySettings()  # of the built-in policy
    policies: Mapping[str, NamedPolicy] = field(default_factory=dict)  # the user's own
    service: ServiceSettings = ServiceSettings()
    keys: Mapping[str, Secret] = field(default_factory=dict)  # by environment variable; only those that are set
    content_key: Secret | None = None  # 32 bytes as base64; from the environment only
    old_content_key: Secret | None = None
    sources: Mapping[str, str] = field(default_factory=dict)  # of every value that is no default, by dotted name
    file: Path | None = None  # the one that was read

    @classmethod
    def load(cls, config: Path | None = None, env: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """The effective settings. Overrides of None are not given. Raises ConfigurationError."""
        env = {name: text for name, text in (os.environ if env is None else env).items() if text.strip()}
        file = find_file(config, env)
        found: dict[str, Any] = {}
        sources: dict[str, str] = {}
        tables = _from_file(file, found, sources) if file else {}
        _from_environment(env, found, sources)
        _from_arguments(overrides, found, sources)
        providers = read_providers(tables.get("providers", {}), env, file, sources)
        models = read_models(tables.get("models", {}), file, sources)
        changes = read_policy(tables, file, sources)
        policies = read_policies(tables.get("policies", {}), file, sources)
        named = chain((one.api_key_env for one in providers.values()), (one.api_key_env for one in models.values()))
        variables = {*KEY_VARIABLES.values(), *named}
        return cls(
            **found,
            providers=MappingProxyType(providers),
            models=MappingProxyType(models),
            changes=changes,
            policies=MappingProxyType(policies),
            service=read_service(tables.get("service", {}), file, sources),
            keys=MappingProxyType({name: _key(name, env[name]) for name in variables if name and name in env}),
            sources=MappingProxyType(sources),
            file=file,
        )

    def content_keys(self) -> OuterKeys | None:
        """The keys that stored texts are encrypted under; None where none is set."""
        if self.content_key is None:
            return None
        old = None if self.old_content_key is None else OuterKey.of(self.old_content_key)
        return OuterKeys(OuterKey.of(self.content_key), old)

    def source(self, name: str) -> str:
        """Where the value of a dotted name came from, in words."""
        return self.sources.get(name, "default")

    def __repr__(self) -> str:
        shown = {one.name: getattr(self, one.name) for one in fields(self)} | {
            "database_url": masked(self.database_url)
        }
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _key(variable: str, value: str) -> Secret:
    """An API key; one that no header can carry would otherwise look like a network fault. Never shown."""
    key = value.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError(f"{variable} is not an API key: expected printable ASCII without spaces")
    return Secret(key)


def _content_key(variable: str, value: str) -> Secret:
    """A key that texts are encrypted under. Never shown."""
    secret = Secret(value.strip())
    try:
        OuterKey.of(secret)
    except ValueError:
        raise ConfigurationError(
            f"{variable}: expected 32 bytes as base64; `openssl rand -base64 32` makes some"
        ) from None
    return secret


def find_file(config: Path | None = None, env: Mapping[str, str] | None = None) -> Path | None:
    """The file that is read; one that was named must exist."""
    env = os.environ if env is None else env
    named = config or env.get(CONFIG_VARIABLE)
    if named:
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise ConfigurationError(
                f"the settings file {path} does not exist; `config init --config {path}` writes one"
            )
        return path
    local = Path(FILE_NAME).absolute()
    return next((path for path in (local, user_file()) if path.is_file()), None)


def user_file() -> Path:
    """The settings file in the user's configuration folder."""
    from platformdirs import user_config_path

    return user_config_path("model-orchestrator", appauthor=False) / FILE_NAME


def resolve_provider(settings: Settings, asked: str | None) -> tuple[str, str | None]:
    """Who answers: live, simulated or recorded:NAME; and what to say on standard error where nobody chose.

    A vendor's name means live; keeping to that vendor is the strategy's business.
    """
    chosen = asked or settings.provider
    if chosen in (*ModelProvider, "live"):
        return "live", None
    if chosen and (chosen == "simulated" or (chosen.startswith("recorded:") and chosen != "recorded:")):
        return chosen, None
    if chosen:
        raise InvalidRequest(
            f"unknown provider {chosen!r}: expected live, simulated, {', '.join(ModelProvider)} or recorded:NAME"
        )
    addresses = chain(
        (one.base_url for one in settings.providers.values()), (one.base_url for one in settings.models.values())
    )
    if settings.keys or any(addresses):
        return "live", None
    variables = " or ".join(KEY_VARIABLES.values())
    return (
        "simulated",
        f"no API key and no base_url is set: the simulated provider answers. For real answers set {variables}",
    )


def _from_file(file: Path, found: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
    """Reads the plain values; returns the tables."""
    document = parse_toml(file)
    known = keys_of(Settings)
    for name, value in document.items():
        if name in TABLES:
            continue
        if name not in known:
            raise unknown(name, name, {**known, **dict.fromkeys(TABLES)}, str(file))
        found[name] = read(known[name], value, name=name, source=str(file))
        sources[name] = str(file)
    return document


def parse_toml(file: Path, what: str = "settings file") -> dict[str, Any]:
    """The file's document, numbers as decimals. Raises ConfigurationError."""
    import tomllib
    from decimal import Decimal

    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise ConfigurationError(f"cannot read the {what} {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ArithmeticError) as error:
        text = (
            "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error) or "a number is too large"
        )
        raise ConfigurationError(f"the {what} {file} is not TOML: {text}") from None


def _from_environment(env: Mapping[str, str], found: dict[str, Any], sources: dict[str, str]) -> None:
    known = {PREFIX + name.upper(): name for name in keys_of(Settings)}
    for variable, value in env.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable in SECRETS:
            found[SECRETS[variable]] = _content_key(variable, value)
            continue
        if variable not in known:
            raise unknown(variable, variable, {**known, CONFIG_VARIABLE: None}, "the environment")
        name = known[variable]
        found[name] = read(keys_of(Settings)[name], value, name=variable, source="the environment")
        sources[name] = f"environment {variable}"


def _from_arguments(overrides: Mapping[str, Any], found: dict[str, Any], sources: dict[str, str]) -> None:
    known = keys_of(Settings)
    for name, value in overrides.items():
        if name not in known:
            raise unknown(name, name, known, "the arguments")
        if value is not None:
            found[name] = read(known[name], value, name=name, source="the arguments")
            sources[name] = "argument"
