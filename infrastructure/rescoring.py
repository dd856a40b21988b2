"""Recorded answers scored anew, by a scorer that asks nobody or by a judge that is paid."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..application.decisions import answers
from ..application.rescore import OtherCourse, other_course, record_scores, unscored
from ..application.runs import load_run
from ..application.scoring import LeftBehind, TextScorer
from ..domain.budget import less, total
from ..domain.call_planning import features_asked
from ..domain.catalogue import ModelCapability, ModelName
from ..domain.errors import ErrorKind, InvalidRequest, RunFailure
from ..domain.events import AttemptStarted, Money, RunRescored
from ..domain.judging import parse_score, score_request
from ..domain.request import Request
from ..domain.run import Attempt, Run
from ..domain.scorers import judge_of, judge_scorer
from ..domain.strategies.progress import confidence_of
from ..domain.synthesis import Member
from ..domain.units import Probability, Timestamp, Usd
from .bootstrap import Orchestrator
from .replaying import Recorded, RecordedRun
from .scorers import text_scorer

CATEGORY = "rescore"  # of the runs in which a judge is asked
AT_ONCE = 50  # runs read together


@dataclass(slots=True)
class Rescored:
    """What came of one run. `known`: answers that this scorer had scored before; `gone`: without their texts."""

    run: Run
    started_at: Timestamp
    new: list[RunRescored] = field(default_factory=list)
    known: int = 0
    gone: int = 0
    unread: int = 0  # judgements that gave no score
    course: OtherCourse | None = None


class Rescoring:
    """Scores runs anew. A judge's every call is a run of its own, with its hold, its cost and its events."""

    def __init__(
        self, orchestrator: Orchestrator, scorer: TextScorer | ModelName, by: str, max_cost: Usd | None
    ) -> None:
        self._orchestrator = orchestrator
        self._scorer = scorer if isinstance(scorer, TextScorer) else None
        self._judge = scorer if isinstance(scorer, str) else None
        self.version = judge_scorer(scorer) if isinstance(scorer, str) else scorer.version
        self._by = by
        self._max_cost = max_cost
        self.spent: dict[Money, Usd] = {}  # on judging
        self.claimed = Usd(0)  # the same, and the most that calls of unknown cost may have cost
        self.stopped: str | None = None  # why no further answer is judged

    @classmethod
    async def of(
        cls, orchestrator: Orchestrator, scorer: str, *, by: str = "local", max_cost: Usd | None = None
    ) -> Rescoring:
        """By a scorer's name. `max_cost` is USD for all judging together.

        Raises InvalidRequest for a scorer that there is not, and for a judge without a limit.
        """
        judge = judge_of(scorer)
        if judge is not None and max_cost is None:
            raise InvalidRequest(f"{scorer} is paid for each answer: say how much in all, with --max-cost USD")
        found = judge or await text_scorer(scorer, orchestrator.store)
        if found is None:
            raise InvalidRequest(f"scorer {scorer!r} is unknown: see `scorers list`")
        return cls(orchestrator, found, by, max_cost)

    async def runs(self, run_ids: Iterable[str]) -> AsyncIterator[Rescored]:
        """Each run once it is done; none further after the money is used up."""
        recorded, ids = Recorded(self._orchestrator.log), iter(run_ids)
        while some := list(islice(ids, AT_ONCE)):
            for one in await recorded.read(some):
                is_judging = one.run.started is not None and one.run.started.category == CATEGORY
                if self.stopped is None and one.events and not is_judging:
                    yield await self._rescored(one)

    async def _rescored(self, one: RecordedRun) -> Rescored:
        run = one.run
        left = unscored(run, self.version)
        done = Rescored(run, one.events[0].envelope.recorded_at)
        scores = []
        for attempt in left:
            if one.texts.request is None or attempt.number not in one.texts.answers:
                done.gone += 1
            elif (scored := await self._score(one, attempt, done)) is not None:
                scores.append(scored)
            if self.stopped is not None:
                break
        done.run, done.new = await record_scores(self._orchestrator.log, run.id, scores)
        done.known = len(answers(done.run)) - len(unscored(done.run, self.version)) - len(done.new)
        said = {event.attempt: event.score for event in done.run.rescored if event.scorer == self.version}
        done.course = other_course(run.id, [entry.event for entry in one.events], said)
        return done

    async def _score(self, one: RecordedRun, attempt: Attempt, done: Rescored) -> RunRescored | None:
        request, answer = one.texts.request, one.texts.answers[attempt.number]
        assert request is not None, "only an answer with its request is scored"
        if self._scorer is not None:
            found = self._scorer.score(request, answer, attempt.model, _left_behind(one, attempt))
            return self._event(attempt, found.score, dict(found.signals), None)
        member = Member(
            attempt=attempt.number,
            model=attempt.model,
            capability=ModelCapability.BASIC,  # no judge is told
            text=answer.text,
            confidence=confidence_of(attempt),
        )
        judged_in, said = await self._judged(score_request(request, member), one.run)
        if said is None:
            done.unread += self.stopped is None
            return None
        return self._event(attempt, said, {"judge": said}, judged_in)

    def _event(
        self, attempt: Attempt, score: Probability, signals: dict[str, int], judged_in: str | None
    ) -> RunRescored:
        return RunRescored(
            attempt=attempt.number,
            score=score,
            signals=signals,
            scorer=self.version,
            by=self._by,
            judged_in=judged_in,
        )

    async def _judged(self, request: Request, run: Run) -> tuple[str | None, Probability | None]:
        """The run in which the judge was asked, and its score where it can be read."""
        assert self._max_cost is not None, "a judge has a limit"
        options: dict[str, Any] = {
            "model": self._judge,
            "category": CATEGORY,
            "tags": {"rescored": run.id},
            "messages": request.messages,
            "max_tokens": request.parameters.max_tokens,
            "response_format": request.parameters.response_format,
            "max_cost": max(Usd(0), less(self._max_cost, self.claimed)),
            "subject": run.started.subject if run.started else None,
            "store_content": False,  # the texts are the other run's, and go with it
            "cache": "off",
        }
        model = self._orchestrator.prepare(**options)[1].catalogue.get(str(self._judge))
        if model is not None and not features_asked(request) <= model.carries:
            options["response_format"] = None  # its words ask for JSON
        try:
            result = await self._orchestrator.run(**options)
        except RunFailure as error:
            await self._count(error.run_id)
            if error.kind == ErrorKind.BUDGET:
                self.stopped = str(error)
            return error.run_id, None
        await self._count(result.run_id)
        return result.run_id, parse_score(result.response)

    async def _count(self, run_id: str | None) -> None:
        """What a judging run cost, and what it may yet turn out to have cost."""
        if run_id is None:
            return
        for attempt in (await load_run(self._orchestrator.log, run_id)).run.attempts:
            most = attempt.spent if attempt.spent is not None else attempt.started.max_cost
            self.claimed = total((self.claimed, most))
            if attempt.cost is not None:
                money = attempt.cost.money
                self.spent[money] = total((self.spent.get(money, Usd(0)), attempt.cost.amount))


def _left_behind(one: RecordedRun, attempt: Attempt) -> str | None:
    """The answer that the chain did not trust before it asked for this one."""
    left = LeftBehind(one.run, one.texts.answers)
    for entry in one.events:
        if isinstance(entry.event, AttemptStarted) and entry.event.attempt == attempt.number:
            break
        left.see(entry.event)
    return left.text


async def recorded_scores(orchestrator: Orchestrator, run_ids: Iterable[str]) -> AsyncIterator[Rescored]:
    """The runs as they are, with the scores that they have."""
    for run_id in run_ids:
        logged = await load_run(orchestrator.log, run_id)
        yield Rescored(logged.run, logged.events[0].envelope.recorded_at)
