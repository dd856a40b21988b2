"""Log lines about runs, on standard error: readable on a terminal, JSON otherwise; ids, enums and numbers only.

structlog is imported at the first line that is logged: a run that has nothing to say does not pay for it.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from ..domain.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    BudgetAlerted,
    CostIncurred,
    ModelCalled,
    RetryRefused,
    RoutingDecided,
    RunCancelled,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunStarted,
)
from ..domain.units import MILLION, Usd, fraction, plain

if TYPE_CHECKING:
    import structlog

LEVELS: dict[type[Any], int] = {  # of each event that is logged; the others are for the audit trail
    AttemptLost: logging.WARNING,  # money may be gone, and nobody knows
    AttemptFailed: logging.INFO,
    RetryRefused: logging.INFO,
    RunCompleted: logging.INFO,
    RunFailed: logging.INFO,
    RunCancelled: logging.INFO,
    RunStarted: logging.DEBUG,
    RoutingDecided: logging.DEBUG,
    AttemptStarted: logging.DEBUG,
    ModelCalled: logging.DEBUG,
    CostIncurred: logging.DEBUG,
}


class RunLogging:
    """Writes a line for each event at or above `level` (debug, info, warning, error); `form` is auto, human or json."""

    def __init__(self, level: str, form: str) -> None:
        self._level = logging.getLevelNamesMapping()[level.upper()]
        self._form = form
        self._logger: structlog.typing.FilteringBoundLogger | None = None

    def observe(self, run_id: str, event: RunEvent) -> None:
        """Log the event, if it is of that importance."""
        level = LEVELS.get(type(event), logging.NOTSET)
        if level and level >= self._level:
            name = logging.getLevelName(level).lower()
            getattr(self._opened(), name)(type(event).__name__, run_id=run_id, **_figures(event))

    def alert(self, event: BudgetAlerted) -> None:
        """Log that a budget's spending passed a mark."""
        if self._level <= logging.WARNING:
            self._opened().warning("BudgetAlerted", **alert_dict(event))

    def waiting(self, run_id: str, model: str, seconds: float) -> None:
        """Log that a call waits for its place within the model's rate limit."""
        if self._level <= logging.INFO:
            self._opened().info("RateLimitWait", run_id=run_id, model=model, seconds=round(seconds, 3))

    @property
    def tells_requests(self) -> bool:
        """Whether requests of the service are logged."""
        return self._level <= logging.INFO

    def served(self, **figures: Any) -> None:
        """Log that the service answered a request."""
        if self._level <= logging.INFO:
            self._opened().info("Request", **figures)

    def trouble(self, what: str, **figures: Any) -> None:
        """Log that something beside the runs does not work."""
        if self._level <= logging.WARNING:
            self._opened().warning(what, **figures)

    def _opened(self) -> structlog.typing.FilteringBoundLogger:
        if self._logger is None:
            import structlog

            human = self._form == "human" or (self._form == "auto" and sys.stderr.isatty())
            self._logger = structlog.wrap_logger(
                structlog.PrintLogger(sys.stderr),
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
                    if human
                    else structlog.processors.JSONRenderer(),
                ],
                wrapper_class=structlog.make_filtering_bound_logger(self._level),
            )
        return self._logger


def alert_dict(event: BudgetAlerted) -> dict[str, Any]:
    """A passed mark as log lines and the webhook show it; amounts as decimal strings, USD."""
    return {
        "scope": event.scope,
        "period": event.period,
        "period_key": event.period_key,
        "money": event.money.value,
        "percent": event.percent,
        "spent": plain(event.spent),
        "limit": plain(event.limit),
    }


def _figures(event: RunEvent) -> dict[str, Any]:
    """What a line says of the event; never a text of a person, a model or a provider."""
    match event:
        case RunStarted():
            return {"strategy": event.strategy, "category": event.category, "provider": event.provider}
        case RoutingDecided():
            return {"models": [call.model for call in event.plan]}
        case AttemptStarted():
            return {"attempt": event.attempt, "model": event.model, "provider": event.provider}
        case ModelCalled():
            return {"attempt": event.attempt, "seconds": event.latency / MILLION, "finish": event.finish_reason.value}
        case AttemptFailed() | AttemptLost():
            return {"attempt": event.attempt, "error": event.kind.value, "status": event.status}
        case RetryRefused():
            return {"attempt": event.attempt, "budget": event.headroom.scope, "needed": _text(event.needed)}
        case CostIncurred():
            return {"attempt": event.attempt, "cost": _text(event.amount), "money": event.money.value}
        case RunCompleted():
            return {"cost": _text(event.cost), "confidence": fraction(event.confidence)}
        case RunFailed():
            return {"error": event.kind.value, "cost": _text(event.cost)}
        case RunCancelled():
            return {"by": event.by, "cost": _text(event.cost)}
        case _:
            return {}


def _text(amount: Usd | None) -> str | None:
    return None if amount is None else plain(amount)
