"""Whose runs, events, costs and budgets a key sees, and what its scopes allow."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from model_orchestrator.infrastructure.settings import Settings

from ...cli.command import command
from ...database import Database
from ...running_service import RunningService, running_service
from .recorded_runs import believe, record
from .test_api_events import listening

READS = (
    "/runs", "/runs/{run}", "/runs/{run}/events", "/events", "/events/stream?after=0", "/costs", "/costs.csv",
    "/stats/models", "/models", "/budgets",
)  # fmt: skip
JSON = {"content-type": "application/json"}


@pytest.fixture
def service(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningService]:
    believe(monkeypatch)
    settings = Settings.load(env={}, database_url=database.url, provider="simulated")
    with running_service(settings) as running:
        yield running


@pytest.fixture
def runs(database: Database) -> dict[str, str]:
    """Two runs of web, one of batch."""
    return {
        "first": record(database.url, 1, "web"),
        "batch": record(database.url, 2, "batch", category="code"),
        "last": record(database.url, 3, "web", category="code"),
    }


def test_a_key_sees_its_own_runs_only(runs: dict[str, str], service: RunningService) -> None:
    mine = service.request("GET", "/runs", None, {"x-owner": "web"})
    assert [one["run_id"] for one in mine.json["runs"]] == [runs["last"], runs["first"]]
    everyone = service.get("/runs").json["runs"]
    assert len(everyone) == 3
    admin = service.request("GET", "/runs", None, {"x-owner": "web", "x-scopes": "admin"})
    assert admin.json["runs"] == everyone
    asked = service.request("GET", "/runs?where=owner+%3D+batch", None, {"x-owner": "web"})
    assert asked.json["runs"] == []


def test_another_owners_run_is_as_if_it_were_not_there(runs: dict[str, str], service: RunningService) -> None:
    none = "run-01a20e94-1259-744b-b553-000000000009"
    for path in ("/runs/{}", "/runs/{}/events"):
        hidden = service.request("GET", path.format(runs["batch"]), None, {"x-owner": "web"})
        absent = service.request("GET", path.format(none), None, {"x-owner": "web"})
        assert hidden.status == absent.status == 404
        assert hidden.body.replace(runs["batch"].encode(), b"") == absent.body.replace(none.encode(), b"")
        assert service.request("GET", path.format(runs["first"]), None, {"x-owner": "web"}).status == 200
    cancelled = service.request("POST", f"/runs/{runs['batch']}/cancel", b"", {"x-owner": "web"})
    body = json.dumps({"run_id": runs["batch"], "value": "bad"}).encode()
    fed = service.request("POST", "/feedback", body, {"x-owner": "web", **JSON})
    assert cancelled.status == fed.status == 404
    assert service.get(f"/runs/{runs['batch']}").json["feedback"] == []


def test_a_cursor_is_no_way_into_another_owners_list(runs: dict[str, str], service: RunningService) -> None:
    cursor = service.get("/runs?limit=1").json["next"]
    assert service.request("GET", f"/runs?limit=1&cursor={cursor}", None, {"x-owner": "web"}).status == 400
    own = service.request("GET", "/runs?limit=1", None, {"x-owner": "web"}).json["next"]
    assert service.request("GET", f"/runs?limit=1&cursor={own}", None, {"x-owner": "batch"}).status == 400


def test_costs_and_statistics_are_of_own_runs(runs: dict[str, str], service: RunningService) -> None:
    web = {"x-owner": "web"}
    assert service.request("GET", "/costs?by=owner,category", None, web).json["real"]["total"] == "0.5"
    assert service.get("/costs?by=owner,category").json["real"]["total"] == "0.75"
    csv = service.request("GET", "/costs.csv?by=owner", None, web).body.decode().splitlines()
    assert csv[1:] == ["real,web,0.5,2,0,"]
    split = service.request("GET", "/costs?period=monthly", None, web).json["real"]["rows"]
    assert [row["cost"] for row in split] == ["0.5"]
    (stats,) = service.request("GET", "/stats/models", None, web).json["real"]
    assert (stats["calls"], stats["cost"]) == (2, "0.5")


def test_events_are_of_own_runs(database: Database, runs: dict[str, str], service: RunningService) -> None:
    budget = service.request("PUT", "/budgets/global/day", b'{"limit": 5}', JSON)
    assert budget.status == 200
    later = record(database.url, 4, "web", events=())
    everything = service.get("/events").json
    mine = service.request("GET", "/events", None, {"x-owner": "web"}).json
    assert {one["correlation_id"] for one in mine["events"]} == {runs["first"], runs["last"], later}
    theirs = [one for one in everything["events"] if one["correlation_id"] in (runs["first"], runs["last"], later)]
    assert mine["events"] == theirs
    assert mine["next"] == everything["next"]  # what is not seen is not read again
    (one,) = service.request("GET", "/events?limit=1&after=2&types=RunCompleted", None, {"x-owner": "batch"}).json[
        "events"
    ]
    assert one["correlation_id"] == runs["batch"]


def test_budgets_are_of_the_own_key(service: RunningService) -> None:
    for scope in ("global", "category:chat"):
        assert service.request("PUT", f"/budgets/{scope}/day", b'{"limit": 5}', JSON).status == 200
    assert service.request("GET", "/budgets", None, {"x-owner": "web"}).json == {"budgets": []}
    assert len(service.request("GET", "/budgets", None, {"x-owner": "web", "x-scopes": "admin"}).json["budgets"]) == 2


@pytest.mark.parametrize("path", READS)
def test_who_may_only_ask_reads_nothing(runs: dict[str, str], service: RunningService, path: str) -> None:
    address = path.format(run=runs["first"])
    reply = service.request("GET", address, None, {"x-owner": "web", "x-scopes": "run"})
    assert reply.status == (200 if path == "/models" else 403), reply.body
    if reply.status == 403:
        assert "it lacks the scope read" in reply.json["error"]["message"]


def test_who_may_only_read_starts_and_changes_nothing(runs: dict[str, str], service: RunningService) -> None:
    reader = {"x-owner": "web", "x-scopes": "read", **JSON}
    said = json.dumps({"run_id": runs["first"], "value": "good"}).encode()
    for method, path, body in (
        ("POST", "/runs", b'{"prompt": "hi"}'),
        ("POST", f"/runs/{runs['first']}/cancel", b""),
        ("POST", "/feedback", said),
        ("PUT", "/budgets/global/day", b'{"limit": 5}'),
        ("DELETE", "/budgets/global/day", None),
    ):
        assert service.request(method, path, body, reader).status == 403, path
    for scopes in ("run,read", "run"):
        asker = reader | {"x-scopes": scopes}
        assert service.request("PUT", "/budgets/global/day", b'{"limit": 5}', asker).status == 403
        assert service.request("POST", "/feedback", said, asker).status == 200


def test_a_key_made_for_it_asks_and_reads_under_its_own_name(database: Database) -> None:
    """The real check of keys, by what `keys create` printed."""
    settings = Settings.load(env={}, database_url=database.url, provider="simulated")
    with running_service(settings) as service:
        token = command("keys", "create", "web", "--scope", "run,read").stdout.strip()
        other = command("keys", "create", "batch", "--scope", "run,read").stdout.strip()
        assert service.get("/runs").status == 401
        assert service.get("/openapi.json").status == 200
        mine = {"authorization": f"Bearer {token}", "idempotency-key": "k", **JSON}
        body = b'{"prompt": "What is Python?", "wait": false}'
        first = service.request("POST", "/runs", body, mine)
        again = service.request("POST", "/runs", body, mine)
        assert first.status == again.status == 202, first.body
        assert first.json["run_id"] == again.json["run_id"]
        theirs = service.request("POST", "/runs", body, {**mine, "authorization": f"Bearer {other}"})
        assert theirs.json["run_id"] != first.json["run_id"], "keys for idempotency are an owner's own"
        (listed,) = service.request("GET", "/runs", None, {"x-api-key": token}).json["runs"]
        assert (listed["run_id"], listed["owner"]) == (first.json["run_id"], "web")
        assert service.request("GET", f"/runs/{first.json['run_id']}", None, {"x-api-key": other}).status == 404
        assert service.request("DELETE", "/budgets/global/day", None, {"x-api-key": token}).status == 403


def test_a_stream_ends_where_its_key_is_revoked(database: Database) -> None:
    """And not where another's is; one that needed no key ends with the first key."""
    with running_service(Settings.load(env={}, database_url=database.url, provider="simulated")) as service:
        with listening(service) as anybody:
            token = command("keys", "create", "web", "--scope", "read").stdout.strip()
            assert anybody.block() == {}
        command("keys", "create", "batch")
        with listening(service, x_api_key=token) as web:
            command("keys", "revoke", "batch")
            record(database.url, 1, "web")
            assert web.event()[1]["type"] == "RunStarted"
            command("keys", "revoke", "web")
            while "data" in (block := web.block()):
                pass
            assert block == {}
