"""The families of the page of metrics: names, labels and values. Money is US dollars, kept apart by its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from ...application.budget_reports import Budget
from ...domain.events import Money
from ...domain.units import MILLION, picodollars, usd
from ...projections.cost_report import CostRow
from ...projections.model_stats import ERROR, ESCALATED_TO, FIRST_TOKEN, LATENCY
from ...projections.model_totals import ModelTotal
from ...projections.run_report import RunCount
from .histogram import cumulative, estimated_sum

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from .prometheus import Figures

NAME = "model_orchestrator_"
FINAL = ("answered", "failed")  # outcomes that nothing takes back
TOKENS = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")
_CALL = ("provider", "model", "money")
Values = Mapping[tuple[str, ...], float]


def families(figures: Figures) -> list[Metric]:
    """All of them."""
    metered = figures.metered
    return [
        *_calls(metered.calls),
        *_models(metered.totals, metered.calls),
        *_runs(metered.runs),
        *_budgets(figures.budgets, figures.periods),
        *_log(figures),
        *_service(figures),
    ]


def _counter(name: str, says: str, labels: Sequence[str], values: Values) -> Metric:
    family = CounterMetricFamily(NAME + name, says, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _gauge(name: str, says: str, labels: Sequence[str], values: Values) -> Metric:
    family = GaugeMetricFamily(NAME + name, says, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _calls(rows: Sequence[CostRow]) -> Iterator[Metric]:
    """By provider, model and kind of money."""
    started: Counter[tuple[str, ...]] = Counter()
    retries: Counter[tuple[str, ...]] = Counter()
    unpriced: dict[tuple[str, ...], float] = {}
    done: dict[tuple[str, ...], float] = {}
    cost: dict[tuple[str, ...], float] = {}
    tokens: dict[tuple[str, ...], float] = {}
    under_way: dict[tuple[str, ...], float] = {}
    lost: dict[tuple[str, ...], float] = {}
    lost_cost: dict[tuple[str, ...], float] = {}
    for row in rows:
        provider, model, status = (str(one) for one in row.group)
        key = (provider, model, row.money)
        started[key] += row.calls
        retries[key] += row.retries
        if status in FINAL:
            done[*key, status] = row.calls
            cost[*key, status] = dollars(row.cost)
            unpriced[*key, status] = row.unpriced
        elif status == "lost":
            lost[key], lost_cost[key] = row.calls, dollars(row.cost)
        else:
            under_way[key] = row.calls
        if status == "answered":
            tokens |= {(*key, name): getattr(row, name) for name in TOKENS}
    by_outcome = (*_CALL, "outcome")
    yield _counter("calls_started", "Paid calls that left, retries included.", _CALL, started)
    yield _counter("calls", "Calls that were answered or failed.", by_outcome, done)
    yield _gauge("calls_under_way", "Calls without an outcome yet.", _CALL, under_way)
    yield _gauge("calls_lost", "Calls whose outcome is unknown so far.", _CALL, lost)
    yield _counter("retries", "Calls that were not the first attempt.", _CALL, retries)
    yield _counter("tokens", "Tokens of answered calls, in disjoint classes.", (*_CALL, "class"), tokens)
    yield _counter("cost_dollars", "Known cost of answered and failed calls, in USD.", by_outcome, cost)
    yield _gauge("lost_cost_dollars", "What lost calls were settled at so far, in USD.", _CALL, lost_cost)
    yield _gauge("unpriced_calls", "Answered and failed calls whose cost is unknown.", by_outcome, unpriced)


def _models(totals: Sequence[ModelTotal], calls: Sequence[CostRow]) -> Iterator[Metric]:
    """By provider, model and kind of money; escalations by the two models."""
    seconds = {(*row.group[:2], row.money): row.latency / MILLION for row in calls if row.group[2] == "answered"}
    buckets: dict[str, dict[tuple[str, ...], dict[int, int]]] = {LATENCY: {}, FIRST_TOKEN: {}}
    errors: dict[tuple[str, ...], float] = {}
    escalations: dict[tuple[str, ...], float] = {}
    for one in totals:
        key = (one.provider, one.model, one.money)
        if one.measure == ERROR:
            errors[*key, one.label] = one.count
        elif one.measure == ESCALATED_TO:
            escalations[one.model, one.label, one.money] = one.count
        else:
            buckets[one.measure].setdefault(key, {})[int(one.label)] = one.count
    latency = HistogramMetricFamily(NAME + "call_latency_seconds", "Answered calls, from sent to whole.", labels=_CALL)
    for place, counts in buckets[LATENCY].items():
        latency.add_metric(place, cumulative(counts), seconds[place])
    yield latency
    says = "Answered streams, from sent to the first token."
    first = HistogramMetricFamily(NAME + "call_first_token_seconds", says, labels=_CALL)
    for place, counts in buckets[FIRST_TOKEN].items():
        first.add_metric(place, cumulative(counts), estimated_sum(counts))
    yield first
    yield _gauge("call_errors", "Failed calls, and lost ones so far, by kind of error.", (*_CALL, "error"), errors)
    says = "A chain moved on to its next model."
    yield _counter("escalations", says, ("from_model", "to_model", "money"), escalations)


def _runs(rows: Sequence[RunCount]) -> Iterator[Metric]:
    """By strategy as asked for; answers given again by the model that gave them first."""
    labels = ("strategy", "money")
    started: Counter[tuple[str, ...]] = Counter()
    ended: Counter[tuple[str, ...]] = Counter()
    under_way: Counter[tuple[str, ...]] = Counter()
    hits: Counter[tuple[str, ...]] = Counter()
    saved: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        strategy, status, cached_model = row.group
        started[strategy, row.money] += row.runs
        if status == "running":
            under_way[strategy, row.money] += row.runs
        else:
            ended[strategy, row.money, status] += row.runs
        if cached_model:
            hits[cached_model, row.money] += row.runs
            saved[cached_model, row.money] += row.saved
    yield _counter("runs_started", "Requests that were accepted.", labels, started)
    yield _counter("runs", "Runs that ended.", (*labels, "status"), ended)
    yield _gauge("runs_under_way", "Runs that have not ended, in the whole log.", labels, under_way)
    by_model = ("model", "money")
    yield _counter("cache_hits", "Runs that were given an earlier answer of the model.", by_model, hits)
    says = "What asking again would have cost, in USD."
    yield _counter("cache_saved_dollars", says, by_model, {key: dollars(picos) for key, picos in saved.items()})


def _budgets(budgets: Sequence[Budget], periods: Mapping[str, str]) -> Iterator[Metric]:
    """As admission sees them, in their current period: each kind of money has the whole limit."""
    limits: dict[tuple[str, ...], float] = {}
    held: dict[tuple[str, ...], float] = {}
    settled: dict[tuple[str, ...], float] = {}
    left: dict[tuple[str, ...], float] = {}
    for one in budgets:
        limit = picodollars(one.limit)
        limits[one.scope, one.period] = dollars(limit)
        known = {row.money: row for row in one.balances if row.period_key == periods[one.period]}
        for money in Money:
            row = known.get(money)
            if row is None and money is not Money.REAL:
                continue
            key = (one.scope, one.period, money.value)
            holds, spent = (row.held, row.settled) if row else (0, 0)
            held[key], settled[key] = dollars(holds), dollars(spent)
            left[key] = dollars(max(0, limit - holds - spent))
    labels = ("scope", "period", "money")
    yield _gauge("budget_limit_dollars", "What a scope may spend in a period, in USD.", ("scope", "period"), limits)
    yield _gauge("budget_held_dollars", "Reserved for runs under way, in USD.", labels, held)
    yield _gauge("budget_settled_dollars", "Spent in the current period, in USD.", labels, settled)
    yield _gauge("budget_left_dollars", "What new runs can still hold, in USD.", labels, left)


def _log(figures: Figures) -> Iterator[Metric]:
    metered = figures.metered
    lag: Values = {(name,): float(events) for name, events in metered.lag.items()}
    stopped: Values = {(name,): float(name in metered.stopped) for name in metered.lag}
    by_name = ("projection",)
    yield _counter("events", "Events in the log.", (), {(): metered.events})
    yield _gauge("projection_lag_events", "Events that were not folded when this page was asked for.", by_name, lag)
    yield _gauge("projection_stopped", "1: it cannot get past an event of the log.", by_name, stopped)


def _service(figures: Figures) -> Iterator[Metric]:
    now = figures.service
    yield _gauge("build_info", "The release that serves.", ("version",), {(now.version,): 1})
    yield _gauge("service_runs_in_flight", "Runs of this process.", (), {(): now.runs_in_flight})
    yield _gauge(
        "service_appends_waiting", "Appends of this process that are not durable yet.", (), {(): now.appends_waiting}
    )


def dollars(picos: int) -> float:
    """USD, to the nearest float."""
    return float(usd(picos))
