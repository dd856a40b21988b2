"""Events of older versions are raised to today's, step by step, from version 1; here with a type made older."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.ports import NewEvent
from model_orchestrator.domain.events import Escalated
from model_orchestrator.infrastructure import upcasters
from model_orchestrator.infrastructure.event_codec import SCHEMA_VERSIONS, decode, encode
from model_orchestrator.infrastructure.read_models.lean_codec import AS_BEFORE, event_of
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.store.opening import open_store
from tests.contracts.appends import appended, new_event, on_stream
from tests.contracts.read_models import add
from tests.read_models import completed, of_category
from tests.scenario import HAIKU, MINI, answered, asked, costed, escalated


def from_1(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had the models in one text."""
    first, second = fields.pop("models").split(">")
    return {**fields, "source": first, "to_model": second}


def from_2(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 2 had another name for one of them."""
    return {**fields, "from_model": fields.pop("source")}


@pytest.fixture
def third_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEMA_VERSIONS, "Escalated", 3)
    monkeypatch.setitem(upcasters.UPCASTERS, ("Escalated", 1), from_1)
    monkeypatch.setitem(upcasters.UPCASTERS, ("Escalated", 2), from_2)


def payloads() -> dict[int, str]:
    """The same fact in each version."""
    today = json.loads(encode(escalated(MINI, HAIKU))[2])
    rest = {name: value for name, value in today.items() if name not in ("from_model", "to_model")}
    return {
        1: json.dumps({**rest, "models": f"{MINI}>{HAIKU}"}),
        2: json.dumps({**rest, "source": MINI, "to_model": HAIKU}),
        3: json.dumps(today),
    }


@pytest.mark.usefixtures("third_version")
@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_is_todays_event(version: int) -> None:
    event = decode("Escalated", version, payloads()[version])
    assert event == escalated(MINI, HAIKU)
    assert isinstance(event, Escalated)
    assert encode(event)[1] == 3


@pytest.mark.usefixtures("third_version")
def test_a_missing_step_is_not_jumped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(upcasters.UPCASTERS, ("Escalated", 2))
    with pytest.raises(LookupError):
        decode("Escalated", 1, payloads()[1])
    with pytest.raises(LookupError, match="newer release"):
        decode("Escalated", 4, payloads()[3])


async def append(url: str, run: str, event: NewEvent) -> None:
    store = open_store(url)
    try:
        await appended(store, on_stream(run, event))
    finally:
        await store.aclose()


@pytest.mark.usefixtures("third_version")
def test_read_models_fold_old_versions_as_new_ones(tmp_path: Path) -> None:
    """One log in which each run escalated in another version."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    for version, payload in payloads().items():
        run = f"run-{version}"
        add(url, run, of_category("chat"), asked(MINI), answered(1), costed(1))
        asyncio.run(append(url, run, replace(new_event(payload, type="Escalated"), schema_version=version)))
        add(url, run, asked(HAIKU, 2, index=1), answered(2), costed(2), completed(2))
    models = StoredReadModels(url)
    haiku, mini = models.model_stats()
    assert (mini.escalated_to, haiku.escalated_from) == ({HAIKU: 3}, {MINI: 3})
    assert models.problems() == []


def test_every_step_up_to_today_is_there() -> None:
    """From version 1 of every type, and none for what does not exist."""
    steps = {(name, version) for name, today in SCHEMA_VERSIONS.items() for version in range(1, today)}
    assert set(upcasters.UPCASTERS) == steps


GOLDEN = Path(__file__).parent / "golden_events"


@pytest.mark.parametrize(("type_", "version"), sorted(AS_BEFORE))
def test_what_read_models_keep_of_an_older_version_is_what_they_keep_once_it_is_raised(
    type_: str, version: int
) -> None:
    """So that they may read it as it is."""
    payload = (GOLDEN / f"{type_}.{version}.json").read_text().strip()
    today = SCHEMA_VERSIONS[type_]
    raised = upcasters.upcast(type_, version, today, payload)
    old, new = (event_of((1, "run-1", 1, type_, of, 0, text)) for of, text in ((version, payload), (today, raised)))
    assert old == new
