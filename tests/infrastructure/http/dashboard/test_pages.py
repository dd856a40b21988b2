"""Every page, on an empty log and on a filled one; what is on them is what the log comes to."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from model_orchestrator.application.amounts import dollars
from model_orchestrator.domain.units import Usd
from tests.generated_log import END, TrueLog, write_log

from .visitor import Page, visiting

PAGES = (
    "/dashboard",
    "/dashboard/saved",
    "/dashboard/runs",
    "/dashboard/costs",
    "/dashboard/costs?by=tag&tag=team&split=weekly&time=90d",
    "/dashboard/models",
    "/dashboard/policies",
    "/dashboard/audit",
    "/dashboard/audit/verification",
    "/dashboard/playground",
    "/dashboard/login",
)


def got(url: str, *paths: str) -> list[Page]:
    """The pages at some addresses, one after the other, in one browser."""

    async def ask() -> list[Page]:
        async with visiting(url) as visitor:
            return [await visitor.get(path) for path in paths]

    return asyncio.run(ask())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_there_before_anything_has_run(empty: str, path: str) -> None:
    (page,) = got(empty, path)
    assert page.status == 200


def test_an_empty_log_says_what_to_do(empty: str) -> None:
    overview, runs, costs = got(empty, "/dashboard", "/dashboard/runs", "/dashboard/costs")
    for page in (overview, runs, costs):
        assert "/dashboard/playground" in page.links("/dashboard/")
    assert 'model-orchestrator run "What is Python?"' in overview.said


@pytest.mark.parametrize("path", [*PAGES, "a run", "an ensemble"])
def test_no_page_has_a_script_a_style_or_an_address_of_its_own(filled: str, path: str) -> None:
    """The content security policy forbids them, so they would only seem to work."""
    if not path.startswith("/"):
        (listed,) = got(filled, f"/dashboard/runs?status=completed&strategy={'ensemble' if 'ens' in path else ''}")
        path = listed.links("/dashboard/runs/run-")[0]
    (page,) = got(filled, path)
    assert page.status == 200
    assert "default-src 'none'" in page.header("content-security-policy")
    assert "unsafe" not in page.header("content-security-policy")
    assert page.header("cache-control") == "no-store"
    for tag, attributes in page.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith(("on", "hx-on"))]
        assert tag != "style"
        assert tag != "script" or (attributes.get("src") or "").startswith("/dashboard/assets/")
        for name in ("src", "href", "action", "hx-get", "hx-post"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), (tag, attributes)


def test_the_root_leads_to_the_dashboard(empty: str) -> None:
    (page,) = got(empty, "/")
    assert (page.status, page.header("location")) == (307, "/dashboard")


def test_what_is_not_there_says_so_as_a_page(empty: str) -> None:
    nothing, run, asset = got(empty, "/dashboard/nothing", "/dashboard/runs/run-0", "/dashboard/assets/htmx.min.js")
    assert (nothing.status, run.status, asset.status) == (404, 404, 200)
    assert "Not here" in nothing.said
    assert "there is no run 'run-0'" in run.said


def test_costs_are_those_of_the_log_to_the_last_digit(filled: str, truth: TrueLog) -> None:
    (page,) = got(filled, "/dashboard/costs?time=all&by=model")
    totals = truth.total(lambda one: (one.money.value, one.model))
    assert len(totals) > 10
    assert {one.model for one in truth.attempts if one.model not in page.said} == set()
    assert {amount for amount in totals.values() if dollars(amount) not in page.said} == set()
    kinds = truth.total(lambda one: one.money.value)
    assert {amount for amount in kinds.values() if dollars(amount) not in page.said} == set()
    assert dollars(sum(totals.values(), Decimal(0))) not in page.said  # kinds of money are never added


def test_the_csv_has_every_line(filled: str, truth: TrueLog) -> None:
    (file,) = got(filled, "/dashboard/costs.csv?time=all&by=model")
    rows = [line.split(",") for line in file.text.splitlines()]
    assert rows[0] == ["money", "model", "cost", "calls", "unknown", "before"]
    found = {(row[0], row[1]): Decimal(row[2]) for row in rows[1:]}
    assert found == truth.total(lambda one: (one.money.value, one.model))


def test_a_line_of_costs_leads_to_its_runs(filled: str, truth: TrueLog) -> None:
    (costs,) = got(filled, "/dashboard/costs?time=all&by=category")
    link = next(one for one in costs.links("/dashboard/runs?") if "research" in one)
    (runs,) = got(filled, link)
    mine = {one.run for one in truth.runs if one.category == "research"}
    assert {one.rpartition("/")[2] for one in runs.links("/dashboard/runs/run-")} == mine


def test_each_kind_of_money_has_its_own_overview(filled: str, truth: TrueLog) -> None:
    real, simulated = got(filled, "/dashboard?time=30d&money=real", "/dashboard?time=30d&money=simulated")
    since = (END - timedelta(days=29)).replace(hour=0)
    recent = {one.run for one in truth.runs if one.started_at >= since}
    spent = truth.total(lambda one: (one.money.value, one.run in recent))
    totals = {money: spent[money, True] for money in ("real", "simulated")}
    assert dollars(totals["real"]) in real.said
    assert dollars(totals["real"]) not in simulated.said
    assert dollars(totals["simulated"]) in simulated.said
    assert "Simulated: nobody paid this" in simulated.said


def test_a_run_shows_its_decision_its_calls_and_its_texts(filled: str, truth: TrueLog) -> None:
    """Of an ensemble that answered: each member's answer stands beside the others."""
    (listed,) = got(filled, "/dashboard/runs?strategy=ensemble&status=completed")
    (page,) = got(filled, listed.links("/dashboard/runs/run-")[0])
    for text in ("Answers side by side", "The decision", "What happened, and why", "RoutingDecided", "user"):
        assert text in page.said
    run = next(one for one in truth.runs if one.run == listed.links("/dashboard/runs/run-")[0].rpartition("/")[2])
    assert dollars(run.cost) in page.said
    assert f"{run.money.value} money" in page.said


def test_members_agree_only_where_answers_were_compared(tmp_path: Path) -> None:
    """Prose has no agreement: a member whose answer was not chosen is not said to agree."""
    url = f"sqlite:///{tmp_path / 'log.db'}"

    async def ask() -> list[Page]:
        async with visiting(url) as visitor:
            run = visitor.service.orchestrator.run
            asked = [await run(one, strategy="ensemble") for one in ("Compare REST and GraphQL", "What is 23 * 19?")]
            return [await visitor.get(f"/dashboard/runs/{one.run_id}") for one in asked]

    prose, number = asyncio.run(ask())
    assert "By score" in prose.said
    assert "agrees" not in prose.said
    assert "67% agree" in number.said
    assert "agrees" in number.said


def test_a_budget_in_total_and_its_share_are_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"

    async def ask() -> Page:
        async with visiting(url) as visitor:
            await visitor.service.orchestrator.set_budget("global", limit=Usd("1"), period="total")
            return await visitor.get("/dashboard")

    page = asyncio.run(ask())
    assert "global in total" in " ".join(page.said.split())


def test_what_cannot_be_asked_is_told_on_the_page(filled: str) -> None:
    wrong = ("where=cots+>+1", "sort=best", "time=never", "after=nowhere", "money=gold")
    for page, asked in zip(got(filled, *(f"/dashboard/runs?{one}" for one in wrong)), wrong, strict=True):
        assert page.status == 400, asked
        assert 'class="problem"' in page.text, asked
    (costs,) = got(filled, "/dashboard/costs?by=colour")
    assert costs.status == 400
    assert "colour" in costs.said


def test_pages_are_the_same_on_postgresql(filled: str, postgres_url: str) -> None:
    """Every list and report, of the same log."""
    write_log(postgres_url, runs=130, seed=11, days=60, texts=True)
    paths = (
        "/dashboard/runs",
        "/dashboard/runs?sort=cost",
        "/dashboard/runs?q=GraphQL&sort=oldest",
        "/dashboard/models",
        "/dashboard/costs?by=tag&tag=team&split=weekly&time=90d",
    )
    for one, other in zip(got(filled, *paths), got(postgres_url, *paths), strict=True):
        assert (one.status, other.status) == (200, 200)
        assert one.said == other.said
