"""How capable a model a prompt needs: its task type is the floor, what it shows of its difficulty raises it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .catalogue import ModelCapability
from .reading import Reading, read
from .request import Request
from .signals import has_code, has_formula, measure
from .units import MILLION, Probability, fraction, probability

ASSESSOR = "patterns-1"


class TaskType(StrEnum):
    """What a prompt asks for. Source: the seed's model selection matrix (2025-12-01)."""

    QUESTION = "question"
    FORMATTING = "formatting"  # rewriting, translating, summarising, extracting too
    CODE_REVIEW = "code_review"  # reading code in any way
    CODE_GENERATION = "code_generation"
    SYSTEM_DESIGN = "system_design"
    ARCHITECTURE = "architecture"
    RESEARCH = "research"
    ANALYSIS = "analysis"

    @property
    def floor(self) -> ModelCapability:
        """The least capability that a task of this type needs, whatever else the prompt shows."""
        return _FLOORS[self]


_FLOORS = {
    TaskType.QUESTION: ModelCapability.BASIC,
    TaskType.FORMATTING: ModelCapability.BASIC,
    TaskType.CODE_REVIEW: ModelCapability.INTERMEDIATE,
    TaskType.CODE_GENERATION: ModelCapability.INTERMEDIATE,
    TaskType.SYSTEM_DESIGN: ModelCapability.ADVANCED,
    TaskType.ARCHITECTURE: ModelCapability.ADVANCED,
    TaskType.RESEARCH: ModelCapability.EXPERT,
    TaskType.ANALYSIS: ModelCapability.EXPERT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a request needs, and why."""

    capability: ModelCapability
    confidence: Probability  # that the class is right
    task_type: TaskType
    signals: dict[str, int]  # strength in millionths of one class; those that fired
    assessor: str = ASSESSOR


class ComplexityAnalyzer:
    """Patterns of words and form; the cold start, before anything was learned."""

    def score_complexity(self, prompt: str) -> tuple[ModelCapability, float]:
        """The capability that the prompt needs, and the confidence 0..1 in it."""
        assessment = self.assess_prompt(prompt)
        return assessment.capability, fraction(assessment.confidence)

    def assess(self, request: Request) -> Assessment:
        """The assessment of the request's last user message."""
        return self.assess_prompt(request.prompt)

    def assess_prompt(self, prompt: str) -> Assessment:
        """The assessment of a prompt. Total and pure; time is bounded by the window read."""
        reading = read(prompt)
        signals = measure(reading)
        task_type = classify(reading)
        floor, strength = task_type.floor.rank, max(0, sum(signals.values()))
        rank = min(3, max(floor, strength // MILLION))
        return Assessment(
            capability=tuple(ModelCapability)[rank],
            confidence=_confidence(rank, floor, signals),
            task_type=task_type,
            signals=signals,
        )


def classify(reading: Reading) -> TaskType:
    """The task type by what the prompt's sentences ask for, and of what."""
    acts, objects = reading.acts, reading.objects
    software, code = bool(reading.topics["software"]), has_code(reading) or "code" in objects
    if reading.opening & {"format", "translate"}:
        return TaskType.CODE_GENERATION if code else TaskType.FORMATTING
    if "architecture" in objects and acts and (software or "system" in objects or "design" in acts):
        return TaskType.ARCHITECTURE
    if "system" in objects and acts & {"design", "build"}:
        return TaskType.CODE_GENERATION if reading.small else TaskType.SYSTEM_DESIGN
    if code and acts & {"review", "analyse"}:
        return TaskType.CODE_REVIEW
    if (acts & {"design", "build"} and (code or software)) or (code and "write" in acts):
        return TaskType.CODE_GENERATION
    if has_code(reading):
        return TaskType.CODE_REVIEW if acts or reading.questions else TaskType.CODE_GENERATION
    return TaskType.QUESTION if reading.small or _is_exercise(reading) else _inquiry(reading)


def _is_exercise(reading: Reading) -> bool:
    """One answer is to be found from what is given, whatever the verb."""
    return "calculate" in reading.acts or has_formula(reading) or reading.numbers >= 5


def _inquiry(reading: Reading) -> TaskType:
    if "research" in reading.acts or reading.topics["research"]:
        return TaskType.RESEARCH
    return TaskType.ANALYSIS if "analyse" in reading.acts else TaskType.QUESTION


def _confidence(rank: int, floor: int, signals: dict[str, int]) -> Probability:
    """Higher the farther the strength lies from the classes beside the one chosen; lower where nothing fired."""
    strength = sum(signals.values())
    above = (rank + 1) * MILLION - strength if rank < 3 else MILLION
    below = MILLION if rank == floor else strength - rank * MILLION
    return probability(0.5 + (0.45 if signals else 0.25) * min(above, below, MILLION) / MILLION)
