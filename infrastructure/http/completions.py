"""The endpoints that answer: one request of a wire protocol in, one answer or stream out.

They are bare ASGI: this is the path that every call takes. The run has a task of its own, so that a client who leaves
cuts nothing: what is under way is read to its end and costed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...application.departure import Departure
from ...application.result import OrchestrationResult
from ...application.world import Caller
from ...domain.errors import InvalidRequest, OrchestratorError
from ..telemetry.parent import child_of
from .asgi import JSON, Headers, Receive, Scope, Send, break_off, header, respond
from .authentication import Identity
from .failure import STOPPING, Failure, Refused, is_open
from .guard import check_json
from .request_body import ClientLeft, read_body
from .runs_under_way import RunTask
from .service import Service
from .wire import Asked, ErrorShape, StreamWriter, WireProtocol

ALIVE = 10.0  # seconds without a piece of an answer, until a comment says that the stream lives
COMMENT = b": waiting\n\n"
STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
UNEXPECTED = Failure(
    status=500, kind="internal", message="the service failed: its log says how; what was asked is not lost"
)


class Completions:
    """One wire protocol's endpoint."""

    def __init__(self, service: Service, wire: WireProtocol) -> None:
        self._service = service
        self._wire = wire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises OrchestratorError where no run was started."""
        check_json(scope)
        identity: Identity = scope["state"]["identity"]
        await self._service.admit(identity)
        limits = self._service.limits
        try:
            body = await read_body(scope, receive, limit=limits.max_body, timeout=limits.read_timeout)
        except ClientLeft:
            return
        asked = self._wire.asked(body)
        options = self._options(scope, asked)
        with child_of(header(scope, b"traceparent"), header(scope, b"tracestate")):
            if asked.stream:
                stream = _Stream(self._service, self._wire, asked, options, identity.caller, receive, send)
            else:
                started = self._service.start(asked.request, options, identity.caller)
        if asked.stream:
            await stream.run(scope)
        else:
            await self._whole(*started, receive, send, has_key="idempotency_key" in options)

    async def _whole(
        self, run_id: str, task: RunTask, departure: Departure, receive: Receive, send: Send, *, has_key: bool
    ) -> None:
        """The answer in one piece."""
        if not await is_there(task, None if has_key else departure, receive):
            return
        try:
            result = outcome(task, run_id)
        except OrchestratorError as error:
            again = has_key and is_open(error)
            await fail(send, self._wire, self._service.failure(error), maybe(run_id, error), again=again)
        else:
            await respond(send, 200, self._wire.whole(result), [JSON, *about(result)])

    def _options(self, scope: Scope, asked: Asked) -> dict[str, Any]:
        """The run's options: what the model's name stands for, then the request's own, then the headers'."""
        options = {**self._service.names.options(asked.model), **asked.options}
        if (key := header(scope, b"idempotency-key")) is not None:
            options["idempotency_key"] = key
        return options


class _Stream:
    """One answer on its way as server-sent events."""

    def __init__(
        self,
        service: Service,
        wire: WireProtocol,
        asked: Asked,
        options: Mapping[str, Any],
        caller: Caller,
        receive: Receive,
        send: Send,
    ) -> None:
        self._service = service
        self._wire = wire
        self._writer: StreamWriter = wire.writer(asked)
        self._send = send
        self._timeout = service.limits.write_timeout
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()  # None: no more comes
        self._run_id, self._task, self._departure = service.start(
            asked.request, options, caller, self._pieces.put_nowait
        )
        self._task.add_done_callback(lambda task: self._pieces.put_nowait(None))
        self._receive = receive
        self._is_repeat_possible = "idempotency_key" in options
        self._has_left = False
        self._has_begun = False  # the status is sent: what fails from now on is an event
        self._is_open = False  # the protocol's first event is sent

    async def run(self, scope: Scope) -> None:
        """Pass the pieces on as they come, then the end."""
        watch = asyncio.create_task(self._until_left())
        try:
            while (piece := await self._next()) is not None:
                await self._write(self._opening() + self._writer.delta(piece))
            if self._has_left:
                return
            await self._end()
        except TimeoutError:  # the client takes nothing any more
            self._leave()
            await break_off(scope)
        finally:
            watch.cancel()

    async def _end(self) -> None:
        """The run is over, and the log has it."""
        try:
            result = outcome(self._task, self._run_id)
        except OrchestratorError as error:
            again = self._is_repeat_possible and is_open(error)
            await self._fail(self._service.failure(error), maybe(self._run_id, error), again=again)
        except Exception:
            await self._fail(UNEXPECTED, self._run_id)
            raise
        else:
            await self._write(self._writer.closing(result), more=False)

    async def _fail(self, failure: Failure, run_id: str | None, *, again: bool = False) -> None:
        if self._has_begun:
            await self._write(self._writer.failed(failure), more=False)
        else:
            await fail(self._send, self._wire, failure, run_id, again=again)

    async def _next(self) -> str | None:
        """All the text that is there, once there is some; None at the end. Says meanwhile that the stream lives."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ALIVE):
                    piece = await self._pieces.get()
                break
            await self._write(COMMENT)
        while piece is not None and not self._pieces.empty():
            following = self._pieces.get_nowait()
            if following is None:
                self._pieces.put_nowait(None)
                break
            piece += following
        return piece

    def _opening(self) -> bytes:
        """The protocol's first event, before the first piece."""
        if self._is_open:
            return b""
        self._is_open = True
        return self._writer.opening(run_id=self._run_id, model=None, created=int(time.time()))

    async def _write(self, data: bytes, *, more: bool = True) -> None:
        """Send it. Raises TimeoutError where the client does not take it in time."""
        async with asyncio.timeout(self._timeout):
            if not self._has_begun:
                self._has_begun = True
                named = [] if self._is_repeat_possible else [(b"x-run-id", self._run_id.encode())]
                await self._send({"type": "http.response.start", "status": 200, "headers": [*STREAM, *named]})
            await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _until_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()
        self._pieces.put_nowait(None)

    def _leave(self) -> None:
        """The client is gone; the run goes on for one that can come back for it."""
        self._has_left = True
        if not self._is_repeat_possible:
            self._departure.leave()


async def is_there(task: RunTask, departure: Departure | None, receive: Receive) -> bool:
    """Wait for the run; False where the client left before it ended.

    Without a departure the run is not told: the client has a key, and can come back for what becomes of it.
    """
    watch = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return True
        if departure is not None:
            departure.leave()
        return False
    finally:
        watch.cancel()


def outcome(task: RunTask, run_id: str) -> OrchestrationResult:
    """The result of a run that is over. Raises RunFailure, and Refused where the service stopped before its end."""
    if task.cancelled():
        text = f"the service stopped before {run_id} ended: `model-orchestrator runs resume {run_id}` goes on with it"
        raise Refused(503, STOPPING, text, run_id=run_id)
    return task.result()


def maybe(run_id: str, error: OrchestratorError) -> str | None:
    """The run's id, unless the error says that there is no such run."""
    return None if isinstance(error, InvalidRequest) else run_id


def about(result: OrchestrationResult) -> Headers:
    """What the headers say of a run."""
    said = [
        (b"x-run-id", result.run_id),
        (b"x-orchestration-strategy", result.metadata["strategy"]),
        (b"x-orchestration-model", result.model_used),
        (b"x-orchestration-confidence", f"{result.confidence:.6f}"),
        (b"x-orchestration-cost", "unknown" if result.cost is None else f"{result.cost:f}"),
        (b"x-orchestration-money", result.metadata["money"]),
    ]
    return [(name, value.encode("ascii", "replace")) for name, value in said]


async def fail(
    send: Send, wire: ErrorShape, failure: Failure, run_id: str | None = None, *, again: bool = False
) -> None:
    """Answer with an error. `again`: the same request goes on with the run, and pays nothing twice."""
    await respond(send, failure.status, wire.error(failure), [JSON, *failure_headers(failure, run_id, again=again)])


def failure_headers(failure: Failure, run_id: str | None = None, *, again: bool = False) -> Headers:
    """When to try again; and not to, where the run's calls may have been billed: a retry would pay once more."""
    headers: Headers = []
    if failure.retry_after is not None:
        headers.append((b"retry-after", str(failure.retry_after).encode()))
    if (failure.run_id or run_id) is not None:
        headers.append((b"x-run-id", (failure.run_id or run_id or "").encode()))
        if failure.status != 429 and not again:
            headers.append((b"x-should-retry", b"false"))
    return headers
