"""Token counts of both vendors in disjoint classes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.pricing import Usage
from model_orchestrator.infrastructure.providers.usage import anthropic_usage, openai_usage

COUNT = st.integers(0, 10**9)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = (
    "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
    "input_tokens", "output_tokens", "cache_read_input_tokens", "output_tokens_details",
)  # fmt: skip


@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_openai_classes_sum_to_what_was_billed(uncached: int, read: int, written: int, out: int, thought: int) -> None:
    """The prompt count includes both cache counts, the completion count includes reasoning."""
    prompt, completion = uncached + read + written, out + thought
    raw = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    usage = Usage(input_uncached=uncached, cache_read=read, cache_write=written, output=out, reasoning=thought)
    assert openai_usage(raw) == usage
    assert (usage.input_tokens, usage.output_tokens) == (prompt, completion)


@given(COUNT, COUNT, st.integers(1, 10**9))
def test_reasoning_that_a_server_counts_apart_is_added(prompt: int, out: int, thought: int) -> None:
    """Its total says so; leaving it out would understate the cost."""
    raw = {
        "prompt_tokens": prompt,
        "completion_tokens": out,
        "total_tokens": prompt + out + thought,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    usage = openai_usage(raw)
    assert usage is not None
    assert (usage.output, usage.reasoning) == (out, thought)


@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_anthropic_classes_are_as_given(uncached: int, read: int, written: int, out: int, thought: int) -> None:
    """The input count excludes both cache counts, the output count includes thinking."""
    raw = {
        "input_tokens": uncached,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": out + thought,
        "output_tokens_details": {"thinking_tokens": thought},
    }
    usage = Usage(input_uncached=uncached, cache_read=read, cache_write=written, output=out, reasoning=thought)
    assert anthropic_usage(raw) == usage


@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING))
def test_whatever_a_server_reports_is_counted_or_unknown(raw: dict[str, Any]) -> None:
    """Total: no count is negative, and nothing is raised."""
    for usage in (openai_usage(raw), anthropic_usage(raw)):
        assert usage is None or min(usage.input_uncached, usage.cache_read, usage.output, usage.reasoning) >= 0


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        {"prompt_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": 5, "completion_tokens": -1},
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 6}},
        {"prompt_tokens": 5, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 2}},
    ],
)
def test_counts_that_make_no_sense_are_unknown(raw: dict[str, Any] | None) -> None:
    """Unknown is None, never 0: the call settles at its bound."""
    assert openai_usage(raw) is None


@pytest.mark.parametrize("count", [10**10 + 1, 10**20])
def test_a_count_that_nobody_can_mean_was_not_said(count: int) -> None:
    """Its price would be no amount that a budget can keep, and the paid answer could not be recorded."""
    assert openai_usage({"prompt_tokens": 2, "completion_tokens": count}) is None
    assert anthropic_usage({"input_tokens": count, "output_tokens": 2}) is None
