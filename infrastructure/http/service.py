"""What the endpoints of one worker process share."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import uuid_utils

from ...application.departure import Departure
from ...application.ports import DeltaSink
from ...application.result import OrchestrationResult
from ...application.run_options import RunOptions, checked_options
from ...application.world import Caller
from ...domain.errors import InvalidRequest, OrchestratorError, StoreError
from ...domain.events import KeyScope
from ...domain.request import Request, TextPart, ToolResultPart
from ..bootstrap import Orchestrator
from ..settings import Settings
from .authentication import Identity
from .failure import Failure, Refused, failure_of
from .model_names import ModelNames
from .runs_under_way import RunsUnderWay, RunTask


class Service:
    """An orchestrator, the runs it has under way, and what it admits."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.service
        self.orchestrator = Orchestrator(settings)
        self.names = ModelNames(self.orchestrator)
        self.runs = RunsUnderWay(self.limits.max_runs)
        self.stopping = asyncio.Event()  # live streams end
        self._finishing: asyncio.Future[int] | None = None

    async def admit(self, identity: Identity) -> None:
        """Count a request that makes a run. Raises Refused for a key that may not, or had its share of the minute."""
        identity.need(KeyScope.RUN)
        if identity.key is not None and (wait := await self.orchestrator.keys.admit(identity.key)) is not None:
            rate = f"{identity.key.requests_a_minute} requests a minute"
            seconds = math.ceil(wait)
            text = f"this API key has {rate}, a tenth of them at once and the rest evenly: ask again in {seconds} s"
            raise Refused(429, "rate_limited", text, retry_after=seconds)

    def start(
        self, request: Request, options: Mapping[str, Any], caller: Caller, sink: DeltaSink | None = None
    ) -> tuple[str, RunTask, Departure]:
        """Start a run; its id, its task, and how to tell it that its client left. Raises Refused."""
        self.check_length(request)
        given = self._admitted(options)
        run_id = f"run-{uuid_utils.uuid7()}"

        async def work(departure: Departure) -> OrchestrationResult:
            return await self.orchestrator.run(
                request, on_delta=sink, caller=caller, departure=departure, run_id=run_id, **given
            )

        return run_id, *self.runs.start(work)

    def _admitted(self, options: Mapping[str, Any]) -> RunOptions:
        """What a client may say of a run: a shorter time but no longer one, and no one else who answers.

        Raises InvalidRequest.
        """
        given = checked_options(options)
        provider = given.get("provider")
        if provider is not None and self.orchestrator.provider_name(provider) != self.orchestrator.provider_name():
            raise InvalidRequest(f"provider: this service answers by {self.orchestrator.provider_name()} only")
        if str(given.get("policy", "")).endswith(".toml"):
            raise InvalidRequest("policy: expected the name of a policy; a file is named in the service's settings")
        if (timeout := given.get("timeout")) is not None:
            given["timeout"] = min(timeout, self.settings.timeout)
        return given

    def failure(self, error: OrchestratorError) -> Failure:
        """What the error is answered with; what a database says is for the log, since it tells where that is."""
        if isinstance(error, StoreError):
            self.orchestrator.logging.trouble("StoreFailed", error=str(error))
        return failure_of(error)

    def check_length(self, request: Request) -> None:
        """Raises Refused where its texts are longer than is admitted."""
        texts = (part for message in request.messages for part in message.parts)
        length = sum(len(part.text) for part in texts if isinstance(part, TextPart | ToolResultPart))
        if length > self.limits.max_prompt:
            most = f"{self.limits.max_prompt:,} characters"
            raise Refused(413, "too_large", f"the texts are longer than {most}: shorten them, or raise max_prompt")

    def fold_ahead(self) -> None:
        """Fold what nobody asked for yet, so that the first page does not wait; the process's end cuts it short."""
        with suppress(OrchestratorError):  # whoever asks is told
            models = self.orchestrator.read_models  # opened here: two threads would open two

            def fold() -> None:
                with suppress(OrchestratorError):
                    models.catch_up()

            threading.Thread(target=fold, name="fold-ahead", daemon=True).start()

    def stop(self) -> None:
        """The process was asked to stop: no run is taken any more, and those under way have the grace to end."""
        if self._finishing is None:
            self.stopping.set()
            self._finishing = asyncio.ensure_future(self.runs.finish(self.limits.grace))

    async def aclose(self) -> None:
        """Let what is under way end, then close the store and the connections."""
        self.stop()
        assert self._finishing is not None
        await self._finishing
        await self.orchestrator.aclose()
