"""A model client that answers from the process itself: no network, no key, and no real money."""

from __future__ import annotations

import asyncio
import time

from ...application.ports import Answer, DeltaSink, ModelCall
from ...domain.errors import ErrorKind, OutcomeUnknown
from ...domain.events import Money
from ...domain.request import ImagePart, Request, Role, TextPart, ToolCallPart, ToolResultPart
from ...domain.units import Duration
from .simulated_text import Asked, Written, pieces, write


class SimulatedClient:
    """Answers like a model of the asked name would, always the same; `latency` is in seconds."""

    def __init__(self, latency: float = 0.0) -> None:
        self._latency = latency

    async def complete(self, call: ModelCall, sink: DeltaSink | None = None) -> Answer:
        """The simulated answer; with a sink, word by word. Raises OutcomeUnknown where the time-out is too short."""
        started = time.perf_counter()
        written = write(asked_of(call))
        await self._wait(call)
        first_token = None
        if sink is not None:
            first_token = Duration(round((time.perf_counter() - started) * 1_000_000))
            for piece in pieces(written.text):
                sink(piece)
        return _answer(call, written, first_token)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _wait(self, call: ModelCall) -> None:
        if self._latency <= 0:
            return
        if call.timeout is not None and self._latency > call.timeout:
            await asyncio.sleep(call.timeout)
            raise OutcomeUnknown(ErrorKind.TIME_OUT, detail="the simulated latency is over the call's time-out")
        await asyncio.sleep(self._latency)


def _answer(call: ModelCall, written: Written, first_token: Duration | None) -> Answer:
    return Answer(
        text=written.text,
        tool_calls=written.tool_calls,
        finish_reason=written.finish,
        usage=written.usage,
        raw_usage={"input_tokens": written.usage.input_tokens, "output_tokens": written.usage.output_tokens},
        response_model=call.model.api_id,
        first_token=first_token,
        money=Money.SIMULATED,
    )


def asked_of(call: ModelCall) -> Asked:
    """The call in the simulator's words."""
    request, parameters = call.request, call.request.parameters
    parts = [part for message in request.messages for part in message.parts]
    return Asked(
        model=call.model.api_id,
        prompt=request.prompt,
        conversation="\n".join(_text_of(part) for part in parts if not isinstance(part, ImagePart)),
        messages=len(request.messages),
        images=sum(isinstance(part, ImagePart) for part in parts),
        max_tokens=call.max_output_tokens,
        seed=parameters.seed,
        stop=parameters.stop,
        tools=parameters.tools,
        tool_choice=parameters.tool_choice,
        tool_result=_tool_result(request),
        response_format=parameters.response_format,
    )


def _text_of(part: TextPart | ToolCallPart | ToolResultPart) -> str:
    return part.arguments if isinstance(part, ToolCallPart) else part.text


def _tool_result(request: Request) -> str | None:
    """What the tools said, where they spoke last."""
    last = request.messages[-1] if request.messages else None
    if last is None or last.role is not Role.TOOL:
        return None
    return "\n".join(part.text for part in last.parts if isinstance(part, ToolResultPart))
