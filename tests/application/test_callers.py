"""Who asks with a key: the run is theirs, and models that the key does not allow are no candidates, with the reason."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from model_orchestrator.application.failures import failure_of
from model_orchestrator.application.replay import Verdict
from model_orchestrator.application.world import Caller
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import ExclusionReason, Method, RoutingDecided, StrategySettings
from model_orchestrator.domain.exclusions import exclusion_text
from model_orchestrator.domain.seed_catalogue import SEED

from .test_replay_law import decided_again, kept_texts
from .world import Stage

ALLOWED = ("gpt-4o-mini", "claude-haiku-3.5")
BARRED = {model.name for model in SEED.models} - {*ALLOWED}
ASKED: dict[str, dict[str, Any]] = {
    "cheapest": {},
    "a named model": {"settings": StrategySettings(model="gpt-4o")},
    "the usual chain": {"strategy": "fallback", "settings": StrategySettings(threshold=None)},
    "a chain": {
        "strategy": "fallback",
        "settings": StrategySettings(chain=("gpt-4o", "claude-haiku-3.5", "gpt-4o-mini")),
    },
    "a panel": {
        "strategy": "ensemble",
        "settings": StrategySettings(members=("gpt-4o-mini", "gpt-4o", "claude-haiku-3.5"), full_panel=True),
    },
    "a panel with a judge of its own": {
        "strategy": "ensemble",
        "settings": StrategySettings(members=("gpt-4o", "claude-haiku-3.5"), method=Method.JUDGE),
    },
    "a judge": {"settings": StrategySettings(judge="gpt-4o")},
    "auto": {"strategy": "auto"},
    "an expert's prompt": {"prompt": "Prove that the halting problem is undecidable, step by step, with full rigour."},
}


def stage_of(*models: str) -> Stage:
    stage = Stage()
    stage.caller = Caller(owner="web", models=models)
    return stage


@pytest.mark.parametrize("asked", ASKED)
def test_a_model_that_the_key_does_not_allow_is_never_asked(asked: str) -> None:
    """By name, in a chain, in a panel, as a judge or as what would have been the best; and the decision says so."""
    stage = stage_of(*ALLOWED)
    run = stage.run(**ASKED[asked]).run
    assert run.started is not None
    assert run.routing is not None
    assert run.started.owner == "web"
    assert not {call.model.name for call in stage.client.calls} & BARRED
    assert not {call.model for call in run.routing.plan} & BARRED
    by_key = [one for one in run.routing.excluded if one.reason is ExclusionReason.KEY]
    assert {one.model for one in by_key} == BARRED
    assert len(by_key) == len(BARRED)
    assert {exclusion_text(one) for one in by_key} == {"the key web does not allow it"}
    assert set(run.routing.usable) == {*ALLOWED}


@pytest.mark.parametrize("asked", ASKED)
def test_such_a_run_is_decided_again_bit_for_bit(asked: str) -> None:
    """From its events alone: what the key allowed then is in the decision, whatever it allows today."""
    stage = stage_of(*ALLOWED)
    stage.run(**ASKED[asked])
    replayed = decided_again(stage, asyncio.run(kept_texts(stage)))
    assert (replayed.verdict, replayed.differences) == (Verdict.IDENTICAL, [])


@pytest.mark.parametrize("asked", ["cheapest", "a named model", "the usual chain", "a panel", "auto"])
def test_a_key_for_no_model_of_the_catalogue_gets_the_reason(asked: str) -> None:
    stage = stage_of("gone")
    run = stage.run(**ASKED[asked]).run
    failure = failure_of(run)
    assert failure.kind == ErrorKind.NO_CANDIDATE.value
    assert "the key web does not allow it (" in str(failure)
    assert stage.client.calls == []


def test_who_may_ask_any_model_decides_as_without_a_key() -> None:
    """Bit for bit but for the owner."""
    plain, keyed = Stage(), Stage()
    keyed.caller = Caller(owner="web")
    for stage in (plain, keyed):
        stage.run()
    decisions = [[one for one in stage.events() if isinstance(one, RoutingDecided)] for stage in (plain, keyed)]
    assert decisions[0] == decisions[1]
    assert keyed.events()[0].owner == "web"
