"""The native API: the same questions and answers as the command line's, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from model_orchestrator.application.run_options import RunOptions
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.http.api import bodies
from model_orchestrator.infrastructure.settings import Settings

from ...cli.command import command
from ...database import Database
from ...gated_upstream import GatedUpstream
from ...gated_upstream import upstream as upstream
from ...running_service import Reply, RunningService, running_service

JSON = {"content-type": "application/json"}


@pytest.fixture
def service(database: Database) -> Iterator[RunningService]:
    settings = Settings.load(env={}, database_url=database.url, provider="simulated")
    with running_service(settings) as running:
        yield running


def ask(service: RunningService, prompt: str = "What is Python?", **more: Any) -> str:
    """A run's id."""
    reply = service.post("/runs", {"prompt": prompt, **more})
    assert reply.status == 200, reply.body
    return str(reply.json["run_id"])


def page(service: RunningService, **query: Any) -> Reply:
    return service.get(f"/runs?{urlencode(query, doseq=True)}")


def said(reply: Reply) -> str:
    """The message of an error."""
    assert reply.headers["content-type"] == "application/json"
    return str(reply.json["error"]["message"])


def put(service: RunningService, path: str, body: Any) -> Reply:
    return service.request("PUT", path, json.dumps(body).encode(), JSON)


# ---- starting -------------------------------------------------------------------------------------------------------


def test_a_run_is_answered_as_the_command_line_answers(service: RunningService) -> None:
    reply = service.post("/runs", {"prompt": "What is Python?", "tags": {"team": "a"}, "category": "chat"})
    printed = command("run", "What is Python?", "--json").document
    assert reply.json.keys() == printed.keys()
    assert (reply.json["response"], reply.json["cost"]) == (printed["response"], printed["cost"])
    assert reply.headers["x-run-id"] == reply.json["run_id"]


def test_every_option_of_a_run_can_be_said() -> None:
    options = set(RunOptions.__annotations__)
    assert set(bodies.NewRun.__struct_fields__) == options | {"prompt", "wait"}


def test_messages_and_parameters_reach_the_run(service: RunningService) -> None:
    messages = [
        {"role": "user", "content": "Say one"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "and two?"},
    ]
    reply = service.post(
        "/runs",
        {
            "messages": messages,
            "system": "Be brief.",
            "model": "gpt-4o",
            "temperature": 0.5,
            "stop": ["x"],
            "seed": 7,
            "response_format": {"json_schema": {"type": "object"}},
        },
    )
    assert reply.status == 200, reply.body
    assert reply.json["model_used"] == "gpt-4o"
    assert service.get(f"/runs/{reply.json['run_id']}").json["prompt"] == "and two?"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"promt": "hi"}, "unknown field 'promt': did you mean 'prompt'?"),
        ({"prompt": "hi", "temperature": 3}, "temperature: expected float <= 2.0"),
        ({"prompt": "hi", "messages": [{"role": "user", "content": "hi"}]}, "give either a prompt or messages"),
        ({}, "give either a prompt or messages"),
        ({"prompt": "hi", "model": "gpt-4o-mimi"}, "did you mean gpt-4o-mini"),
        ({"prompt": "hi", "policy": "/etc/passwd.toml"}, "policy: expected the name of a policy"),
        ({"prompt": "hi", "messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "messages[0].name: it is unknown here"),
        ([], "expected object"),
    ],
)
def test_a_body_that_is_off_is_refused_by_its_field(service: RunningService, body: Any, message: str) -> None:
    reply = service.post("/runs", body)
    assert reply.status == 400, reply.body
    assert message in said(reply).replace("`", "")
    assert reply.json["error"]["kind"] == "invalid_request"


@pytest.mark.parametrize("body", [b"", b"{", b'{"prompt": "\xff"}', b"[" * 100_000, b'{"prompt": NaN}', b"nul"])
def test_a_body_that_is_no_json_is_refused(service: RunningService, body: bytes) -> None:
    for method, path in (("POST", "/runs"), ("POST", "/feedback"), ("PUT", "/budgets/global/day")):
        reply = service.request(method, path, body, JSON)
        assert reply.status == 400, (path, reply.body)
        assert said(reply)
        assert service.request(method, path, body, {"content-type": "text/plain"}).status == 415


def test_a_run_beyond_its_budget_is_refused_with_the_figure_that_would_fit(service: RunningService) -> None:
    reply = service.post("/runs", {"prompt": "Design a distributed system", "max_cost": "0.001"})
    assert reply.status == 402
    assert reply.json["error"]["kind"] == "budget"
    assert float(reply.json["error"]["would_fit"]) > 0.001


def test_who_does_not_wait_is_told_where_the_run_is(database: Database, upstream: GatedUpstream) -> None:
    """At once, while its call is still under way; then it is there, and cancelled."""
    env = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": upstream.address}
    settings = Settings.load(env=env, database_url=database.url, provider="live", catalogue="seed")
    with running_service(settings) as service:
        for headers, body in ((JSON | {"prefer": "wait=5, respond-async"}, {}), (JSON, {"wait": False})):
            asked = json.dumps({"prompt": "What is Python?", **body}).encode()
            reply = service.request("POST", "/runs", asked, headers)
            assert reply.status == 202, reply.body
            assert reply.headers["location"] == reply.json["location"] == f"/runs/{reply.json['run_id']}"
            assert ("preference-applied" in reply.headers) is ("prefer" in headers)
            assert service.get(reply.headers["location"]).json["status"] == "running"
            upstream.wait_for_call()
        cancelled = service.post(f"{reply.headers['location']}/cancel", None)
        assert cancelled.json == {"run_id": reply.json["run_id"], "status": "cancelled"}
        assert service.get(reply.headers["location"]).json["status"] == "cancelled"
        again = service.post(f"{reply.headers['location']}/cancel", None)
        assert (again.status, again.json["error"]["kind"]) == (409, "conflict")
        upstream.open()


def test_what_cannot_start_is_refused_though_nobody_waits(service: RunningService) -> None:
    reply = service.post("/runs", {"prompt": "hi", "model": "nobody", "wait": False})
    assert reply.status == 400
    reply = service.post("/runs", {"prompt": "Design a distributed system", "max_cost": "0.001", "wait": False})
    assert reply.status in (202, 402)  # refused before anything is recorded, or recorded as refused


def test_a_key_gives_the_first_run_again(service: RunningService) -> None:
    first = service.post("/runs", {"prompt": "What is Python?"}, idempotency_key="k").json
    again = service.post("/runs", {"prompt": "What is Python?"}, idempotency_key="k").json
    assert again["run_id"] == first["run_id"]
    assert again["metadata"]["repeat"]
    later = service.post("/runs", {"prompt": "What is Python?", "idempotency_key": "k", "wait": False})
    assert (later.status, later.json["run_id"]) == (202, first["run_id"])
    other = service.post("/runs", {"prompt": "What is Erlang?", "wait": False}, idempotency_key="k")
    assert other.status == 400
    assert "use a new key" in said(other)
    both = service.post("/runs", {"prompt": "What is Python?", "idempotency_key": "j"}, idempotency_key="k")
    assert both.status == 400
    assert len(page(service).json["runs"]) == 1


# ---- runs -----------------------------------------------------------------------------------------------------------


def test_a_run_and_its_list_are_what_the_command_line_prints(service: RunningService) -> None:
    run_id = ask(service, tags={"team": "a"}, strategy="ensemble")
    assert page(service).json["runs"] == command("runs", "list", "--json").document
    assert service.get(f"/runs/{run_id}").json == command("runs", "show", run_id, "--json").document
    assert service.get(f"/runs/{run_id}/events").json["events"] == command("audit", "trail", run_id, "--json").document


def test_pages_go_through_all_runs_once_while_new_ones_come(service: RunningService) -> None:
    runs = [ask(service, f"What is {number}?") for number in range(5)]
    first = page(service, limit=2, since="7d", where="category = orchestration").json
    ask(service, "What is new?")
    found, cursor = [one["run_id"] for one in first["runs"]], first["next"]
    while cursor is not None:
        more = page(service, limit=2, since="7d", where="category = orchestration", cursor=cursor).json
        found += [one["run_id"] for one in more["runs"]]
        cursor = more["next"]
    assert found == runs[::-1]


def test_dates_stay_what_they_were_on_the_first_page(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [ask(service, f"What is {number}?") for number in range(3)]
    first = page(service, limit=1, since="7d", where="started >= 7d").json
    orchestrator = service.service.orchestrator
    later = Timestamp(orchestrator.clock.now() + 8 * 86_400_000_000)
    monkeypatch.setattr(orchestrator.clock, "now", lambda: later)
    rest = page(service, since="7d", where="started >= 7d", cursor=first["next"]).json["runs"]
    assert [one["run_id"] for one in rest] == runs[1::-1]
    assert page(service, since="7d").json["runs"] == []


def test_a_cursor_is_good_for_its_own_query_and_database_only(service: RunningService) -> None:
    for number in range(3):
        ask(service, f"What is {number}?")
    cursor = page(service, limit=1).json["next"]
    assert page(service, limit=2, cursor=cursor).status == 200  # the size of a page is no part of the query
    forged = f"{cursor[:-4]}AAAA"
    for query in (
        {"cursor": cursor, "since": "7d"},
        {"cursor": cursor, "where": "category = chat"},
        {"cursor": forged},
        {"cursor": "nonsense"},
        {"cursor": "é"},
        {"cursor": "AAAA"},
    ):
        reply = page(service, **query)
        assert reply.status == 400, query
        assert "the cursor is not of this query" in said(reply)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit '0' is not possible: expected a whole number from 1 to 500"),
        ("limit=ten", "limit 'ten'"),
        ("limit=1&limit=2", "parameter limit comes 2 times"),
        ("lmit=1", "unknown parameter 'lmit': did you mean 'limit'?"),
        ("where=colour+%3D+red", "there is no field 'colour'"),
        ("since=someday", "date 'someday': expected"),
        ("since=today&until=2020", "is empty"),
        ("timezone=Moon", "time zone 'Moon' is not known"),
        ("where=", "parameter where: expected 1 to 2,000 characters"),
        ("where=category+%3D+%00", "cannot be shown"),
    ],
)
def test_a_query_that_is_off_says_what_to_do(service: RunningService, query: str, message: str) -> None:
    reply = service.get(f"/runs?{query}")
    assert reply.status == 400, reply.body
    assert message in said(reply)


@pytest.mark.parametrize("run", ["run-nobody", "last", "run-", "%00", "run-%C3%BC", "..%2F..", "x" * 500])
def test_what_names_no_run_is_not_found(service: RunningService, run: str) -> None:
    ask(service)
    for address in (f"/runs/{run}", f"/runs/{run}/events"):
        assert service.get(address).status == 404
    assert service.post(f"/runs/{run}/cancel", None).status == 404


def test_feedback_is_recorded_once_a_word(service: RunningService) -> None:
    run_id = ask(service)
    given = service.post("/feedback", {"run_id": run_id, "value": "good", "by": "ann", "note": "it is right"}).json
    assert given == {"run_id": run_id, "value": 1.0, "by": "ann", "new": True}
    assert service.post("/feedback", {"run_id": run_id, "value": 1, "by": "ann"}).json["new"] is False
    (fed,) = service.get(f"/runs/{run_id}").json["feedback"]
    assert fed == {"value": 1.0, "by": "ann", "attempt": None, "note": "it is right"}
    unknown = service.post("/feedback", {"run_id": "run-x", "value": "good"})
    assert unknown.status == 404
    assert service.post("/feedback", {"run_id": run_id, "value": "so-so"}).status == 400


# ---- reports --------------------------------------------------------------------------------------------------------


def test_costs_and_statistics_are_what_the_command_line_prints(service: RunningService) -> None:
    ask(service, tags={"team": "a"}, category="chat")
    ask(service, "Design a distributed system", strategy="fallback", category="code")
    for query, options in (
        ("", ()),
        (
            "by=category,tag:team&since=7d&timezone=UTC",
            "--by category,tag:team --since 7d --tz UTC",
        ),
        ("period=daily&by=model", "--period daily --by model"),
        (f"where={quote('category = chat')}", ("--where", "category = chat")),
        ("as_of=yesterday", "--as-of yesterday"),
    ):
        words = options.split() if isinstance(options, str) else options
        printed = command("costs", "report", *words, "--json").document
        assert service.get(f"/costs?{query}").json == printed, query
        csv = command("costs", "report", *words, "--csv").stdout.replace("\r\n", "\n")
        for address in (f"/costs.csv?{query}", f"/costs?format=csv&{query}"):
            reply = service.get(address)
            assert reply.headers["content-type"] == "text/csv; charset=utf-8"
            assert reply.body.decode().replace("\r\n", "\n") == csv
    assert service.get("/stats/models?since=7d").json == command("models", "stats", "--since", "7d", "--json").document
    assert service.get("/costs?by=colour").status == service.get("/costs?format=xml").status == 400


def test_models_are_listed_with_prices_and_whether_they_can_be_asked(database: Database) -> None:
    live = Settings.load(env={"OPENAI_API_KEY": "k"}, database_url=database.url, provider="live", catalogue="seed")
    with running_service(live) as service:
        found = service.get("/models").json
    assert (found["catalogue"], found["provider"]) == ("seed", "live")
    models = {one["name"]: one for one in found["models"]}
    assert models["gpt-4o-mini"]["usable"]
    assert models["gpt-4o-mini"]["price"]["input"] == "0.15"
    assert not models["claude-opus-3"]["usable"]
    assert models["claude-opus-3"]["status"] != "usable"


def test_budgets_are_set_listed_and_removed(service: RunningService) -> None:
    address = f"/budgets/{quote('tag:team=a/b', safe='')}/month"
    made = put(service, address, {"limit": 20, "alerts": [100, 50]})
    assert made.status == 200, made.body
    assert (made.json["scope"], made.json["limit"], made.json["alerts"]) == ("tag:team=a/b", "20", [50, 100])
    ask(service, tags={"team": "a/b"})
    listed = service.get("/budgets").json["budgets"]
    assert listed == command("budgets", "list", "--json").document
    assert put(service, address, {"limit": "0.5"}).json["alerts"] == [50, 100]
    assert service.request("DELETE", address).json == {"scope": "tag:team=a/b", "period": "month", "removed": True}
    assert service.request("DELETE", address).status == 404
    for path, body in (
        ("/budgets/nobody/month", {"limit": "1"}),
        ("/budgets/global/year", {"limit": "1"}),
        ("/budgets/global/day", {"limit": "0"}),
        ("/budgets/global/day", {"limit": "-1"}),
        ("/budgets/global/day", {"limit": "1", "alerts": [0]}),
        ("/budgets/global/day", {}),
    ):
        assert put(service, path, body).status == 400, (path, body)
    assert service.get("/budgets").json == {"budgets": []}


def test_an_address_without_the_method_names_those_it_has(service: RunningService) -> None:
    reply = service.request("DELETE", "/runs")
    assert reply.status == 405
    assert set(reply.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert reply.json["error"]["kind"] == "method"
    assert service.request("HEAD", "/runs").status == 200
    assert service.get("/nothing").json["error"]["kind"] == "not_found"
