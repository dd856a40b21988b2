"""Runs as JSON documents: one with all that is known of it, and as a line of a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..domain.events import FeedbackGiven, RunCompleted, RunFailed
from ..domain.units import MILLION, fraction, plain, usd
from ..projections.run_report import RunRow
from .ports import EventStore, RunLog
from .privacy import erasure_dict, erasure_of
from .result import attempt_dict, rescored_dict, synthesis_dict, warnings
from .runs import LoggedRun
from .world import money_of


async def run_document(store: EventStore, log: RunLog, logged: LoggedRun) -> dict[str, Any]:
    """A run with its texts, attempts, feedback and scores; null where unknown, not stored or erased."""
    run = logged.run
    erased = await erasure_of(store, log, run.id)
    request = await log.request(run.started.request) if run.started and run.started.request else None
    answer = await log.answer(run.ended.answer) if isinstance(run.ended, RunCompleted) and run.ended.answer else None
    return _head(logged) | {
        "tags": run.started.tags if run.started else {},
        "error": run.ended.kind.value if isinstance(run.ended, RunFailed) else None,
        "confidence": fraction(run.ended.confidence) if isinstance(run.ended, RunCompleted) else None,
        "stop_reason": run.ended.stop_reason.value if isinstance(run.ended, RunCompleted) else None,
        **synthesis_dict(run),
        "attempts": [attempt_dict(attempt) for attempt in run.attempts],
        "warnings": warnings(run),
        "feedback": await _feedback(log, run.feedback),
        "rescored": [rescored_dict(one) for one in run.rescored],
        "prompt": request.prompt if request else None,
        "response": answer,
        "erased": None if erased is None else erasure_dict(erased),
    }


def run_dict(run: RunRow) -> dict[str, Any]:
    """A line of a list: USD as plain digits; `cost` is null where a part of it is unknown, `known_cost` the rest."""
    return {
        "run_id": run.run,
        "status": run.status,
        "strategy": run.strategy,
        "category": run.category,
        "owner": run.owner,
        "cost": None if run.cost is None else plain(usd(run.cost)),
        "known_cost": plain(usd(run.known_cost)),
        "money": charged_money(run),
        "model": run.model,
        "started_at": datetime.fromtimestamp(run.started_at / MILLION, UTC).isoformat(timespec="seconds"),
    }


def charged_money(run: RunRow) -> str | None:
    """The kinds its calls showed, else its own; None where nobody was asked."""
    if run.charged is not None:
        return run.charged.replace(",", ", ")
    return run.money if run.attempts or run.cached_model is not None else None


def _head(logged: LoggedRun) -> dict[str, Any]:
    run = logged.run
    charged = sorted({attempt.cost.money.value for attempt in run.attempts if attempt.cost})
    started_at = datetime.fromtimestamp(logged.events[0].envelope.recorded_at / MILLION, UTC)
    return {
        "run_id": run.id,
        "status": run.status.value,
        "strategy": run.started.strategy if run.started else None,
        "category": run.started.category if run.started else None,
        "owner": run.started.owner if run.started else None,
        "cost": None if run.cost is None else plain(run.cost),
        "money": ", ".join(charged) or (money_of(run.started.provider).value if run.started and run.model else None),
        "model": run.model,
        "started_at": started_at.isoformat(timespec="seconds"),
    }


async def _feedback(log: RunLog, given: Sequence[FeedbackGiven]) -> list[dict[str, Any]]:
    notes = await log.texts([one.note for one in given if one.note])
    return [
        {
            "value": fraction(one.value),
            "by": one.by,
            "attempt": one.attempt,
            "note": notes.get(one.note.id) if one.note else None,
        }
        for one in given
    ]
