"""The settings file as people keep it: a commented template, and models added at its end; all else is left as it is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from ..domain.errors import ConfigurationError, InvalidRequest
from ..domain.pricing import PriceCard, PriceTier
from .catalogues import load_catalogue
from .model_settings import KEY_VARIABLES
from .prices import PricedModel, priced_model, priced_names, snapshot
from .setting_keys import keys_of
from .settings import Settings

_HEAD = """\
# Settings of Model Orchestrator. A line that is commented out shows its default.
# An argument or an environment variable MODEL_ORCHESTRATOR_<NAME> goes before this file.
# API keys are read from the environment only: {variables}.
"""

_TAIL = """
# Where a provider is reached, if not at its own address, and which variable holds its key:
# [providers.openai]
# base_url = "http://localhost:11434/v1"
# api_key_env = "OPENAI_API_KEY"

# Your limits at a provider:
# [models.gpt-6-luna]
# rpm = 500        # requests a minute
# tpm = 200000     # tokens a minute

# A model of your own: any server that speaks OpenAI's protocol, such as Ollama, vLLM or llama.cpp.
# [models.llama]
# provider = "openai"
# api_id = "llama3.2"
# base_url = "http://localhost:11434/v1"
# capability = "basic"      # the hardest prompts it is trusted with: basic, intermediate, advanced or expert
# context_window = 8192
# input_price = 0           # USD a 1,000,000 tokens; without prices it cannot run under a budget
# output_price = 0

# A chain of your own, for --chain and default_chain. A table with a built-in name changes that chain.
# [chains.careful]
# models = ["gpt-6-luna", "claude-sonnet-5-5"]   # 1 to 5, asked in this order
# threshold = 0.8           # 0 to 1: the confidence that ends it; default 0.7
# backup = "anthropic"      # the chain that is asked where all of its models are down

# Who answers an ensemble, 2 or 3 models: basic and hard prompts, or a kind of task by its name.
# [panels]
# research = ["claude-opus-5-5", "gpt-6-astra"]

# What auto chooses for a kind of task: cheapest, fallback or ensemble; by capability where that matters.
# [matrix]
# code_review = "ensemble"
# analysis = { expert = "ensemble" }

# What a member's score is made of where an ensemble's answers cannot be compared; only the ratios count.
# [score_weights]
# confidence = 5
# capability = 3
# length = 2

# A policy of your own, for --policy and `policy`; its tables are as above, such as [policies.careful.matrix].
# [policies.careful]
# router = "shipped"        # weights that predict each model's success, or a file of your own
# target = 0.9              # 0 to 1: the cheapest model whose predicted success reaches it is asked
# scorer = "learned"        # heuristic-1, learned or judge:MODEL
# explore = 0.05            # 0 to 1: how often any candidate is asked instead of the best
"""


def template() -> str:
    """A settings file with every setting, commented out."""
    defaults = Settings()
    blocks = [_HEAD.format(variables=", ".join(KEY_VARIABLES.values()))]
    for name, one in keys_of(Settings).items():
        value = getattr(defaults, name)
        shown = "..." if value is None else toml_value(value)
        blocks.append(f"\n# {one.about[:1].upper()}{one.about[1:]}. Expected: {one.expected}.\n# {name} = {shown}\n")
    return "".join(blocks) + _TAIL


def write_template(path: Path, *, force: bool) -> None:
    """Writes the template. Raises InvalidRequest where a file is there already, unless forced."""
    if path.exists() and not force:
        raise InvalidRequest(f"{path} exists already; --force overwrites it")
    _write(path, template())


def find_priced(name: str) -> PricedModel:
    """A model of the price snapshot, by its id or VENDOR/ID. Raises InvalidRequest with the nearest names."""
    from difflib import get_close_matches

    full = {f"{vendor}/{model_id}": (vendor, model_id) for vendor, model_id in priced_names()}
    matches = [entry for entry in full.values() if entry[1] == name] or ([full[name]] if name in full else [])
    if len(matches) > 1:
        raise InvalidRequest(f"several vendors sell {name}: name one of {', '.join('/'.join(one) for one in matches)}")
    if not matches:
        ids = {model_id: key for key, (_, model_id) in full.items()} | {key: key for key in full}
        near = list(dict.fromkeys(ids[match] for match in get_close_matches(name, ids, n=3, cutoff=0.5)))
        hint = f"did you mean {' or '.join(near)}?" if near else "write a [models.NAME] table with its prices"
        raise InvalidRequest(f"{name} is not in the price list of {snapshot()['date']}; {hint}")
    return priced_model(*matches[0])


def add_model(path: Path, priced: PricedModel, *, name: str, capability: str, env: Mapping[str, str]) -> None:
    """Appends a model's table to the file, created where there is none. Raises ConfigurationError, InvalidRequest."""
    before = ""
    if path.exists():
        if name in Settings.load(path, env).models:
            raise InvalidRequest(
                f"{path} has a table for {name} already; change it there or choose another name with --as"
            )
        before = path.read_text(encoding="utf-8-sig")
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    _write(path, before + gap + model_table(name, priced, capability))
    try:
        load_catalogue(Settings.load(path, env), "live")
    except ConfigurationError:
        _write(path, before)
        raise


def model_table(name: str, priced: PricedModel, capability: str) -> str:
    """The TOML table of a model."""
    card = priced.price
    values: dict[str, object] = {
        "provider": priced.protocol.value,
        "api_id": priced.id,
        "base_url": priced.base_url,
        "api_key_env": priced.api_key_env,
        "capability": capability,
        "features": _features(priced),
        "context_window": priced.context_window,
        **_prices(card),
        "tiers": [{"above": tier.above, **_prices(tier)} for tier in card.tiers] or None,
        "retired_on": priced.retired_on,
    }
    source = f"# {priced.vendor}: prices of {snapshot()['source']}, {snapshot()['date']}, USD a 1,000,000 tokens"
    lines = [f"{key} = {toml_value(value)}" for key, value in values.items() if value is not None]
    longest = "# max_tokens = 4096  # the longest answer, in tokens; raise it to what the vendor allows"
    return "\n".join([f"[models.{toml_key(name)}]", source, *lines, longest]) + "\n"


def _features(priced: PricedModel) -> tuple[str, ...] | None:
    """What a vendor's own models surely carry; newer ones refuse a temperature. None: what the protocol usually has."""
    known = {
        "anthropic": ("images", "tools", "tool_choice", "one_tool_call", "stop"),
        "openai": ("images", "json", "json_schema"),
    }
    return known.get(priced.vendor)


def toml_key(name: str) -> str:
    """A key, quoted where it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


def toml_value(value: object) -> str:
    """A value as TOML writes it; exact decimals as texts."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f'"{value:f}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(entry) for entry in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{toml_key(key)} = {toml_value(entry)}' for key, entry in value.items())} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _prices(rates: PriceCard | PriceTier) -> dict[str, object]:
    names = ("input", "output", "cache_read", "cache_write")
    return {f"{name}_price": getattr(rates, name) for name in names if getattr(rates, name) is not None}


def _write(path: Path, text: str) -> None:
    """Replaces the file at once, so that a crash leaves the old one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o7777)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigurationError(f"cannot write the settings file {path}: {error.strerror}") from None
