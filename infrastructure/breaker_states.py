"""Which models' live calls are held back now by a breaker: the model's own, or the one of its provider's key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ..application.limits import model_breaker, provider_breaker
from ..domain.breaker import BreakerState, BreakerStatus
from ..domain.catalogue import ModelConfig, ModelName
from ..domain.errors import StoreError
from ..domain.units import MILLION, Timestamp
from .availability import account
from .settings import Settings


async def breaker_states(settings: Settings, models: Sequence[ModelConfig]) -> dict[ModelName, BreakerState]:
    """The models whose breaker is not closed. Nothing is created; a database that cannot be read says nothing."""
    from .limits.opening import has_breakers, open_breakers

    if not has_breakers(settings.database_url):
        return {}
    breakers = open_breakers(settings.database_url)
    names = {model.name: _names(model, settings) for model in models}
    try:
        states = await breakers.states(list(dict.fromkeys(name for both in names.values() for name in both)))
    except StoreError:
        return {}
    finally:
        await breakers.aclose()
    worst = {model: max((states[name] for name in both), key=_severity) for model, both in names.items()}
    return {model: state for model, state in worst.items() if state.status is not BreakerStatus.CLOSED}


def _names(model: ModelConfig, settings: Settings) -> tuple[str, str]:
    return model_breaker(model.name), provider_breaker(model.provider.value, account(model, settings))


def _severity(state: BreakerState) -> tuple[int, int]:
    order = (BreakerStatus.CLOSED, BreakerStatus.HALF_OPEN, BreakerStatus.OPEN)
    return order.index(state.status), state.retry_at or 0


def breaker_text(state: BreakerState) -> str:
    """For people."""
    if state.status is BreakerStatus.HALF_OPEN:
        return "breaker half open: the next call probes"
    return f"breaker open until {_moment(state.retry_at)}" if state.retry_at else "breaker open"


def breaker_dict(state: BreakerState | None) -> dict[str, str | int | None] | None:
    """For JSON; null where it is closed."""
    if state is None:
        return None
    until = None if state.retry_at is None else _moment(state.retry_at)
    return {"status": state.status.value, "failures": state.failures, "open_until": until}


def _moment(at: Timestamp) -> str:
    return datetime.fromtimestamp(at // MILLION, UTC).isoformat()
