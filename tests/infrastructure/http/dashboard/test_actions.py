"""What the pages do: plan, run, rate, verify, play, and tell what happens."""

import asyncio
import json
from contextlib import aclosing

import pytest

from model_orchestrator.domain.api_key import ApiKey
from model_orchestrator.domain.events import KeyScope
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.http.authentication import NOBODY, Identity
from model_orchestrator.infrastructure.http.dashboard import live as live_feed
from model_orchestrator.infrastructure.http.dashboard.desk import Desk
from model_orchestrator.infrastructure.http.dashboard.live import LiveFeed
from model_orchestrator.infrastructure.http.dashboard.visit import Visit

from .visitor import Page, visiting

EVE = ApiKey(
    id="k",
    name="eve",
    token_hash="",
    scopes=(KeyScope.READ,),
    models=None,
    requests_a_minute=None,
    created_at=Timestamp(0),
)
SSE = {"accept": "text/event-stream"}


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    """Names and data of server-sent events."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_prompt_is_planned_run_and_leads_to_its_trail(empty: str) -> None:
    async def ask() -> tuple[Page, int, Page, Page]:
        async with visiting(empty) as visitor:
            form = {"csrf": (await visitor.get("/dashboard/playground")).csrf, "prompt": "What is 23 * 19?"}
            plan = await visitor.post("/dashboard/playground/plan", form, {"hx-request": "true"})
            before = await visitor.service.orchestrator.store.head()
            stream = await visitor.post("/dashboard/playground/run", form, SSE)
            run = str(events(stream.text)[0][1]["run"])
            return plan, before, stream, await visitor.get(f"/dashboard/runs/{run}")

    plan, before, stream, page = asyncio.run(ask())
    assert "gpt-4o-mini" in plan.said
    assert "At most" in plan.said
    assert before == 0  # planning stores nothing
    names = [name for name, _ in events(stream.text)]
    assert names[0] == "started"
    assert names[-1] == "done"
    pieces = "".join(str(data["text"]) for name, data in events(stream.text) if name == "delta")
    done = events(stream.text)[-1][1]
    assert done["text"] == pieces
    assert str(done["text"]) in page.said
    assert str(done["cost"]) in page.said
    assert done["money"] == "simulated"


def test_without_a_script_the_run_ends_on_its_page(empty: str) -> None:
    async def ask() -> Page:
        async with visiting(empty) as visitor:
            form = {"csrf": (await visitor.get("/dashboard/playground")).csrf, "prompt": "What is Python?"}
            sent = await visitor.post("/dashboard/playground/run", form)
            assert sent.status == 303
            return await visitor.get(sent.header("location"))

    assert "completed" in asyncio.run(ask()).said


def test_a_run_that_cannot_be_is_told_with_the_figure_that_would_do(empty: str) -> None:
    async def ask() -> list[Page]:
        async with visiting(empty) as visitor:
            token = (await visitor.get("/dashboard/playground")).csrf
            wrong = ({"max_cost": "0.00000001"}, {"model": "gpt-9"}, {"prompt": " "}, {"max_tokens": "many"})
            return [
                await visitor.post(
                    "/dashboard/playground/plan",
                    {"csrf": token, "prompt": "What is Python?", **one},
                    {"hx-request": "true"},
                )
                for one in wrong
            ]

    budget, model, prompt, tokens = asyncio.run(ask())
    assert {page.status for page in (budget, model, prompt, tokens)} == {400}
    assert "0.0" in budget.said
    assert "gpt-9" in model.said
    assert "empty" in prompt.said
    assert "whole number" in tokens.said


def test_an_answer_is_rated_once(empty: str) -> None:
    async def ask() -> tuple[Page, Page]:
        async with visiting(empty) as visitor:
            result = await visitor.service.orchestrator.run("What is Python?")
            path = f"/dashboard/runs/{result.run_id}"
            form = {"csrf": (await visitor.get(path)).csrf, "value": "bad", "note": "it is a snake"}
            sent = await visitor.post(f"{path}/feedback", form)
            return sent, await visitor.get(path)

    sent, page = asyncio.run(ask())
    assert sent.status == 303
    assert "it is a snake" in page.said
    assert page.said.count("FeedbackGiven") == 1


def test_the_log_is_verified_on_demand(filled: str) -> None:
    async def ask() -> tuple[Page, Page]:
        async with visiting(filled) as visitor:
            form = {"csrf": (await visitor.get("/dashboard/audit")).csrf}
            begun = await visitor.post("/dashboard/audit/verification", form, {"hx-request": "true"})
            await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=60)
            return begun, await visitor.get("/dashboard/audit/verification")

    begun, page = asyncio.run(ask())
    assert "Verifying" in begun.said
    assert "Sound." in page.said


def test_policies_are_played_over_the_log_on_demand(filled: str) -> None:
    async def ask() -> tuple[Page, Page]:
        async with visiting(filled) as visitor:
            form = {"csrf": (await visitor.get("/dashboard/policies")).csrf, "policy": "heuristic", "time": "all"}
            played = await visitor.post("/dashboard/policies/backtest", form, {"hx-request": "true"})
            wrong = {**form, "policy": "/etc/passwd.toml"}
            return played, await visitor.post("/dashboard/policies/backtest", wrong, {"hx-request": "true"})

    played, wrong = asyncio.run(ask())
    assert played.status == 200
    assert "heuristic" in played.said
    assert "runs of real money" in played.said
    assert wrong.status == 400
    assert "there is no policy" in wrong.said


def feed(url: str, identity: Identity = NOBODY) -> list[tuple[str, dict[str, object]]]:
    """What a visitor is told of one run, up to the log's end."""

    async def ask() -> list[tuple[str, dict[str, object]]]:
        async with visiting(url) as visitor:
            orchestrator, live = visitor.service.orchestrator, LiveFeed(Desk(visitor.service))
            await orchestrator.run("What is Python?", category="snakes")
            head = await orchestrator.store.head()
            visit = Visit(None, identity, "")  # type: ignore[arg-type]
            found = list[tuple[str, dict[str, object]]]()
            async with aclosing(live._events(visit, 0)) as stream, asyncio.timeout(30):  # type: ignore[type-var]
                while live.position < head:
                    found += events((await anext(stream)).decode())
            return found

    return asyncio.run(ask())


def test_the_feed_tells_every_event_and_no_text(empty: str) -> None:
    found = feed(empty)
    types = [str(data["type"]) for _, data in found]
    assert types[0] == "RunStarted"
    assert types[-1] == "RunCompleted"
    assert {name for name, _ in found} == {"happened"}
    assert "Python" not in json.dumps(found)


def test_the_feed_tells_nobody_of_another_ones_runs(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "ALIVE", 0.01)  # a sign of life each time nothing can be told
    assert feed(empty, Identity(key=EVE)) == []
