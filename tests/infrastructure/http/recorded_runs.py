"""Runs of several owners in a log, and a service that believes who a request says it is from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from model_orchestrator.application.ports import Appended
from model_orchestrator.domain.api_key import ApiKey
from model_orchestrator.domain.events import KeyScope, RunEvent
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.clock import SystemClock
from model_orchestrator.infrastructure.http import app
from model_orchestrator.infrastructure.http.asgi import Scope, header
from model_orchestrator.infrastructure.http.authentication import NOBODY, Identity
from model_orchestrator.infrastructure.run_log import StoredRunLog
from model_orchestrator.infrastructure.store.opening import open_store

from ...read_models import completed
from ...scenario import MINI, answered, asked, assessed, costed, started

RUN = "run-01a20e94-1259-744b-b553-{:012d}"
KEY = ApiKey(
    id="k", name="web", token_hash="", scopes=(), models=None, requests_a_minute=None, created_at=Timestamp(0)
)  # fmt: skip
ENDED = (asked(MINI), answered(1), costed(1, "0.25"), completed())


def record(url: str, number: int, owner: str, *, events: Sequence[RunEvent] = ENDED, category: str = "chat") -> str:
    """A run of an owner; its id."""
    run_id = RUN.format(number)

    async def append() -> None:
        store = open_store(url)
        try:
            begun = replace(started(), owner=owner, category=category, request=None)
            log = StoredRunLog(store, SystemClock(), actor=owner)
            result, _ = await log.append(run_id, expected=0, events=[begun, assessed(), *events])
            assert isinstance(result, Appended)
        finally:
            await store.aclose()

    asyncio.run(append())
    return run_id


def believe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a request for one of the owner that its head names, with the scopes it names; else for nobody's."""

    async def identify(scope: Scope, *more: Any) -> Identity:
        if (owner := header(scope, b"x-owner")) is None:
            return NOBODY
        scopes = tuple(map(KeyScope, (header(scope, b"x-scopes") or "run,read").split(",")))
        return Identity(key=replace(KEY, name=owner, scopes=scopes))

    monkeypatch.setattr(app, "identify", identify)
