"""Web pages of other origins cannot spend money here, and every answer says what browsers must know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.settings import Settings

from ...running_service import RunningService, running_service

CHAT = "/v1/chat/completions"
BODY = {"model": "cheapest", "messages": [{"role": "user", "content": "What is Python?"}]}
ALLOWED = "https://app.example.com"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    file = tmp_path / "settings.toml"
    file.write_text(f'[service]\nallowed_origins = ["{ALLOWED}"]')
    settings = Settings.load(file, {}, database_url=f"sqlite:///{tmp_path}/runs.db", provider="simulated")
    with running_service(settings) as running:
        yield running


def test_another_origin_is_refused_and_its_own_is_not(service: RunningService) -> None:
    assert service.post(CHAT, BODY, origin="https://evil.example").status == 403
    assert service.post(CHAT, BODY, origin="null").status == 403
    assert service.post(CHAT, BODY, sec_fetch_site="cross-site").status == 403
    assert service.post(CHAT, BODY, origin=service.address).status == 200


@pytest.mark.parametrize("nonsense", ["http://[", "[", "http://[::1", "//"])
def test_an_origin_or_a_host_that_is_none_is_refused(service: RunningService, nonsense: str) -> None:
    assert service.post(CHAT, BODY, origin=nonsense).status == 403
    assert service.post(CHAT, BODY, host=nonsense).status == 403


def test_an_allowed_origin_may_call_and_is_told_so(service: RunningService) -> None:
    preflight = service.request("OPTIONS", CHAT, headers={"origin": ALLOWED, "access-control-request-method": "POST"})
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == ALLOWED
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    reply = service.post(CHAT, BODY, origin=ALLOWED)
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == ALLOWED


def test_no_other_origin_learns_anything(service: RunningService) -> None:
    """Without CORS headers a browser shows a page nothing of an answer."""
    refused = service.request("OPTIONS", CHAT, headers={"origin": "https://evil.example"})
    assert refused.status == 405
    for reply in (refused, service.get("/v1/models", origin="https://evil.example")):
        assert not [name for name in reply.headers if name.startswith("access-control")]


def test_a_plain_form_cannot_send_a_request(service: RunningService) -> None:
    """It needs no leave of the browser; JSON that calls itself JSON does."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        reply = service.post(CHAT, BODY, content_type=kind)
        assert reply.status == 415
        assert "application/json" in reply.json["error"]["message"]
    assert service.post(CHAT, BODY, content_type="application/json; charset=utf-8").status == 200


def test_every_answer_has_the_headers_of_a_careful_service(service: RunningService) -> None:
    replies = (service.get("/healthz"), service.get("/nothing"), service.post(CHAT, {}), service.post(CHAT, BODY))
    assert [reply.status for reply in replies] == [200, 404, 400, 200]
    for reply in replies:
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert "server" not in reply.headers
