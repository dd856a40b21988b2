"""The log's proof: its head, its seals, and a verification on demand."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from ....domain.errors import OrchestratorError
from ....domain.events import LogSealed
from ...event_codec import decode
from ...seals import STREAM
from ...store.log_audit import verify_database
from .desk import Desk
from .visit import Visit

SHOWN = 20  # seals, and problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How the last one stands; `seconds` None: it is under way."""

    began: int  # microseconds
    seconds: float | None = None
    events: int = 0
    problems: tuple[str, ...] = ()
    error: str = ""  # why it could not be done


class AuditPage:
    """`/dashboard/audit`: for those who see everything."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._last: Verification | None = None
        self._task: asyncio.Task[None] | None = None

    async def show(self, visit: Visit) -> Response:
        """The head, the seals and the last verification of this worker."""
        visit.need("admin")
        store = self._desk.orchestrator.store
        newest = await store.read_backwards(limit=1)
        sealed = [
            (entry, decode(entry.type, entry.schema_version, entry.payload))
            for entry in reversed(await store.read_stream(STREAM))
        ]
        return await self._desk.page(
            visit,
            "audit.html",
            head=newest[0] if newest else None,
            seals=[(entry, seal) for entry, seal in sealed if isinstance(seal, LogSealed)][:SHOWN],
            last=self._last,
            most=SHOWN,
        )

    async def verify(self, visit: Visit) -> Response:
        """Start one, unless one is under way."""
        visit.need("admin")
        await self._desk.form(visit)
        if self._task is None or self._task.done():
            self._last = Verification(began=self._desk.orchestrator.clock.now())
            self._task = asyncio.create_task(self._verify(self._last.began))
        if visit.is_partial:
            return await self.result(visit)
        return RedirectResponse("/dashboard/audit", 303)

    async def result(self, visit: Visit) -> Response:
        """A part: how it stands."""
        visit.need("admin")
        return await self._desk.page(visit, "verification.html", last=self._last, most=SHOWN)

    async def _verify(self, began: int) -> None:
        url, start = self._desk.orchestrator.settings.database_url, time.monotonic()
        try:
            done = await asyncio.to_thread(verify_database, url)
        except OrchestratorError as error:
            seconds = time.monotonic() - start
            self._last = Verification(began=began, seconds=seconds, error=str(error))
            return
        seconds = time.monotonic() - start
        self._last = Verification(began=began, seconds=seconds, events=done.events, problems=done.problems)
