"""A policy played over a data set: every model's answer to every prompt is recorded, so nothing has to be estimated.

The decisions are those of live runs: the same assessment, routing, scoring, strategies and synthesis, over recorded
answers. What would ask somebody who is not in the data (a judge, a fusion) or needs a text that is missing is unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn, cast

from ..domain.actions import Action, CallModel
from ..domain.catalogue import Catalogue, ModelConfig, ModelName
from ..domain.dataset import Example, Outcome
from ..domain.events import (
    AttemptStarted,
    ContentRef,
    CostIncurred,
    ModelCalled,
    Money,
    Purpose,
    RunCompleted,
    RunEvent,
    StrategySettings,
)
from ..domain.finish import FinishReason
from ..domain.forecast import SuccessModel
from ..domain.policy import Policy
from ..domain.request import prompt_request
from ..domain.run import Run, evolve
from ..domain.scorers import AnswerScorer
from ..domain.strategies import due
from ..domain.strategies.progress import confidence_of
from ..domain.synthesis import Member
from ..domain.units import Duration, Timestamp, Usd, picodollars
from .backtest_tally import Played
from .decisions import Decisions, run_started
from .ports import Answer, RunLog
from .world import StartRun, World

MOST_STEPS = 100


class NotRecordedError(Exception):
    """A policy asks for what the data set does not hold."""


class DatasetPlayer:
    """Plays one policy by one strategy over the examples of a set."""

    def __init__(
        self,
        catalogue: Catalogue,
        policy: Policy,
        *,
        strategy: str,
        settings: StrategySettings,
        router: SuccessModel | None = None,
        scorer: AnswerScorer | None = None,
    ) -> None:
        self._strategy = strategy
        self._settings = settings
        self._world = World(
            provider=catalogue.name,
            catalogue=catalogue,
            catalogue_hash="",
            policy=policy,
            policy_hash="",
            usable=catalogue.models,
            unusable=(),
            client_for=_nobody,
            worker="backtest",
            observe=lambda run_id, event, at: None,
            draw=lambda: 0.0,
            router=router,
            scorer=scorer,
        )

    def play(self, example: Example) -> Played:
        """What the policy comes to for the prompt; nothing is known where it needs what the set lacks."""
        try:
            run = self._run(example)
        except NotRecordedError:
            return Played()
        ended = run.ended
        if not isinstance(ended, RunCompleted) or ended.attempt is None:
            return Played()
        cost = run.cost
        return Played(
            quality=example.outcomes[run.attempt(ended.attempt).model].score,
            cost=None if cost is None else picodollars(cost),
            calls=len(run.attempts),
            escalations=len(run.escalations),
        )

    def _run(self, example: Example) -> Run:
        if example.prompt is None or not example.prompt.strip():
            raise NotRecordedError
        usable = tuple(model for model in self._world.usable if model.name in example.outcomes)
        world = replace(self._world, usable=usable)
        command = StartRun(
            run_id=example.id,
            request=prompt_request(example.prompt),
            strategy=self._strategy,
            settings=self._settings,
            keep_content=False,
        )
        run = evolve(Run(example.id), run_started(command, world, None, Timestamp(0)))
        return _Playing(example, command, world, run).to_the_end()


class _Playing:
    """One run over recorded answers."""

    def __init__(self, example: Example, command: StartRun, world: World, run: Run) -> None:
        self._example = example
        self._world = world
        self._run = run
        self._answers: dict[int, Answer] = {}
        no_log = cast(RunLog, None)  # texts are not kept
        self._decisions = Decisions(command, world, no_log, self._answers, self._members)

    def to_the_end(self) -> Run:
        for _ in range(MOST_STEPS):
            actions = due(self._run)
            if not actions:
                return self._run
            for action in actions:
                for event in self._perform(action):
                    self._run = evolve(self._run, event)
        raise AssertionError(f"{self._example.id} does not come to an end")

    def _perform(self, action: Action) -> list[RunEvent]:
        if isinstance(action, CallModel):
            return self._call(action)
        return list(self._decisions.perform(self._run, action, ())[0])

    def _call(self, action: CallModel) -> list[RunEvent]:
        """The recorded answer as the events of a call. Raises NotRecordedError."""
        outcome = self._example.outcomes.get(action.call.model)
        if outcome is None or action.call.purpose is not Purpose.ANSWER:
            raise NotRecordedError
        number, needs_text = len(self._run.attempts) + 1, self._run.routing and self._run.routing.strategy != "cheapest"
        if needs_text and _text(outcome) is None:
            raise NotRecordedError
        self._answers[number] = Answer(
            text=_text(outcome) or "", finish_reason=FinishReason.STOP, usage=None, raw_usage=None
        )
        return _call_events(number, action, outcome)

    def _members(self, attempts: tuple[int, ...]) -> tuple[Member, ...]:
        """As a live run has them: the most capable model's first."""
        members = [self._member(number) for number in attempts]
        return tuple(sorted(members, key=lambda member: -member.capability.rank))

    def _member(self, number: int) -> Member:
        attempt = self._run.attempt(number)
        return Member(
            attempt=number,
            model=attempt.model,
            capability=self._world.model(attempt.model).capability,
            text=self._answers[number].text,
            confidence=confidence_of(attempt),
        )


def _text(outcome: Outcome) -> str | None:
    return outcome.text if outcome.text is not None else outcome.answer


def _call_events(number: int, action: CallModel, outcome: Outcome) -> list[RunEvent]:
    model = action.call.model
    started = AttemptStarted(
        attempt=number,
        call=action.index,
        epoch=1,
        model=model,
        provider="recorded",
        api_id=model,
        price_card=None,
        purpose=Purpose.ANSWER,
        max_cost=None,
        max_output_tokens=action.call.max_output_tokens,
    )
    called = ModelCalled(
        attempt=number,
        answer=ContentRef(f"{number}", ""),
        raw=None,
        usage=None,
        finish_reason=FinishReason.STOP,
        response_model=None,
        provider_request_id=None,
        latency=Duration(0),
        first_token=None,
    )
    amount: Usd | None = outcome.cost
    cost = CostIncurred(
        attempt=number, amount=amount, price_card=None, estimated=False, settles=(), money=Money.RECORDED
    )
    return [started, called, cost]


def oracle(example: Example) -> Played:
    """Who knows every outcome asks the cheapest model that is best; nobody can do better for less."""
    best = max(one.score for one in example.outcomes.values())
    costs = [one.cost for one in example.outcomes.values() if one.score == best]
    known = [picodollars(cost) for cost in costs if cost is not None]
    return Played(quality=best, cost=min(known) if len(known) == len(costs) else None, calls=1)


def single(example: Example, model: ModelName) -> Played:
    """One model for everything."""
    outcome = example.outcomes.get(model)
    if outcome is None:
        return Played()
    return Played(quality=outcome.score, cost=None if outcome.cost is None else picodollars(outcome.cost), calls=1)


def _nobody(model: ModelConfig) -> NoReturn:
    raise AssertionError(f"{model.name} is not asked")
