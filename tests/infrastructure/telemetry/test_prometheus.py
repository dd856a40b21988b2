"""The page of metrics, parsed as Prometheus does, against what the reports say of the same log."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from model_orchestrator.domain.units import MILLION, Usd
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.telemetry.histogram import LIMITS, cumulative
from model_orchestrator.infrastructure.telemetry.prometheus import ServiceNow, metrics_page
from model_orchestrator.projections.buckets import bucket_of
from tests.cli.command import command
from tests.contracts.read_models import add
from tests.generated_log import write_log
from tests.read_models import completed, of_category
from tests.scenario import MINI, answered, asked, costed, lost

NOW = ServiceNow(version="1.2.3", runs_in_flight=3, appends_waiting=2)
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """Samples by name and labels."""

    samples: Mapping[str, Mapping[Labels, float]]
    kinds: Mapping[str, str]

    def one(self, name: str, **labels: str) -> float:
        return self.samples["model_orchestrator_" + name][tuple(sorted(labels.items()))]

    def total(self, name: str, **labels: str) -> float:
        found = self.samples.get("model_orchestrator_" + name, {})
        return sum(value for key, value in found.items() if set(labels.items()) <= set(key))


async def scraped(url: str) -> str:
    async with Orchestrator(Settings.load(env={}, database_url=url)) as one:
        return (await metrics_page(one.store, one.read_models, one.clock, NOW)).decode()


def page_of(text: str) -> Page:
    samples: dict[str, dict[Labels, float]] = defaultdict(dict)
    kinds = {}
    for family in text_string_to_metric_families(text):
        kinds[family.name] = family.type
        for one in family.samples:
            key = tuple(sorted(one.labels.items()))
            assert key not in samples[one.name], "a series stands once on a page"
            samples[one.name][key] = one.value
    return Page(samples, kinds)


def page(url: str) -> Page:
    return page_of(asyncio.run(scraped(url)))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return f"sqlite:///{tmp_path / 'log.db'}"


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'log.db'}"


def reported(url: str, *words: str) -> Any:
    return command(*words, "--json", "--database", url).document


def test_every_figure_is_the_one_the_reports_say(url: str) -> None:
    """`costs report` and `models stats`, to the digit."""
    events = write_log(url, runs=300, seed=5).events
    shown = page(url)
    for money, section in reported(url, "costs", "report", "--by", "model,status").items():
        for row in section["rows"]:
            labels = {"model": row["model"], "money": money}
            if row["status"] == "lost":
                assert shown.total("calls_lost", **labels) == row["calls"]
                assert shown.total("lost_cost_dollars", **labels) == float(row["cost"])
                continue
            labels["outcome"] = row["status"]
            assert shown.total("calls_total", **labels) == row["calls"]
            assert shown.total("cost_dollars_total", **labels) == float(row["cost"])
            assert shown.total("unpriced_calls", **labels) == row["unknown"]
    for money, models in reported(url, "models", "stats").items():
        for one in models:
            labels = {"model": one["model"], "money": money}
            assert shown.total("calls_started_total", **labels) == one["calls"]
            assert shown.total("retries_total", **labels) == one["retries"]
            assert shown.total("call_latency_seconds_count", **labels) == one["answered"]
            assert shown.total("call_latency_seconds_bucket", le="+Inf", **labels) == one["answered"]
            for kind, count in one["tokens"].items():
                assert shown.total("tokens_total", **labels, **{"class": kind}) == count
            for error, count in one["failures"].items():
                assert shown.total("call_errors", error=error, **labels) == count
            for other, count in one["escalated_to"].items():
                assert shown.one("escalations_total", from_model=one["model"], to_model=other, money=money) == count
    assert shown.one("events_total") == events


def test_runs_are_counted_by_strategy_and_status(file_url: str) -> None:
    """Against the generator's own truth."""
    truth = write_log(file_url, runs=200, seed=3)
    shown = page(file_url)
    counts = Counter((run.strategy, run.status.value, run.money.value) for run in truth.runs)
    for (strategy, status, money), expected in counts.items():
        if status == "running":
            assert shown.one("runs_under_way", strategy=strategy, money=money) == expected
        else:
            assert shown.one("runs_total", strategy=strategy, status=status, money=money) == expected
    assert shown.total("runs_started_total") == 200


def test_counters_only_grow_whatever_becomes_of_a_call(file_url: str) -> None:
    """From under way over lost to answered: each step adds to counters, or leaves them."""
    seen = []
    for events in (
        [of_category("chat"), asked(MINI)],
        [lost(1)],
        [answered(1), costed(1, "0.01")],
        [completed()],
    ):
        add(file_url, "run-1", *events)
        seen.append(page(file_url))
    counters = {name for one in seen for name, kind in one.kinds.items() if kind in ("counter", "histogram")}
    assert len(counters) > 10
    for before, after in pairwise(seen):
        for name, samples in before.samples.items():
            if any(name.startswith(counter) for counter in counters) and before.kinds.get(name) != "gauge":
                assert all(after.samples[name][key] >= value for key, value in samples.items()), name
    assert [one.total("calls_under_way") for one in seen] == [1, 0, 0, 0]
    assert [one.total("calls_lost") for one in seen] == [0, 1, 0, 0]
    assert [one.total("calls_total", outcome="answered") for one in seen] == [0, 0, 1, 1]
    assert [one.total("cost_dollars_total") for one in seen] == [0, 0, 0.01, 0.01]


def test_budgets_are_as_admission_sees_them(file_url: str) -> None:
    """The balances of the current period; each kind of money by itself."""

    async def limited() -> None:
        async with Orchestrator(Settings.load(env={}, database_url=file_url)) as one:
            await one.set_budget("global", Usd("2.5"))
            await one.set_budget("category:chat", Usd("1"), period="day")
            await one.run("What is Python?", provider="simulated")

    asyncio.run(limited())
    (spent,) = next(one["balances"] for one in reported(file_url, "budgets", "list") if one["scope"] == "global")
    shown = page(file_url)
    labels = {"scope": "global", "period": "month", "money": "simulated"}
    assert shown.one("budget_limit_dollars", scope="global", period="month") == 2.5
    assert shown.one("budget_settled_dollars", **labels) == float(spent["spent"]) > 0
    assert shown.one("budget_left_dollars", **labels) == float(spent["left"]) < 2.5
    assert shown.one("budget_left_dollars", **labels | {"money": "real"}) == 2.5
    assert shown.one("budget_left_dollars", scope="category:chat", period="day", money="real") == 1


def test_two_processes_show_the_same(file_url: str) -> None:
    """Nothing of the counts is a process's own, and a restart resets nothing."""
    write_log(file_url, runs=60, seed=8)
    program = (
        "import asyncio, sys; from tests.infrastructure.telemetry.test_prometheus import scraped; "
        "sys.stdout.write(asyncio.run(scraped(sys.argv[1])))"
    )
    shown = [
        subprocess.run([sys.executable, "-c", program, file_url], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    lag = "model_orchestrator_projection_lag_events{"
    first, second = ([line for line in one.splitlines() if not line.startswith(lag)] for one in shown)
    assert first == second
    assert len(first) > 100


def test_the_service_tells_of_itself(file_url: str) -> None:
    """What is no matter of the log is an argument."""
    write_log(file_url, runs=1)
    shown = page(file_url)
    assert shown.one("build_info", version="1.2.3") == 1
    assert (shown.one("service_runs_in_flight"), shown.one("service_appends_waiting")) == (3, 2)
    assert shown.one("projection_stopped", projection="attempts") == 0


def test_an_empty_log_has_a_page(file_url: str) -> None:
    """All families, no series of models."""
    shown = page(file_url)
    assert shown.one("events_total") == 0
    assert shown.kinds["model_orchestrator_calls"] == "counter"


@pytest.mark.parametrize("limit", LIMITS[:-1])
def test_a_value_counts_under_the_first_limit_that_it_does_not_pass(limit: str) -> None:
    """Exactly: a limit's own value below it, a microsecond more above it."""
    at = round(float(limit) * MILLION)
    counts = dict(cumulative({bucket_of(at): 1}))
    more = dict(cumulative({bucket_of(at + 1): 1}))
    assert next(key for key, count in counts.items() if count) == limit
    assert next(key for key, count in more.items() if count) == LIMITS[LIMITS.index(limit) + 1]


def test_no_word_of_a_prompt_is_on_the_page(file_url: str) -> None:
    """Names of models, scopes and strategies only."""

    async def asked_once() -> None:
        async with Orchestrator(Settings.load(env={}, database_url=file_url)) as one:
            await one.run("What is a sentinel-of-the-prompt?", provider="simulated", tags={"k": "sentinel-of-a-tag"})

    asyncio.run(asked_once())
    text = asyncio.run(scraped(file_url))
    assert json.dumps("cheapest") in text
    assert "sentinel" not in text


def test_the_document_names_every_family(file_url: str) -> None:
    """With its kind; counters by the name that queries use."""
    text = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text()
    shown = page(file_url).kinds
    expected = {name + ("_total" if kind == "counter" else ""): kind for name, kind in shown.items()}
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \|", text, re.MULTILINE)
    assert {"model_orchestrator_" + name: kind for name, kind in rows} == expected
