"""A monitor's frame as figures: for JSON and for the screen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..domain.breaker import BreakerState
from ..domain.events import Money
from ..domain.units import MILLION, plain, usd
from ..projections.overview import RunNow
from .monitor import BudgetNow, Frame, Happened

_STATUSES = ("answered", "failed", "lost", "open")


def today_dict(frame: Frame) -> dict[str, dict[str, Any]]:
    """By kind of money, those that there are: known cost as a decimal string, calls by outcome."""
    found: dict[str, dict[str, Any]] = {}
    for money in Money:
        rows = [row for row in frame.runs.today if row.money == money.value]
        if rows:
            calls = {str(row.group[0]): row.calls for row in rows}
            found[money.value] = {
                "cost": plain(usd(sum(row.cost for row in rows))),
                "unknown": sum(row.unpriced for row in rows),
                "calls": sum(calls.values()),
                **{status: calls.get(status, 0) for status in _STATUSES},
            }
    return found


def budget_now_dict(one: BudgetNow) -> dict[str, Any]:
    """Amounts as decimal strings; `money` null where nothing was held or spent in the period."""
    balance = one.balance
    return {
        "scope": one.budget.scope,
        "period": one.budget.period,
        "money": balance and balance.money.value,
        "limit": plain(one.budget.limit),
        "spent": plain(usd(balance.settled if balance else 0)),
        "held": plain(usd(balance.held if balance else 0)),
    }


def breaker_now_dict(state: BreakerState) -> dict[str, Any]:
    """Its status, the failures in a row, and until when it is open."""
    until = None if state.retry_at is None else iso(state.retry_at)
    return {"status": state.status.value, "failures": state.failures, "open_until": until}


def run_now_dict(run: RunNow) -> dict[str, Any]:
    """A run; `cost` null where a part of it is unknown."""
    return {
        "run_id": run.run,
        "started_at": iso(run.started_at),
        "status": run.status,
        "strategy": run.strategy,
        "category": run.category,
        "model": run.model,
        "cost": None if run.cost is None else plain(usd(run.cost)),
        "money": run.money,
        "error": run.error,
    }


def frame_dict(frame: Frame) -> dict[str, Any]:
    """For JSON; times are ISO 8601, UTC."""
    failures: Mapping[str, int] = frame.failures_a_minute
    return {
        "at": iso(frame.at),
        "position": frame.position,
        "today": today_dict(frame),
        "calls_a_minute": frame.calls_a_minute,
        "failures_a_minute": dict(sorted(failures.items())),
        "budgets": [budget_now_dict(one) for one in frame.budgets],
        "breakers": {model: breaker_now_dict(state) for model, state in sorted(frame.breakers.items())},
        "running": {"count": frame.runs.running_count, "runs": [run_now_dict(run) for run in frame.runs.running]},
        "last": [run_now_dict(run) for run in frame.runs.last],
        "latest": [_event_dict(one) for one in frame.latest],
    }


def _event_dict(one: Happened) -> dict[str, Any]:
    return {"position": one.position, "at": iso(one.at), "stream": one.stream, "type": one.type, "says": one.says}


def iso(at: int) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(at / MILLION, UTC).isoformat(timespec="milliseconds")
