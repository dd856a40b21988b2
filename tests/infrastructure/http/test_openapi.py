"""The description names every endpoint, every field that is answered, and its examples work."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.routing import Route

from model_orchestrator.infrastructure.http.api import report_shapes, shapes
from model_orchestrator.infrastructure.http.api.openapi import document
from model_orchestrator.infrastructure.http.api.operations import OPERATIONS
from model_orchestrator.infrastructure.http.api.protocols import PROTOCOLS
from model_orchestrator.infrastructure.settings import Settings

from ...running_service import RunningService, running_service

NOT_OF_THE_API = ("/metrics", "/dashboard", "/static")  # pages for people and machines that are described elsewhere


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    settings = Settings.load(env={}, database_url=f"sqlite:///{tmp_path}/runs.db", provider="simulated")
    with running_service(settings) as running:
        yield running


def test_the_description_names_every_route_and_no_other(service: RunningService) -> None:
    answering, rest = service.routes()
    found = {("post", path) for path in answering}
    for route in rest:
        if isinstance(route, Route) and not route.path.startswith(NOT_OF_THE_API) and route.path != "/":
            path = re.sub(r":\w+}", "}", route.path)
            found |= {(method.lower(), path) for method in route.methods or () if method != "HEAD"}
    assert {(method, path) for path, methods in document()["paths"].items() for method in methods} == found


def test_every_reference_is_defined_and_every_id_is_used_once() -> None:
    text = json.dumps(document())
    for name in re.findall(r"#/components/schemas/([^\"]+)", text):
        assert name in document()["components"]["schemas"]
    ids = [one.id for one in (*OPERATIONS, *PROTOCOLS)]
    assert len(set(ids)) == len(ids)


def test_every_example_is_accepted(service: RunningService) -> None:
    for one in (*OPERATIONS, *PROTOCOLS):
        if one.takes is not None and one.method == "post" and one.path != "/feedback":
            assert service.post(one.path, one.example).status == 200, one.path


def fields(kind: type, value: Any) -> None:
    """What is answered has the described fields, no more and no fewer, all the way down."""
    decoded: Any = msgspec.convert(value, kind)
    assert value.keys() == set(kind.__struct_fields__), kind  # type: ignore[attr-defined]
    for name in kind.__struct_fields__:  # type: ignore[attr-defined]
        inner, part = getattr(decoded, name), value[name]
        for one, given in zip(inner, part, strict=True) if isinstance(inner, list) else [(inner, part)]:
            if isinstance(one, msgspec.Struct) and not isinstance(one, report_shapes.CostRow):
                fields(type(one), given)


def test_what_is_answered_has_the_described_fields(service: RunningService) -> None:
    budget = service.request("PUT", "/budgets/global/day", b'{"limit": 5}', {"content-type": "application/json"})
    answer = service.post("/runs", {"prompt": "Design a distributed system", "strategy": "ensemble"})
    run_id = answer.json["run_id"]
    fed = service.post("/feedback", {"run_id": run_id, "value": "good", "note": "yes"})
    later = service.post("/runs", {"prompt": "hi", "wait": False})
    for kind, reply in (
        (report_shapes.Budget, budget),
        (shapes.Answer, answer),
        (shapes.Feedback, fed),
        (shapes.Accepted, later),
        (shapes.RunPage, service.get("/runs?limit=1")),
        (shapes.Run, service.get(f"/runs/{run_id}")),
        (shapes.RunEvents, service.get(f"/runs/{run_id}/events")),
        (shapes.EventPage, service.get("/events")),
        (report_shapes.Costs, service.get("/costs")),
        (report_shapes.AllModelStats, service.get("/stats/models")),
        (report_shapes.Models, service.get("/models")),
        (report_shapes.Budgets, service.get("/budgets")),
        (report_shapes.RemovedBudget, service.request("DELETE", "/budgets/global/day")),
        (shapes.OfferedList, service.get("/v1/models")),
        (shapes.Error, service.get("/runs/run-x")),
    ):
        fields(kind, reply.json)
