"""The page of metrics for Prometheus.

Counts come from the read models, so they are the same from every worker, only grow, and no restart resets them. What
can be taken back is a gauge: a call under way, or one that is lost until its outcome turns up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...application.budget_reports import Budget, list_budgets
from ...application.ports import Clock, EventStore
from ...application.read_models import Metered, ReadModels
from ...domain.periods import period_key
from ...domain.units import Timestamp

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNow:
    """What only the process that serves knows of itself."""

    version: str
    runs_in_flight: int
    appends_waiting: int  # that are not durable yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything a page shows, of one moment."""

    metered: Metered
    budgets: Sequence[Budget]
    periods: Mapping[str, str]  # of each kind of period, the key of the current one
    service: ServiceNow


async def metrics_page(store: EventStore, models: ReadModels, clock: Clock, service: ServiceNow) -> bytes:
    """The page in Prometheus' text format (CONTENT_TYPE). Raises StoreError.

    What is new in the log is folded first; budgets are read where admission reads them.
    """
    budgets = await list_budgets(store)
    now = clock.now()
    return await asyncio.to_thread(lambda: _page(_figures(models.metered(), budgets, now, service)))


def _figures(metered: Metered, budgets: Sequence[Budget], now: Timestamp, service: ServiceNow) -> Figures:
    periods = {one.period: period_key(one.period, now) for one in budgets}
    return Figures(metered=metered, budgets=budgets, periods=periods, service=service)


def _page(figures: Figures) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    from .families import families

    class Shown(Collector):
        """The families of one moment."""

        def collect(self) -> Sequence[Metric]:
            """All of them."""
            return families(figures)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Shown())
    return generate_latest(registry)
