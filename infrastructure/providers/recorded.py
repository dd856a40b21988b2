"""A model client that answers with what a model once answered to exactly this prompt, at what that cost then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from ...application.ports import Answer, DeltaSink, ModelCall
from ...domain.call_planning import features_asked
from ...domain.dataset import Example, Outcome
from ...domain.errors import ErrorKind, InvalidRequest, ModelRefused
from ...domain.events import Money
from ...domain.finish import FinishReason
from ...domain.pricing import Usage, worst_cost
from ...domain.request import Request, Role, TextPart
from ...domain.tokens import bound_input
from ...domain.units import Duration
from .simulated_text import pieces


class RecordedClient:
    """Answers from one data set; `find` gives its row for a prompt."""

    def __init__(self, find: Callable[[str], Example | None]) -> None:
        self._find = find

    async def complete(self, call: ModelCall, sink: DeltaSink | None = None) -> Answer:
        """The recorded answer, whole; with a sink, word by word.

        Raises InvalidRequest for more than a single prompt, ModelRefused where the model has no answer to it, or one
        that is longer or dearer than the call may be.
        """
        started = time.perf_counter()
        prompt = single_prompt(call.request)
        if prompt is None or features_asked(call.request):
            raise InvalidRequest("a data set answers single prompts, without tools, forms or sampling options")
        row = await asyncio.to_thread(self._find, prompt)
        outcome = None if row is None else row.outcomes.get(call.model.name)
        if row is None or outcome is None or outcome.text is None:
            raise ModelRefused(ErrorKind.BAD_REQUEST, detail="the data set has no answer of this model to this prompt")
        if not _fits(call, outcome):
            raise ModelRefused(ErrorKind.BAD_REQUEST, detail="the recorded answer is longer than the call may be")
        answer = _answer(call, row, outcome, outcome.text)
        return answer if sink is None else _streamed(answer, sink, started)

    async def aclose(self) -> None:
        """Nothing is open here."""


def single_prompt(request: Request) -> str | None:
    """The words of a request that is one message of a user, and nothing else."""
    match [(message.role, message.parts) for message in request.messages]:
        case [(Role.USER, (TextPart(text=text),))]:
            return text
        case _:
            return None


def _fits(call: ModelCall, outcome: Outcome) -> bool:
    """Whether the answer is within the call's most output, and its cost within what is held for the call."""
    if (outcome.output_tokens or 0) > call.max_output_tokens:
        return False
    if outcome.cost is None or call.model.price is None:
        return True
    bound = bound_input(call.request)
    return outcome.cost <= worst_cost(call.model.price, input_tokens=bound, output_tokens=call.max_output_tokens)


def _answer(call: ModelCall, row: Example, outcome: Outcome, text: str) -> Answer:
    given = row.input_tokens if outcome.input_tokens is None else outcome.input_tokens
    is_counted = given is not None and outcome.output_tokens is not None
    return Answer(
        text=text,
        finish_reason=FinishReason.STOP,  # a set does not say
        usage=Usage(input_uncached=given or 0, output=outcome.output_tokens or 0) if is_counted else None,
        raw_usage={"input_tokens": given, "output_tokens": outcome.output_tokens} if is_counted else None,
        response_model=call.model.api_id,
        money=Money.RECORDED,
        cost=outcome.cost,
    )


def _streamed(answer: Answer, sink: DeltaSink, started: float) -> Answer:
    first_token = Duration(round((time.perf_counter() - started) * 1_000_000))
    for piece in pieces(answer.text):
        sink(piece)
    return replace(answer, first_token=first_token)
