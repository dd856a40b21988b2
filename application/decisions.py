"""Every pure decision of a run as the event it becomes, with the texts that go beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from ..domain.actions import (
    Action,
    AssessPrompt,
    CallModel,
    Complete,
    DecideRoute,
    Escalate,
    Fail,
    ScoreAnswer,
    Synthesize,
)
from ..domain.catalogue import ModelName
from ..domain.complexity import ComplexityAnalyzer
from ..domain.conclusion import check, conclude
from ..domain.errors import ErrorKind
from ..domain.events import (
    ConfidenceScored,
    ContentRef,
    Escalated,
    Headroom,
    MemberScore,
    ModelCalled,
    PromptAssessed,
    Purpose,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunStarted,
    StopReason,
    Synthesized,
)
from ..domain.finish import FinishReason
from ..domain.forecast import SuccessModel, forecast
from ..domain.judging import parse_score
from ..domain.request import Request
from ..domain.routing import RoutingInputs, decide, reads_forecast
from ..domain.run import Attempt, AttemptStatus, Run, evolve
from ..domain.scorers import AnswerScorer, ballot_of, judge_scorer
from ..domain.strategies.progress import best_of
from ..domain.synthesis import Member
from ..domain.units import MILLION, Probability, Timestamp, probability
from .attempts import Outcome
from .ports import Answer, Content, RunLog
from .scoring import heuristic_confidence
from .world import StartRun, World


def run_started(command: StartRun, world: World, request: ContentRef | None, now: Timestamp) -> RunStarted:
    """The first fact of a run."""
    deadline = None if command.timeout is None else Timestamp(now + round(command.timeout * MILLION))
    return RunStarted(
        request=request,
        strategy=command.strategy,
        settings=command.settings,
        category=command.category,
        tags=command.tags,
        owner=command.owner,
        subject=command.subject,
        max_cost=command.max_cost,
        deadline=deadline,
        provider=world.provider,
        catalogue=world.catalogue_hash,
        policy=world.policy_hash,
        worker=world.worker,
    )


class Decisions:
    """Performs the actions that need no effect. Without a log no justification is kept."""

    def __init__(
        self,
        command: StartRun,
        world: World,
        log: RunLog | None,
        answers: dict[int, Answer],
        members: Callable[[tuple[int, ...]], tuple[Member, ...]],
    ) -> None:
        self._command = command
        self._world = world
        self._log = log
        self._answers = answers
        self._members = members
        self._draw: Probability | None = None
        self.justification: str | None = None

    def perform(self, run: Run, action: Action, headroom: tuple[Headroom, ...]) -> Outcome:
        """The events of the action, and their texts."""
        match action:
            case AssessPrompt():
                return [assess(self._command.request)], []
            case DecideRoute():
                return [decide(self.routing_inputs(run, headroom))], []
            case ScoreAnswer(attempt=number, by=by):
                return [self._score(run, number, by)], []
            case Escalate():
                return [_escalated(action)], []
            case Synthesize():
                return self._synthesize(run, action)
            case Complete(attempt=number, reason=reason):
                return [completed(run, number, reason)], []
            case Fail(kind=kind, needed=needed):
                return [RunFailed(kind=kind, needed=needed, cost=run.cost, released=())], []
            case CallModel():
                raise AssertionError("a call is an effect")
        assert_never(action)

    def routing_inputs(self, run: Run, headroom: tuple[Headroom, ...]) -> RoutingInputs:
        """What the routing decision reads; a plan that is not carried out holds nothing."""
        assert run.assessment is not None, "a route is due only after the assessment"
        command, world = self._command, self._world
        inputs = RoutingInputs(
            request=command.request,
            assessment=run.assessment,
            usable=world.usable,
            unusable=world.unusable,
            strategy=command.strategy,
            settings=command.settings,
            policy=world.policy,
            max_cost=command.max_cost,
            budgets=() if run.cached else world.budgets_of(command),
            headroom=headroom,
            draw=self._draw_of(command),
        )
        return with_forecast(inputs, world.router)

    def _draw_of(self, command: StartRun) -> Probability | None:
        """The run's one draw, where it explores: a plan that a budget refused is not drawn again."""
        if self._draw is None and command.settings.explore:
            self._draw = Probability(min(MILLION - 1, int(self._world.draw() * MILLION)))
        return self._draw

    def late(self, run: Run) -> list[RunEvent]:
        """The end of a run that has no time for its next call: with the best answer so far, if there is one.

        An answer whose judge was not heard in time is scored without it.
        """
        events: list[RunEvent] = [self._score(run, one.number, None) for one in answers(run) if one.confidence is None]
        for event in events:
            run = evolve(run, event)
        return [*events, late_end(run)]

    def _score(self, run: Run, number: int, by: int | None) -> ConfidenceScored:
        """What the judge said; where there is none, or what it said cannot be read, the learned or heuristic score."""
        said = None if by is None else parse_score(self._answers[by].text)
        if by is None or said is None:
            answer, request, learned = self._answers[number], self._command.request, self._world.scorer
            if learned is None or (not answer.text.strip() and answer.finish_reason is FinishReason.TOOL_CALLS):
                return score(number, answer, request)
            return learned_score(number, answer, request, learned, run.attempt(number).model, self._left_behind(run))
        scorer = judge_scorer(run.attempt(by).model)
        return ConfidenceScored(attempt=number, score=said, signals={"judge": said}, scorer=scorer)

    def _left_behind(self, run: Run) -> str | None:
        """The latest answer that the chain did not trust."""
        models = [one.from_model for one in run.escalations if one.confidence is not None]
        answers = {one.model: self._answers[one.number] for one in run.attempts if one.number in self._answers}
        return next((answers[model].text for model in reversed(models) if model in answers), None)

    def _synthesize(self, run: Run, action: Synthesize) -> Outcome:
        members, question = self._members(action.attempts), self._command.request.prompt
        if action.is_check:
            found = check(members, question)
        else:
            verdict = self._answers[action.by].text if action.by is not None else None
            found = conclude(
                members,
                question,
                action.method,
                verdict=verdict,
                verdict_attempt=action.by,
                weights=self._world.policy.score_weights,
                ballot=ballot_of(self._world.scorer),
            )
        self.justification = found.justification or None
        reference: ContentRef | None = None
        contents: list[Content] = []
        if self._log is not None and self._command.keep_content and found.justification:
            reference, contents = self._log.keep_text(run.id, found.justification, self._command.subject)
        event = Synthesized(
            method=found.method,
            members=tuple(MemberScore(attempt=number, score=value) for number, value in sorted(found.scores.items())),
            agreement=found.agreement,
            dissent=found.dissent,
            chosen=found.chosen,
            justification=reference,
        )
        return [event], contents


def answers(run: Run) -> list[Attempt]:
    """The attempts that have an answer to the request; what a judge says is none."""
    mine = (attempt for attempt in run.attempts if attempt.started.purpose is not Purpose.JUDGE)
    return [attempt for attempt in mine if attempt.status is AttemptStatus.ANSWERED]


def late_end(run: Run) -> RunCompleted | RunFailed:
    """The end of a run whose time is up and whose answers are scored."""
    if answered := answers(run):
        best = best_of(answered, StopReason.DEADLINE)
        return completed(run, best.attempt, best.reason)
    errors = [attempt.error for attempt in run.attempts if attempt.error]
    return RunFailed(kind=errors[-1] if errors else ErrorKind.DEADLINE, needed=None, cost=run.cost, released=())


def assess(request: Request) -> PromptAssessed:
    """What the request needs, by the built-in analyzer."""
    found = ComplexityAnalyzer().assess(request)
    return PromptAssessed(
        capability=found.capability,
        confidence=found.confidence,
        task_type=found.task_type,
        signals=found.signals,
        assessor=found.assessor,
    )


def with_forecast(inputs: RoutingInputs, router: SuccessModel | None) -> RoutingInputs:
    """The inputs with what the policy's weights say of the request, where the choice goes by that."""
    if router is None or not reads_forecast(inputs):
        return inputs
    success = router.success(inputs.request.prompt)
    return replace(inputs, forecast=forecast(router.version, inputs.policy.target, success, inputs.usable))


def learned_score(
    attempt: int, answer: Answer, request: Request, scorer: AnswerScorer, model: ModelName, second: str | None
) -> ConfidenceScored:
    """How far the answer can be trusted, by learned weights; `second` is the answer that the chain left behind."""
    said = probability(
        scorer.confidence(request.prompt, answer.text, model=model, finish_reason=answer.finish_reason, second=second)
    )
    return ConfidenceScored(attempt=attempt, score=said, signals={"learned": said}, scorer=scorer.version)


def score(attempt: int, answer: Answer, request: Request) -> ConfidenceScored:
    """How far the answer can be trusted, by the heuristic scorer."""
    found = heuristic_confidence(request, answer)
    return ConfidenceScored(attempt=attempt, score=found.score, signals=dict(found.signals), scorer=found.scorer)


def completed(run: Run, number: int | None, reason: StopReason) -> RunCompleted:
    """The end of a run with the answer of an attempt, or with the one from the cache."""
    if number is None:
        assert run.cached is not None, "only a cached answer is of no attempt"
        return RunCompleted(
            attempt=None,
            stop_reason=reason,
            answer=run.cached.answer,
            confidence=run.cached.confidence,
            cost=run.cost,
            released=(),
        )
    attempt = run.attempt(number)
    assert isinstance(attempt.outcome, ModelCalled), "only an answered attempt can end a run"
    return RunCompleted(
        attempt=number,
        stop_reason=reason,
        answer=attempt.outcome.answer,
        confidence=_confidence(run, number),
        cost=run.cost,
        released=(),
    )


def _escalated(action: Escalate) -> Escalated:
    return Escalated(
        from_model=action.from_call.model,
        to_model=action.to_call.model,
        reason=action.reason,
        confidence=action.confidence,
        threshold=action.threshold,
    )


def _confidence(run: Run, number: int) -> Probability:
    confidence = run.attempt(number).confidence
    assert confidence is not None, "an answer is scored before it is used"
    return confidence.score
