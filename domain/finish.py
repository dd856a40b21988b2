"""Why an answer ended."""

from __future__ import annotations

from enum import StrEnum


class FinishReason(StrEnum):
    """How a model stopped, in one vocabulary for every provider."""

    STOP = "stop"
    LENGTH = "length"  # cut at max_tokens
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"  # safety or content filter: an answer, not a failure
    OTHER = "other"
