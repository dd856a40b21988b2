"""The texts of recorded runs, as far as they were stored and are not erased, read for several runs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..domain.events import ContentRef, ModelCalled
from ..domain.request import Request
from ..domain.run import Run
from .attempts import restored
from .ports import Answer, RunLog
from .world import money_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A run's texts that are there; the answers by attempt."""

    request: Request | None = None
    answers: Mapping[int, Answer] = field(default_factory=dict)


async def texts_of(log: RunLog, runs: Sequence[Run]) -> list[Texts]:
    """Of each run, in their order."""
    asked = [run.started.request for run in runs if run.started and run.started.request]
    requests = await log.requests(asked)
    texts = await log.texts([ref for run in runs for ref in _references(run)])
    return [_texts(run, requests, texts) for run in runs]


def _references(run: Run) -> list[ContentRef]:
    called = [attempt.outcome for attempt in run.attempts if isinstance(attempt.outcome, ModelCalled)]
    return [ref for one in called for ref in (one.answer, one.raw) if ref is not None]


def _texts(run: Run, requests: Mapping[str, Request], texts: Mapping[str, str]) -> Texts:
    reference = run.started.request if run.started else None
    answers: dict[int, Answer] = {}
    for attempt in run.attempts:
        called = attempt.outcome
        if run.started is None or not isinstance(called, ModelCalled) or called.answer is None:
            continue
        if called.answer.id in texts:
            raw = texts.get(called.raw.id) if called.raw else None
            money = attempt.cost.money if attempt.cost else money_of(run.started.provider)
            answers[attempt.number] = restored(called, texts[called.answer.id], raw, money=money)
    return Texts(request=requests.get(reference.id) if reference else None, answers=answers)
