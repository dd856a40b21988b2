"""The playground: a prompt, the plan and its price before anything is asked, then the run as it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import RedirectResponse, Response, StreamingResponse

from ....application.amounts import dollars
from ....application.departure import Departure
from ....application.result import OrchestrationResult
from ....application.world import Caller
from ....domain.errors import InvalidRequest, OrchestratorError
from ....domain.request import Request
from ....domain.strategies import STRATEGIES
from ...policies import policy_names
from ..completions import UNEXPECTED
from ..failure import failure_of
from ..runs_under_way import RunTask
from .desk import HEADERS, Desk
from .visit import Visit, first

ALIVE = 10.0  # seconds
STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filled form."""

    prompt: str
    options: dict[str, Any]

    @classmethod
    def of(cls, fields: dict[str, list[str]]) -> Wanted:
        """Raises InvalidRequest."""
        given = {name: first(fields, name) for name in ("strategy", "policy", "model", "max_cost", "category")}
        options: dict[str, Any] = {name: value for name, value in given.items() if value}
        if tokens := first(fields, "max_tokens"):
            if not tokens.isdecimal() or len(tokens) > 9:
                raise InvalidRequest(f"max_tokens {tokens[:20]!r}: expected a whole number")
            options["max_tokens"] = int(tokens)
        prompt = fields.get("prompt", [""])[0].replace("\r\n", "\n")
        if not prompt.strip():
            raise InvalidRequest("the prompt is empty: write what to ask")
        return cls(prompt, options)


class PlaygroundPage:
    """`/dashboard/playground`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> Response:
        """The empty form."""
        return await self._page(visit, {})

    async def plan(self, visit: Visit) -> Response:
        """A part, or the page for who has no script: what the run would do. Nothing is asked and nothing stored."""
        visit.need("run")
        fields = await self._desk.form(visit)
        plan, problem = None, ""
        try:
            wanted = Wanted.of(fields)
            planned = partial(self._desk.orchestrator.plan, wanted.prompt, caller=visit.identity.caller)
            plan = await asyncio.to_thread(planned, **wanted.options)
        except OrchestratorError as error:
            problem = str(error)
        status = 400 if problem else 200
        if not visit.is_partial:
            return await self._page(visit, fields, plan=plan, problem=problem, status=status)
        return await self._desk.page(visit, "plan.html", plan=plan, problem=problem, status=status)

    async def run(self, visit: Visit) -> Response:
        """The run as server-sent events where these are asked for; else its page, once it is over."""
        visit.need("run")
        fields = await self._desk.form(visit)
        wanted = Wanted.of(fields)
        await self._desk.service.admit(visit.identity)
        if STREAM in visit.request.headers.get("accept", ""):
            return StreamingResponse(self._stream(wanted, visit.identity.caller), media_type=STREAM, headers=HEADERS)
        run_id, task, _ = self._start(wanted, visit.identity.caller)
        await asyncio.wait([task])
        return RedirectResponse(f"/dashboard/runs/{run_id}", 303)

    async def _page(
        self,
        visit: Visit,
        fields: dict[str, list[str]],
        *,
        plan: object = None,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        orchestrator = self._desk.orchestrator
        names = ("prompt", "strategy", "policy", "model", "max_cost", "max_tokens", "category")
        return await self._desk.page(
            visit,
            "playground.html",
            given={name: fields.get(name, [""])[0] for name in names},
            plan=plan,
            problem=problem,
            status=status,
            strategies=STRATEGIES,
            policies=policy_names(orchestrator.settings),
            models=[one.name for one in orchestrator.catalogue().models],
            provider=orchestrator.provider_name(),
        )

    def _start(
        self, wanted: Wanted, caller: Caller, pieces: asyncio.Queue[str | None] | None = None
    ) -> tuple[str, RunTask, Departure]:
        sink = None if pieces is None else pieces.put_nowait
        request: Request = self._desk.orchestrator.prepare(wanted.prompt, **wanted.options)[0].request
        options = {name: value for name, value in wanted.options.items() if name != "max_tokens"}
        return self._desk.service.start(request, options, caller, sink)

    async def _stream(self, wanted: Wanted, caller: Caller) -> AsyncIterator[bytes]:
        """The run's id, the pieces of its answer as they come, and how it ended."""
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        try:
            run_id, task, departure = self._start(wanted, caller, pieces)
        except OrchestratorError as error:
            yield _event("failed", {"message": str(error)})
            return
        task.add_done_callback(lambda done: pieces.put_nowait(None))
        yield _event("started", {"run": run_id})
        try:
            while True:
                try:
                    piece = await asyncio.wait_for(pieces.get(), ALIVE)
                except TimeoutError:
                    yield b": waiting\n\n"
                    continue
                if piece is None:
                    break
                yield _event("delta", {"text": piece})
            yield _ended(run_id, task)
        finally:
            if not task.done():
                departure.leave()


def _ended(run_id: str, task: RunTask) -> bytes:
    try:
        return _event("done", _told(task.result()))
    except OrchestratorError as error:
        return _event("failed", {"run": run_id, "message": failure_of(error).message})
    except Exception:
        return _event("failed", {"run": run_id, "message": UNEXPECTED.message})


def _told(result: OrchestrationResult) -> dict[str, Any]:
    return {
        "run": result.run_id,
        "text": result.response,
        "model": result.model_used,
        "cost": dollars(result.cost),
        "money": result.metadata["money"],
        "confidence": f"{result.confidence:.2f}",
    }


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    """JSON, so that a piece's line ends stay inside one line."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=True)}\n\n".encode()
