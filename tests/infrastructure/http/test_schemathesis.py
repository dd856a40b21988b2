"""The description and the service agree: generated requests, good and bad, find no answer that is not described."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from model_orchestrator.infrastructure.http.api.openapi import document
from model_orchestrator.infrastructure.settings import Settings

from ...running_service import RunningService, running_service

WORDS = {  # of each format, such as go with each other in any order
    "filter": ('category = "chat"', "model ~ gpt", "tag:team != core", "owner in (local, web)"),
    "date-words": ("today", f"{datetime.now(UTC):%Y-%m}", f"{datetime.now(UTC):%Y}"),
    "time-zone": ("UTC", "Europe/Berlin"),
    "grouping": ("model", "category,owner", "tag:team"),
    "budget-scope": ("global", "category:chat", "tag:team=core", "model:gpt-4o"),
    "cursor": ("AAAA", "not a cursor"),
}
for name, words in WORDS.items():
    schemathesis.openapi.format(name, st.sampled_from(words))
REFUSALS = ["400", "401", "403", "404", "405", "409", "413", "415", "429", "431"]  # 431: of a query that is very long
CHECKS = {"negative_data_rejection": {"expected-statuses": REFUSALS}}
ALL = schemathesis.Config.from_dict({"checks": CHECKS})
SCHEMA = schemathesis.openapi.from_dict(document(), config=ALL)
FEW = schemathesis.Config.from_dict({"checks": CHECKS, "phases": {"coverage": {"enabled": False}}})
PROTOCOLS = schemathesis.openapi.from_dict(document(), config=FEW)  # bodies with very many fields
RELATED = {  # what may be refused though each field is right: by another field, a name, or what was asked before
    ("POST", "/runs"),
    ("GET", "/runs"),
    ("PUT", "/budgets/{scope}/{period}"),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("schemathesis")
    found = Settings.load(env={}, database_url=f"sqlite:///{folder}/runs.db", provider="simulated")
    with running_service(found) as running:
        assert running.post("/runs", {"prompt": "What is Python?", "tags": {"team": "core"}}).status == 200
        yield running


def seeded(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@SCHEMA.exclude(path=["/events/stream", "/v1/chat/completions", "/v1/messages"]).parametrize()
@seeded(6)
def test_no_answer_is_undescribed(case: schemathesis.Case[Any], service: RunningService) -> None:
    left_out: list[Any] = [positive_data_acceptance] if (case.method, case.path) in RELATED else []
    case.call_and_validate(base_url=service.address, excluded_checks=left_out)


@PROTOCOLS.include(path=["/v1/chat/completions", "/v1/messages"]).parametrize()
@seeded(15)
def test_no_answer_of_a_protocol_is_undescribed(case: schemathesis.Case[Any], service: RunningService) -> None:
    case.call_and_validate(base_url=service.address, excluded_checks=[positive_data_acceptance])
