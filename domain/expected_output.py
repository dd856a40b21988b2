"""How many tokens an answer is expected to have, by what the request asks for."""

from __future__ import annotations

from .catalogue import ModelCapability
from .complexity import TaskType

# Mean output tokens of an answer. Source: recorded answers of 17 models (dev halves of ZeroEval, MMLU-Pro,
# RouteLLM's GSM8K and RouterArena, 4,916 prompts, read 2026-11-24), by our own assessment ("patterns-1") of their
# prompts. The four open types, of which these sets hold next to nothing, take the mean of WildBench's 523 tasks.
# Fitted by tests/fitting/fit_expected_output.py; cells of fewer than ten prompts take their type's mean.
EXPECTED_OUTPUT: dict[str, dict[str, int]] = {
    "question": {"basic": 103, "intermediate": 117, "advanced": 159, "expert": 288},
    "formatting": {"basic": 51, "intermediate": 51, "advanced": 51, "expert": 51},
    "code_review": {"intermediate": 199, "advanced": 203, "expert": 200},
    "code_generation": {"intermediate": 215, "advanced": 215, "expert": 245},
    "system_design": {"advanced": 493, "expert": 493},
    "architecture": {"advanced": 493, "expert": 493},
    "research": {"expert": 493},
    "analysis": {"expert": 493},
}


def expected_output_tokens(task_type: TaskType, capability: ModelCapability) -> int:
    """The tokens of a typical answer; a call's own limit still caps it. Below the type's floor, the floor's."""
    outputs = EXPECTED_OUTPUT[task_type]
    return outputs.get(capability, outputs[task_type.floor])
