"""What follows a run's settlements: the marks its budgets passed are recorded, logged and posted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..application.ports import Clock
from ..domain.errors import OrchestratorError
from ..domain.events import BudgetAlerted
from ..domain.run import Run
from ..domain.units import Timestamp
from .logging import RunLogging, alert_dict
from .run_log import StoredRunLog


class Alerts:
    """Tells of passed marks; `webhook_url` None: in the log only."""

    def __init__(self, logging: RunLogging, clock: Clock, webhook_url: str | None) -> None:
        self._logging = logging
        self._clock = clock
        self._webhook_url = webhook_url

    async def after(self, run: Run, log: StoredRunLog, started_at: Timestamp) -> None:
        """Look at the budgets the run held money on; nothing is read where it held none. Never raises."""
        await self.look(log, {(held.scope, held.period) for held in run.held}, [started_at])

    async def after_each(self, run_ids: Iterable[str], log: StoredRunLog) -> None:
        """The same for runs that were settled in part by others, in the periods of all their events. Never raises."""
        from ..application.runs import load_run

        for run_id in run_ids:
            try:
                logged = await load_run(log, run_id)
            except OrchestratorError as error:
                self._logging.trouble("BudgetAlertFailed", error=error.kind)
                continue
            budgets = {(held.scope, held.period) for held in logged.run.held}
            await self.look(log, budgets, [entry.envelope.recorded_at for entry in logged.events])

    async def look(self, log: StoredRunLog, budgets: set[tuple[str, str]], moments: Sequence[Timestamp]) -> None:
        """Tell of the marks these budgets passed in the periods of the moments, and of now. Never raises."""
        if not budgets:
            return
        from ..application.budget_marks import pass_marks

        try:
            for event in await pass_marks(log.store, log, budgets, [*moments, self._clock.now()]):
                self._tell(event)
        except OrchestratorError as error:  # the run is paid and recorded; the next one looks again
            self._logging.trouble("BudgetAlertFailed", error=error.kind)

    def _tell(self, event: BudgetAlerted) -> None:
        self._logging.alert(event)
        if self._webhook_url is not None:
            from .webhook import post

            post(self._webhook_url, {"event": "budget_alerted", **alert_dict(event)}, self._undelivered)

    def _undelivered(self, why: str) -> None:
        self._logging.trouble("WebhookFailed", error=why)
