"""What a strategy can say is due: effects as data, performed by the loop."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ErrorKind
from .events import PlannedCall, Purpose
from .units import Usd


@dataclass(frozen=True, slots=True)
class AssessPrompt:
    """Say what the request needs."""


@dataclass(frozen=True, slots=True)
class DecideRoute:
    """Choose the models, in order."""


@dataclass(frozen=True, slots=True)
class CallModel:
    """Ask a model; `attempt` is the number the call will have."""

    attempt: int
    call: PlannedCall
    purpose: Purpose = Purpose.ANSWER


@dataclass(frozen=True, slots=True)
class ScoreAnswer:
    """Say how far an attempt's answer can be trusted."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Complete:
    """End the run with an attempt's answer."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Fail:
    """End the run without an answer."""

    kind: ErrorKind
    needed: Usd | None = None


Action = AssessPrompt | DecideRoute | CallModel | ScoreAnswer | Complete | Fail
