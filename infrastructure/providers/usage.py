"""Token counts of both vendors in the domain's disjoint classes.

A count that is missing, negative, absurd or contradicts another yields None: it was not said, so the call settles at
its bound.
"""

from __future__ import annotations

from typing import Any

from ...domain.pricing import Usage

MOST = 10**10  # tokens: far beyond any context window, and its price is still an amount that can be kept


def _count(raw: Any, name: str, default: int | None = None) -> int:
    """A count of `raw`. Raises ValueError where it is no whole number from 0 to `MOST`."""
    value = raw.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
        raise ValueError(f"{name} is no token count")
    return value


def _details(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """A breakdown of `raw`; empty where there is none."""
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _usage(**classes: int) -> Usage | None:
    """The classes, unless one of them came out negative."""
    return Usage(**classes) if min(classes.values()) >= 0 else None


def openai_usage(raw: dict[str, Any] | None) -> Usage | None:
    """Chat Completions: the prompt count includes cached tokens, the completion count includes reasoning.

    A server whose total only adds up with reasoning on top keeps it apart (xAI does), and so it is counted.
    Source: openai 3.57.0, types/completion_usage.py; docs.rs/radkit, GrokLlm (2026-11-24).
    """
    if raw is None:
        return None
    try:
        prompt, completion = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
        details = _details(raw, "prompt_tokens_details")
        read, written = _count(details, "cached_tokens", 0), _count(details, "cache_write_tokens", 0)
        reasoning = _count(_details(raw, "completion_tokens_details"), "reasoning_tokens", 0)
        total = _count(raw, "total_tokens", prompt + completion)
    except ValueError:
        return None
    apart = reasoning > 0 and total == prompt + completion + reasoning
    return _usage(
        input_uncached=prompt - read - written,
        cache_read=read,
        cache_write=written,
        output=completion if apart else completion - reasoning,
        reasoning=reasoning,
    )


def anthropic_usage(raw: dict[str, Any] | None) -> Usage | None:
    """Messages: the input count excludes both cache counts, the output count includes thinking.

    Source: anthropic 2.13.0, types/usage.py and types/output_tokens_details.py (2026-11-24).
    """
    if raw is None:
        return None
    try:
        reasoning = _count(_details(raw, "output_tokens_details"), "thinking_tokens", 0)
        return _usage(
            input_uncached=_count(raw, "input_tokens"),
            cache_read=_count(raw, "cache_read_input_tokens", 0),
            cache_write=_count(raw, "cache_creation_input_tokens", 0),
            output=_count(raw, "output_tokens") - reasoning,
            reasoning=reasoning,
        )
    except ValueError:
        return None
