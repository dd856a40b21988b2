"""The world of a recorded run, as its events and what they name by hash tell it: nobody can be called in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..domain.catalogue import Catalogue
from ..domain.events import RoutingDecided
from ..domain.policy import Policy
from ..domain.recorded_routing import recorded_budgets, recorded_models, recorded_size
from ..domain.request import Request, prompt_request
from ..domain.routing import RoutingInputs
from ..domain.run import Run
from ..domain.scorers import AnswerScorer
from .decisions import Decisions
from .members import members_of
from .ports import Answer
from .resume import command_to_resume
from .world import World

GONE = prompt_request("")  # stands where the request's text is gone


class NotReplayable(Exception):
    """This build or this database lacks what the run's decisions rested on; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a run's decisions rest on beside its events; its RunStarted names both by hash."""

    catalogue: Catalogue
    policy: Policy
    scorer: AnswerScorer | None = None  # of learned weights, where answers were held against each other


def recorded_world(run: Run, routing: RoutingDecided | None, basis: Basis) -> World:
    """The world of a recorded run: nothing can be called in it."""
    assert run.started is not None
    usable, unusable = ((), ()) if routing is None else recorded_models(routing, basis.catalogue)
    return World(
        provider=run.started.provider,
        catalogue=basis.catalogue,
        catalogue_hash=run.started.catalogue,
        policy=basis.policy,
        policy_hash=run.started.policy,
        usable=usable,
        unusable=unusable,
        client_for=_no_client,
        worker=run.started.worker,
        observe=lambda run_id, event, at: None,
        draw=lambda: 0.0,
        budgets=() if routing is None else recorded_budgets(routing),
        scorer=basis.scorer,
    )


def routing_inputs(run: Run, event: RoutingDecided, basis: Basis, request: Request | None) -> RoutingInputs | None:
    """What the decision read; without the request by the size its plan shows. None where it planned no call either."""
    assert run.assessment is not None, "a route is decided after the assessment"
    world = recorded_world(run, event, basis)
    inputs = replace(
        recorded_decisions(run, world, request, {}).routing_inputs(run, event.headroom),
        forecast=event.forecast,
        draw=event.exploration.draw if event.exploration else None,
    )
    if request is not None:
        return inputs
    shown = recorded_size(event, run.assessment, basis.catalogue)
    return None if shown is None else replace(inputs, size=shown[0], features=shown[1])


def recorded_decisions(run: Run, world: World, request: Request | None, answers: Mapping[int, Answer]) -> Decisions:
    """The loop's own, over what was recorded."""
    known = dict(answers)
    command = command_to_resume(run, request or GONE, timeout=0)
    return Decisions(command, world, None, known, lambda numbers: members_of(run, numbers, known, world))


def _no_client(model: object) -> Any:
    raise AssertionError("a replay calls nobody")
