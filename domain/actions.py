"""What a strategy can say is due: effects as data, performed by the loop."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ErrorKind
from .events import EscalationReason, Method, PlannedCall, StopReason
from .units import Probability, Usd


@dataclass(frozen=True, slots=True)
class AssessPrompt:
    """Say what the request needs."""


@dataclass(frozen=True, slots=True)
class DecideRoute:
    """Choose the models, in order."""


@dataclass(frozen=True, slots=True)
class CallModel:
    """Ask a model: call number `index` of the plan, from 0. `judges` are the attempts whose answers it is shown."""

    index: int
    call: PlannedCall
    judges: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreAnswer:
    """Say how far an attempt's answer can be trusted; `by` is the attempt that judged it, None where none did."""

    attempt: int
    by: int | None = None


@dataclass(frozen=True, slots=True)
class Escalate:
    """Leave a model of the chain for the next."""

    from_call: PlannedCall
    to_call: PlannedCall
    reason: EscalationReason
    confidence: Probability | None
    threshold: Probability | None


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Hold the answers of these attempts against each other; `by` is the attempt that judged or fused them.

    A check looks only whether they agree: an answer stands by it where all do. Method None: what suits the answers.
    """

    attempts: tuple[int, ...]
    method: Method | None = None
    by: int | None = None
    is_check: bool = False


@dataclass(frozen=True, slots=True)
class Complete:
    """End the run with an attempt's answer; None: with the one from the cache."""

    attempt: int | None
    reason: StopReason


@dataclass(frozen=True, slots=True)
class Fail:
    """End the run without an answer."""

    kind: ErrorKind
    needed: Usd | None = None


Action = AssessPrompt | DecideRoute | CallModel | ScoreAnswer | Escalate | Synthesize | Complete | Fail
