"""What is used where the caller names nothing: chains, panels, and a strategy for each kind of task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .catalogue import ModelCapability, ModelName
from .complexity import TaskType
from .confidence import SCORER
from .synthesis import DEFAULT_WEIGHTS, ScoreWeights
from .units import Probability, probability

POLICY_VERSION = "default-1"
DEFAULT_MAX_TOKENS = 1024  # of output, where the caller asks for no other bound
DEFAULT_TARGET = Probability(800_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Models of a fallback, in order; `backup` names the chain that is asked where all of them are down."""

    models: tuple[ModelName, ...]
    threshold: Probability = Probability(700_000)
    backup: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named set of choices: everything a decision rests on beside the request, the models and the caller's options.

    `matrix` gives auto its strategy, `by_capability` where prompts of one class differ; a task that is in neither is
    answered cheapest.
    """

    version: str = POLICY_VERSION
    chains: Mapping[str, Chain]
    default_chain: str = "mixed"
    panels: Mapping[str, tuple[ModelName, ...]]  # basic, hard, architecture, research
    matrix: Mapping[TaskType, str] = field(default_factory=dict)
    by_capability: Mapping[tuple[TaskType, ModelCapability], str] = field(default_factory=dict)
    score_weights: ScoreWeights = DEFAULT_WEIGHTS
    router: str | None = None  # version of the weights that predict success; None: the class assessed decides
    target: Probability = DEFAULT_TARGET  # the predicted success that is enough
    scorer: str = SCORER  # its name: heuristic, judge:MODEL, or the version of a learned one
    explore: Probability = Probability(0)  # how often a candidate is asked that is not the best

    def strategy(self, task_type: TaskType, capability: ModelCapability) -> tuple[str, str]:
        """What auto comes to, and why."""
        if own := self.by_capability.get((task_type, capability)):
            return own, f"task {task_type.value}, {capability.value}"
        return self.matrix.get(task_type, "cheapest"), f"task {task_type.value}"

    def panel(self, task_type: TaskType, capability: ModelCapability) -> str:
        """Which panel answers such a prompt."""
        if task_type.value in self.panels:
            return task_type.value
        return "hard" if capability.rank >= ModelCapability.ADVANCED.rank else "basic"


MATRIX = {
    TaskType.QUESTION: "cheapest",
    TaskType.FORMATTING: "cheapest",
    TaskType.CODE_REVIEW: "fallback",
    TaskType.CODE_GENERATION: "fallback",
    TaskType.SYSTEM_DESIGN: "fallback",
    TaskType.ANALYSIS: "fallback",
    TaskType.ARCHITECTURE: "ensemble",
    TaskType.RESEARCH: "ensemble",
}

SEED_POLICY = Policy(
    chains={
        "mixed": Chain(models=("gpt-4o-mini", "claude-haiku-3.5", "claude-sonnet-3.5", "claude-opus-3")),
        "anthropic": Chain(models=("claude-haiku-3.5", "claude-sonnet-3.5", "claude-opus-3")),
        "openai": Chain(models=("gpt-4o-mini", "gpt-4o", "gpt-4")),
        "fast": Chain(models=("gpt-4o-mini", "claude-haiku-3.5"), threshold=probability(0.6)),
    },
    panels={
        "basic": ("claude-haiku-3.5", "gpt-4o-mini", "claude-sonnet-3.5"),
        "hard": ("claude-sonnet-3.5", "gpt-4o", "claude-opus-3"),
        "architecture": ("claude-sonnet-3.5", "gpt-4o"),
        "research": ("claude-opus-3", "gpt-4"),
    },
    matrix=MATRIX,
)
