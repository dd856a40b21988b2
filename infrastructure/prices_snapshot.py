"""Writes `prices.json` out of genai-prices: `make prices`. Needs the development environment; never imported in a run.

Taken are chat models with exact prices: input and output a token, cache classes, tiers of long inputs. Left out are
models billed by anything else a request of ours could cause (per request, images at a price of their own, time of day),
retired ones, and OpenAI's open weights, which its own address does not serve.
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from ..domain.units import plain
from .prices import SNAPSHOT
from .setting_values import PRICE_DECIMALS

# Whose protocol, address and key: as each vendor's documentation of its OpenAI-compatible API says, 2026-11-24.
VENDORS: dict[str, tuple[str, str | None, str | None]] = {
    "anthropic": ("anthropic", None, None),
    "openai": ("openai", None, None),
    "cerebras": ("openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "deepseek": ("openai", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "fireworks": ("openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "google": ("openai", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "groq": ("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ("openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "moonshotai": ("openai", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "together": ("openai", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "x-ai": ("openai", "https://api.x.ai/v1", "XAI_API_KEY"),
    "zai": ("openai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
}
TOKEN_PRICES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}
# Billed only for what we never send: longer cache retention, searches, audio, video.
NEVER_BILLED = {
    "cache_write_1h_mtok",
    "web_searches_kcount",
    "storage_searches_kcount",
    "input_audio_mtok",
    "cache_audio_read_mtok",
    "input_video_mtok",
}
OTHER_KINDS = {
    "openai": r"^(ada|text-|babbage|curie|davinci|o\d-deep)|ft[:-]|:|audio|computer|cyber|embed|gpt-oss|image|instruct|"
    r"realtime|rosalind|search|transcribe|tts",
    "google": r"^claude|embed|robotics|tts",
    "mistral": r"embed",
}
# Source: OpenAI's and Anthropic's deprecations pages and the docstring of openai 3.57 `ChatModel`, 2026-11-24.
RETIRED = {
    "anthropic": r"^claude-(v1|2|3|opus-4-[01]|sonnet-4-0)",
    "openai": r"^(gpt-3\.5|gpt-4-|gpt-4$|gpt-4\.[15]-(nano|preview)|gpt-4o-2024-05-13|chatgpt|gpt-chat|gpt-5\.3$|"
    r"gpt-5\.1-codex|codex|o1|o3-mini|o4-mini)",
    "google": r"gemini-(1|pro|flash-1)",
}
RETIRES = {
    "2026-12-11": ("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "o3", "o3-pro"),
    "2027-01-14": ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"),
    "2027-04-01": ("gpt-5.1", "gpt-5.4-nano", "gpt-5.3-codex"),
}


def main() -> None:
    """Renews the snapshot with the prices in force on a day."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date(), help="YYYY-MM-DD, UTC")
    on: date = parser.parse_args().date
    from genai_prices.data import providers

    known = {provider.id: provider for provider in providers}
    vendors = {name: _vendor(name, known[name].models, on) for name in VENDORS}
    source = f"genai-prices {version('genai-prices')}"
    document = {"date": on.isoformat(), "source": source, "unit": "USD a 1,000,000 tokens", "vendors": vendors}
    SNAPSHOT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{SNAPSHOT.name}: {sum(len(one['models']) for one in vendors.values())} models of {source}, {on}")


def _vendor(name: str, models: list[Any], on: date) -> dict[str, Any]:
    protocol, base_url, api_key_env = VENDORS[name]
    entries = {model.id: _entry(model, on) for model in models if not _left_out(name, model)}
    for day, retiring in RETIRES.items():
        for model_id in retiring if name == "openai" else ():
            entries[model_id] = {**(entries[model_id] or {}), "retired_on": day}
    where = {"base_url": base_url, "api_key_env": api_key_env} if base_url else {}
    return {"protocol": protocol, **where, "models": {key: entries[key] for key in sorted(entries) if entries[key]}}


def _left_out(vendor: str, model: Any) -> bool:
    patterns = (table[vendor] for table in (OTHER_KINDS, RETIRED) if vendor in table)
    return bool(model.deprecated) or any(re.search(pattern, model.id) for pattern in patterns)


def _entry(model: Any, on: date) -> dict[str, Any] | None:
    """The model's prices on that day; None where they are not exactly what a request of ours would cost."""
    if any(type(one.constraint).__name__ == "TimeOfDateConstraint" for one in _conditions(model)):
        return None
    prices = model.get_prices(datetime.combine(on, time(12), UTC)).__dict__
    given = {key: value for key, value in prices.items() if value is not None}
    if given.keys() - NEVER_BILLED - set(TOKEN_PRICES.values()) or not {"input_mtok", "output_mtok"} <= given.keys():
        return None
    starts = sorted({tier.start for value in given.values() for tier in getattr(value, "tiers", ())})
    window = {"context_window": model.context_window} if model.context_window else {}
    tiers = [{"above": start, **_rates(given, start + 1)} for start in starts]
    return {**window, **_rates(given, 0), **({"tiers": tiers} if tiers else {})}


def _conditions(model: Any) -> list[Any]:
    return model.prices if isinstance(model.prices, list) else []


def _rates(prices: dict[str, Any], input_tokens: int) -> dict[str, str]:
    """The prices of a call that long, as plain decimals."""
    return {name: _price(prices[key], input_tokens) for name, key in TOKEN_PRICES.items() if key in prices}


def _price(price: Any, input_tokens: int) -> str:
    reached = [tier.price for tier in getattr(price, "tiers", ()) if input_tokens > tier.start]
    amount: Decimal = reached[-1] if reached else getattr(price, "base", price)
    if amount != amount.quantize(Decimal(1).scaleb(-PRICE_DECIMALS)):
        raise ValueError(f"{amount} has more than {PRICE_DECIMALS} decimals: one token would be less than a picodollar")
    return plain(amount)


if __name__ == "__main__":
    main()
