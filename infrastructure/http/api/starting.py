"""POST /runs: a run is started, and waited for, or left to itself."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ....application.run_options import checked_options, request_of
from ....domain.errors import InvalidRequest, RunFailure
from ....domain.request import Request as Prompt
from ....domain.request import ResponseFormat, Tool
from ..authentication import Identity
from ..body import BESIDE, check_depth
from ..completions import about, is_there, outcome
from ..request_body import ClientLeft
from ..runs_under_way import RunTask
from ..service import Service
from . import bodies
from .access import RUN, allowed
from .query import Query
from .replies import json_reply

A_LOOK = 0.01  # seconds between two looks for a run that is about to be recorded


class Starting:
    """The endpoint."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def start(self, request: Request) -> Response:
        """200 with the answer; 202 with the run's address where the client does not want to wait."""
        identity = allowed(request, RUN)
        await self._service.admit(identity)
        Query(request)
        given = await bodies.read(self._service, request, bodies.NewRun)
        prompt, options = _asked(given, request.headers.get("idempotency-key"))
        run_id, task, departure = self._service.start(prompt, options, identity.caller)
        prefers = "respond-async" in _preferences(request)
        if prefers or not given.wait:
            run_id = await self._recorded(run_id, task, identity, options.get("idempotency_key"))
            return _accepted(run_id, {"preference-applied": "respond-async"} if prefers else {})
        has_key = "idempotency_key" in options
        if not await is_there(task, None if has_key else departure, request.receive):
            raise ClientLeft
        result = outcome(task, run_id)
        return json_reply(result.to_dict(), headers={name.decode(): one.decode() for name, one in about(result)})

    async def _recorded(self, run_id: str, task: RunTask, identity: Identity, key: str | None) -> str:
        """The id of the run once the log has it: of the first one, where its key was used before.

        Raises what the run raised before it was recorded.
        """
        store = self._service.orchestrator.store
        while True:
            await asyncio.wait((task,), timeout=A_LOOK)
            if await store.read_stream(run_id):
                return run_id
            if task.done():
                try:
                    return outcome(task, run_id).run_id
                except RunFailure as error:
                    if error.run_id is None:
                        raise
                    return error.run_id
            claim = None if key is None else await store.idempotency(identity.owner, key)
            if claim is not None and claim.run != run_id:
                await asyncio.wait(
                    (task,), timeout=10 * A_LOOK
                )  # another request under the key is refused in this time
                if not task.done():
                    return claim.run


def _asked(given: bodies.NewRun, key: str | None) -> tuple[Prompt, dict[str, Any]]:
    """The request, and the run's other options. Raises InvalidRequest."""
    said = {name: value for name in given.__struct_fields__ if (value := getattr(given, name)) is not None}
    prompt, _ = said.pop("prompt", None), said.pop("wait")
    if given.messages is not None:
        said["messages"] = [{"role": one.role, "content": one.content} for one in given.messages]
    if given.tools is not None:
        said["tools"] = [_tool(number, one) for number, one in enumerate(given.tools)]
    if (form := given.response_format) is not None:
        check_depth("response_format.json_schema", form.json_schema)
        said["response_format"] = ResponseFormat(name=form.name, json_schema=form.json_schema, strict=form.strict)
    if key is not None and said.setdefault("idempotency_key", key) != key:
        raise InvalidRequest("the idempotency key of the header is another than the body's: give one of them")
    options = checked_options(said)
    rest: dict[str, Any] = {name: value for name, value in options.items() if name not in BESIDE}
    return request_of(prompt, options), rest


def _tool(number: int, given: bodies.Tool) -> Tool:
    check_depth(f"tools[{number}].parameters", given.parameters)
    return Tool(name=given.name, description=given.description, parameters=given.parameters, strict=given.strict)


def _preferences(request: Request) -> set[str]:
    """The words of the Prefer headers (RFC 7240)."""
    return {
        one.partition(";")[0].strip().lower() for said in request.headers.getlist("prefer") for one in said.split(",")
    }


def _accepted(run_id: str, headers: dict[str, str]) -> Response:
    """Where the run is found."""
    address = f"/runs/{run_id}"
    return json_reply(
        {"run_id": run_id, "location": address}, 202, {"location": address, "x-run-id": run_id, **headers}
    )
