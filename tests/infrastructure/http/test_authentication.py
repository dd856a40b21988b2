"""Who may ask: anybody on this machine while there is no key, and from the first key on only who holds one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from model_orchestrator.cli.main import app
from model_orchestrator.infrastructure.settings import Settings

from ...database import Database
from ...running_service import RunningService, running_service

CHAT = "/v1/chat/completions"
BODY = {"model": "cheapest", "messages": [{"role": "user", "content": "What is Python?"}]}


@pytest.fixture
def service(database: Database) -> Iterator[RunningService]:
    """On both databases; the command line of the test has the same one."""
    with running_service(Settings.load()) as running:
        yield running


def keys(*words: str) -> str:
    """`keys` on the command line; what it prints."""
    done = CliRunner().invoke(app, ["keys", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_without_keys_any_key_is_ignored(service: RunningService) -> None:
    assert service.post(CHAT, BODY).status == 200
    assert service.post(CHAT, BODY, **bearer("sk-somebody-elses")).status == 200
    assert service.post("/v1/messages", {**BODY, "max_tokens": 50}, x_api_key="sk-ant-anything").status == 200


def test_without_keys_it_answers_to_names_of_this_machine_only(service: RunningService) -> None:
    """A web page could make its own name lead here, and then be of the same origin."""
    for name in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""):
        reply = service.post(CHAT, BODY, host=name)
        assert reply.status == 403, name
        assert "keys create" in reply.json["error"]["message"]
    for name in ("localhost:1", "127.0.0.1", "[::1]:80"):
        assert service.post(CHAT, BODY, host=name).status == 200, name


def test_from_the_first_key_on_one_is_needed(service: RunningService) -> None:
    """Made by another process, in force at once; revoked, of no use at once, and nothing is open again."""
    assert service.post(CHAT, BODY).status == 200
    token = keys("create", "alice")
    assert service.post(CHAT, BODY).status == 401
    assert service.post(CHAT, BODY, **bearer("mo-wrong")).status == 401
    assert service.post(CHAT, BODY, **bearer(token)).status == 200
    assert service.post("/v1/messages", {**BODY, "max_tokens": 50}, x_api_key=token).status == 200
    assert service.get("/v1/models").status == 401
    assert service.get("/healthz").status == 200
    keys("revoke", "alice")
    refused = service.post(CHAT, BODY, **bearer(token))
    assert refused.status == 401
    assert "revoked" in refused.json["error"]["message"]
    assert token not in refused.body.decode()
    assert service.post(CHAT, BODY).status == 401


def test_the_run_is_the_keys(service: RunningService, database: Database) -> None:
    token = keys("create", "alice")
    run_id = service.post(CHAT, BODY, **bearer(token)).headers["x-run-id"]
    rows = database.rows("SELECT actor, payload FROM log.events WHERE stream = %s ORDER BY version", (run_id,))
    assert {actor for actor, _ in rows} == {"alice"}
    assert json.loads(rows[0][1])["owner"] == "alice"


def test_a_key_has_its_models_its_scopes_its_budget_and_its_share(service: RunningService) -> None:
    """Each refusal has its own status, and says what is in the way."""
    some = keys("create", "some", "--models", "gpt-4o-mini")
    assert service.post(CHAT, {**BODY, "model": "gpt-4o"}, **bearer(some)).status in (400, 403)
    assert service.post(CHAT, {**BODY, "model": "cheapest"}, **bearer(some)).headers["x-orchestration-model"] == (
        "gpt-4o-mini"
    )
    listed = {
        one["id"] for one in service.get("/v1/models", **bearer(some)).json["data"] if one["owned_by"] == "openai"
    }
    assert listed == {"gpt-4o-mini"}
    reader = keys("create", "reader", "--scope", "read")
    assert service.post(CHAT, BODY, **bearer(reader)).status == 403
    assert service.get("/v1/models", **bearer(reader)).status == 200
    poor = keys("create", "poor", "--budget", "0.0000001/day")
    refused = service.post(CHAT, BODY, **bearer(poor))
    assert refused.status == 402
    assert refused.json["error"]["orchestration"]["scope"] == "key:poor"
    slow = keys("create", "slow", "--rpm", "2")
    replies = [service.post(CHAT, BODY, **bearer(slow)) for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 429]
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 60


def test_keys_keep_idempotency_keys_apart(service: RunningService) -> None:
    """The same words of two owners are two runs."""
    alice, bob = keys("create", "alice"), keys("create", "bob")
    runs = [
        service.post(CHAT, BODY, **bearer(token), idempotency_key="once").headers["x-run-id"]
        for token in (alice, alice, bob)
    ]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("header", [{"authorization": "Basic x"}, {"authorization": "Bearer"}, {"x_api_key": ""}])
def test_what_is_no_key_is_refused_as_one(service: RunningService, header: dict[str, Any]) -> None:
    keys("create", "alice")
    reply = service.post(CHAT, BODY, **header)
    assert reply.status == 401
    assert "Bearer" in reply.json["error"]["message"] or "key" in reply.json["error"]["message"]


def test_another_address_is_refused_without_keys(tmp_path: Path) -> None:
    """The process does not start, and says what to do."""
    done = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0", "--database", str(tmp_path / "r.db")])
    assert "keys create" in str(done.exception)
