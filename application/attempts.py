"""One paid call: what is recorded before it leaves, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..domain.actions import CallModel
from ..domain.budget import own_hold
from ..domain.catalogue import ModelConfig
from ..domain.errors import ErrorKind, ModelError, OutcomeUnknown
from ..domain.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    ContentRef,
    CostIncurred,
    Headroom,
    ModelCalled,
    Money,
    RetryRefused,
    RunCompleted,
    RunEvent,
)
from ..domain.finish import FinishReason
from ..domain.pricing import Usage, cost
from ..domain.request import ToolCallPart
from ..domain.run import AttemptStatus, Run, fold
from ..domain.units import MILLION, Duration, Usd, usd
from .ports import Answer, Content, HoldRefused, RunLog
from .world import money_of

SERVED_IN_PROCESS = ("simulated", "recorded")
LONGEST_LABEL = 200  # characters
Outcome = tuple[list[RunEvent], list[Content]]


def attempt_started(run: Run, action: CallModel, model: ModelConfig, *, provider: str) -> AttemptStarted:
    """The fact that goes before the wire. `provider` is the run's: a live call names the model's own.

    A lost attempt keeps its hold, so the next one brings its own; after one known unbilled, that hold is still there.
    """
    return AttemptStarted(
        attempt=len(run.attempts) + 1,
        call=action.index,
        epoch=run.epoch,
        model=model.name,
        provider=provider if provider.startswith(SERVED_IN_PROCESS) else model.provider.value,
        api_id=model.api_id,
        price_card=model.price,
        purpose=action.call.purpose,
        max_cost=action.call.max_cost,
        max_output_tokens=action.call.max_output_tokens,
        hold=own_hold(run, action.call) if _was_lost(run, action) else (),
    )


def headroom_of(refused: HoldRefused) -> Headroom:
    """How the budget stood that refused."""
    return Headroom(
        scope=refused.scope,
        period=refused.period,
        limit=usd(refused.limit),
        held=usd(refused.held),
        settled=usd(refused.settled),
    )


def retry_refused(run: Run, retries: Sequence[CallModel], refused: HoldRefused) -> list[RetryRefused]:
    """The last of these calls whose own hold the budget refused is not made again; with less, the others may fit."""
    for action in reversed(retries):
        holds = own_hold(run, action.call) if _was_lost(run, action) else ()
        if any((hold.scope, hold.period) == (refused.scope, refused.period) for hold in holds):
            latest, needed = run.of_call(action.index)[-1], action.call.max_cost
            assert needed is not None, "what holds money has a price"
            return [RetryRefused(attempt=latest.number, needed=needed, headroom=headroom_of(refused))]
    return []


def _was_lost(run: Run, action: CallModel) -> bool:
    before = run.of_call(action.index)
    return bool(before) and before[-1].status is AttemptStatus.LOST


def crashed(run: Run) -> list[AttemptLost]:
    """The open attempts of a run whose worker is gone: what became of them is unknown."""
    return [
        AttemptLost(
            attempt=attempt.number,
            kind=ErrorKind.CRASH,
            status=None,
            detail=None,
            provider_request_id=None,
            latency=None,
        )
        for attempt in run.attempts
        if attempt.status is AttemptStatus.OPEN
    ]


def incurred(started: AttemptStarted, usage: Usage | None, money: Money, charged: Usd | None = None) -> CostIncurred:
    """What an answered attempt cost: what was charged, else exact from its usage, else at most, marked estimated."""
    card = started.price_card
    exact = cost(usage, card) if card is not None and usage is not None else None
    is_known = charged is not None or usage is not None
    return CostIncurred(
        attempt=started.attempt,
        amount=(exact if charged is None else charged) if is_known else started.max_cost,
        price_card=None if card is None else card.id,
        estimated=not is_known,
        settles=(),
        money=money,
    )


class OutcomeRecorder:
    """Turns what came back from a run's calls into events and contents."""

    def __init__(self, log: RunLog, run_id: str, *, subject: str | None, keep_content: bool) -> None:
        self._log = log
        self._run_id = run_id
        self._subject = subject
        self._keep_content = keep_content

    def answered(self, started: AttemptStarted, answer: Answer, latency: Duration) -> Outcome:
        """A whole answer, and what it cost: as it says, else by its usage, else at most, marked estimated."""
        answer_ref, contents = self._keep(_answer_text(answer))
        raw_ref, raw_contents = self._keep(_raw_text(answer))
        called = ModelCalled(
            attempt=started.attempt,
            answer=answer_ref,
            raw=raw_ref,
            usage=answer.usage,
            finish_reason=answer.finish_reason,
            response_model=_label(answer.response_model),
            provider_request_id=_label(answer.provider_request_id),
            latency=latency,
            first_token=answer.first_token,
        )
        return [called, incurred(started, answer.usage, answer.money, answer.cost)], contents + raw_contents

    def failed(
        self, started: AttemptStarted, error: ModelError, latency: Duration, *, retry_in: Duration | None = None
    ) -> Outcome:
        """A call without an answer: lost where it may be billed, failed where it is known not to be."""
        detail, contents = self._keep(error.detail)
        if isinstance(error, OutcomeUnknown):
            lost = AttemptLost(
                attempt=started.attempt,
                kind=error.error,
                status=error.status,
                detail=detail,
                provider_request_id=_label(error.provider_request_id),
                latency=latency,
            )
            return [lost], contents
        failed = AttemptFailed(
            attempt=started.attempt,
            kind=error.error,
            status=error.status,
            retry_after=None if error.retry_after is None else Duration(round(error.retry_after * MILLION)),
            retry_in=retry_in,
            billed=False,
            detail=detail,
            provider_request_id=_label(error.provider_request_id),
            latency=latency,
        )
        return [failed], contents

    def _keep(self, text: str | None) -> tuple[ContentRef | None, list[Content]]:
        if not text or not self._keep_content:
            return None, []
        return self._log.keep_text(self._run_id, text, self._subject)


def _label(given: str | None) -> str | None:
    """A name that a provider gave, as an event may hold it: valid text, and no more of it than a name has."""
    return None if given is None else given[:LONGEST_LABEL].encode("utf-8", "backslashreplace").decode()


async def recalled(log: RunLog, run: Run) -> Answer | None:
    """The answer a run ended with, read back; None where it has none, or its text was not stored or was erased."""
    assert run.started is not None, "only a started run has an answer"
    reference = run.ended.answer if isinstance(run.ended, RunCompleted) else None
    text = None if reference is None else await log.text(reference)
    if text is None:
        return None
    said, called = json.loads(text), await _called(log, run)
    return Answer(
        text=said["text"],
        tool_calls=_tool_calls(said),
        finish_reason=FinishReason.OTHER if called is None else called.finish_reason,
        usage=None if called is None or run.cached else called.usage,
        money=money_of(run.started.provider),
    )


async def _called(log: RunLog, run: Run) -> ModelCalled | None:
    """The outcome of the attempt that a completed run's answer is of; of another run, where it is given again."""
    number = run.ended.attempt if isinstance(run.ended, RunCompleted) else None
    if run.cached is not None:
        number = run.cached.attempt
        run = fold(run.cached.run, [entry.event for entry in await log.read(run.cached.run)])
    outcome = run.attempt(number).outcome if number is not None and number <= len(run.attempts) else None
    return outcome if isinstance(outcome, ModelCalled) else None


def restored(called: ModelCalled, answer: str | None, raw: str | None, *, money: Money) -> Answer:
    """An answer read back from its texts; what was not stored or was erased is missing."""
    said, measured = json.loads(answer or "{}"), json.loads(raw or "{}")
    logprobs = measured.get("logprobs")
    return Answer(
        text=said.get("text", ""),
        tool_calls=_tool_calls(said),
        finish_reason=called.finish_reason,
        usage=called.usage,
        raw_usage=measured.get("usage"),
        logprobs=None if logprobs is None else tuple(logprobs),
        response_model=called.response_model,
        provider_request_id=called.provider_request_id,
        first_token=called.first_token,
        money=money,
    )


def _tool_calls(said: dict[str, Any]) -> tuple[ToolCallPart, ...]:
    return tuple(ToolCallPart(**call) for call in said.get("tool_calls", ()))


def _answer_text(answer: Answer) -> str:
    """An answer as content: its text, and the tools it asks for."""
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.tool_calls]
    return json.dumps({"text": answer.text, **({"tool_calls": calls} if calls else {})}, ensure_ascii=False)


def _raw_text(answer: Answer) -> str | None:
    """What the provider itself counted and measured; None where it gave nothing."""
    given = {"usage": answer.raw_usage, "logprobs": answer.logprobs}
    kept = {name: value for name, value in given.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False) if kept else None
