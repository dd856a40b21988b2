"""A policy played over runs of the log: what it would have decided, and as much of the outcome as was observed.

The routing decision is the live one, over the recorded assessment, size, models and predictions. Where it comes to what
was done, the run is the outcome. Else each answer that the policy needs is looked for among the run's own: a model that
was not asked is unknown, its cost estimated as planned. An answer without a label is estimated by its score, see
backtest_tally. A prompt is read again only where other weights must predict; one that is erased leaves the run unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from ..domain.call_planning import RequestSize
from ..domain.catalogue import Catalogue, Feature, ModelCapability, ModelName
from ..domain.complexity import TaskType
from ..domain.events import (
    ContentRef,
    Exclusion,
    ExclusionReason,
    Exploration,
    PlannedCall,
    PromptAssessed,
    Purpose,
    RoutingDecided,
    StrategySettings,
)
from ..domain.expected_output import expected_output_tokens
from ..domain.forecast import SuccessModel, forecast
from ..domain.policy import Policy
from ..domain.pricing import Usage, cost
from ..domain.request import Request, prompt_request
from ..domain.routing import RoutingInputs, decide, reads_forecast
from ..domain.scorers import judge_of, judge_scorer
from ..domain.strategies.ensemble import PAIR
from ..domain.units import MILLION, Probability, Usd, picodollars
from .backtest_outcome import as_it_ran, walked
from .backtest_runs import PastRun, scored
from .backtest_sizes import SizeClasses
from .backtest_tally import Played

NO_TEXT = prompt_request("-")
MEMORY = 50_000  # decisions kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Everything a decision without predictions rests on: equal ones are taken once."""

    strategy: str
    settings: StrategySettings
    catalogue: str
    capability: ModelCapability
    task_type: TaskType
    usable: tuple[ModelName, ...]
    excluded: tuple[Exclusion, ...]
    features: frozenset[Feature]
    expected_input: int
    max_input: int
    max_output: int
    max_cost: Usd | None

    def assessment(self) -> PromptAssessed:
        """As far as a decision reads it."""
        sure = Probability(MILLION)
        return PromptAssessed(
            capability=self.capability, confidence=sure, task_type=self.task_type, signals={}, assessor=""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PastWorld:
    """A catalogue that runs used, and the policy to be played over it; strategy None: as each run was asked."""

    catalogue: Catalogue
    policy: Policy
    router: SuccessModel | None = None
    strategy: str | None = None


class HistoryPlayer:
    """Plays one policy over runs of the log.

    `worlds` go by the hash of a run's catalogue, None where no policy can be had over it; `assumed` stands in for one
    that the database does not hold. `text`
    gives a request again, None where it is gone.
    """

    def __init__(
        self,
        worlds: Mapping[str, PastWorld | None],
        assumed: PastWorld,
        text: Callable[[ContentRef], Request | None] = lambda reference: None,
    ) -> None:
        self._worlds = worlds
        self._assumed = assumed
        self._text = text
        self._sizes: dict[tuple[str, ModelCapability, TaskType, int], SizeClasses] = {}
        self._decided = lru_cache(maxsize=MEMORY)(self._decide)

    def play(self, run: PastRun) -> Played:
        """What the policy comes to for the run."""
        decision = self.decision(run)
        drawn = run.routing is not None and run.routing.exploration is not None
        if decision is None or not decision.plan:
            return Played(is_drawn=drawn)
        played = self._played(run, decision)
        if self._pays_another_judge(run):
            played = replace(played, cost=None, planned=None)
        return replace(played, propensity=_weighing(run, decision), is_drawn=drawn)

    def _played(self, run: PastRun, decision: RoutingDecided) -> Played:
        if self._is_what_was_done(run, decision):
            return as_it_ran(run)
        calls = [call for call in decision.plan if call.purpose is Purpose.ANSWER]
        price = partial(self._expected_cost, run)
        if decision.strategy == "cheapest":
            return walked(run, calls[:1], 0, None, price)
        if decision.strategy == "fallback" and not run.start.settings.verify_agreement:
            return walked(run, calls, decision.threshold or 0, self._scorer(run), price)
        at_once = calls if run.start.settings.full_panel else calls[:PAIR]
        prices = [price(call) for call in at_once]
        return Played(planned=None if None in prices else sum(one or 0 for one in prices))

    def _pays_another_judge(self, run: PastRun) -> bool:
        """Whether the policy has a model score every answer, which the run had not: what that costs is unknown."""
        return not run.start.settings.judge and judge_of(self._scorer(run)) is not None

    def _expected_cost(self, run: PastRun, call: PlannedCall) -> int | None:
        """Picodollars that a call of the run's size is expected to cost; None without a price, or with a judge's."""
        model = self._world(run.start.catalogue).catalogue.get(call.model)
        if model is None or model.price is None or run.routing is None or run.start.settings.judge:
            return None
        given = run.routing.plan[0].expected_input_tokens
        return picodollars(cost(Usage(input_uncached=given, output=call.expected_output_tokens), model.price))

    def decision(self, run: PastRun) -> RoutingDecided | None:
        """The routing that the policy would have decided; None where what it reads is gone, or was never there."""
        if run.is_unreadable or self._worlds.get(run.start.catalogue, self._assumed) is None:
            return None
        if run.assessment is None or run.routing is None:
            return None
        calls = [call for call in run.routing.plan if call.purpose is Purpose.ANSWER]
        if not calls:
            return None
        world, limited = self._world(run.start.catalogue), run.start.max_cost is not None
        asked = _Asked(
            strategy=world.strategy or run.start.strategy,
            settings=run.start.settings,
            catalogue=run.start.catalogue,
            capability=run.assessment.capability,
            task_type=run.assessment.task_type,
            usable=run.routing.usable,
            excluded=tuple(one for one in run.routing.excluded if one.model not in run.routing.usable),
            features=_features(run.routing.excluded),
            expected_input=calls[0].expected_input_tokens,
            max_input=max(call.max_input_tokens for call in calls) if limited else calls[0].expected_input_tokens,
            max_output=max(call.max_output_tokens for call in calls),
            max_cost=run.start.max_cost,
        )
        if world.router is None:
            return self._decided(asked if limited else self._of_its_class(asked))
        return self._forecasted(run, asked, world.router)

    def _of_its_class(self, asked: _Asked) -> _Asked:
        """The same, with a size for which the decision is the same."""
        key = asked.catalogue, asked.capability, asked.task_type, asked.max_output
        if key not in self._sizes:
            models = self._world(asked.catalogue).catalogue.models
            expected = min(asked.max_output, expected_output_tokens(asked.task_type, asked.capability))
            self._sizes[key] = SizeClasses(models, expected, asked.max_output)
        size = self._sizes[key].of(asked.expected_input)
        return asked if size == asked.expected_input else replace(asked, expected_input=size, max_input=size)

    def _world(self, catalogue: str) -> PastWorld:
        world = self._worlds.get(catalogue, self._assumed)
        assert world is not None, "nothing is decided where no policy can be had"
        return world

    def _scorer(self, run: PastRun) -> str:
        """Whose scores a chain goes by: the judge that the run asked for, else the policy's."""
        judge = run.start.settings.judge
        return judge_scorer(judge) if judge else self._world(run.start.catalogue).policy.scorer

    def _forecasted(self, run: PastRun, asked: _Asked, router: SuccessModel) -> RoutingDecided | None:
        """The decision by the recorded predictions where the weights made them, else by reading the prompt again."""
        inputs = self._inputs(asked, run.assessment)
        target, known = inputs.policy.target, run.routing.forecast if run.routing else None
        if not reads_forecast(inputs):
            return self._decided(asked)
        if known is not None and known.weights == router.version:
            known = replace(known, target=target)
            return decide(replace(inputs, forecast=known))
        request = self._text(run.start.request) if run.start.request else None
        if request is None:
            return None
        said = forecast(router.version, target, router.success(request.prompt), inputs.usable)
        return decide(replace(inputs, forecast=said))

    def _decide(self, asked: _Asked) -> RoutingDecided:
        return decide(self._inputs(asked, None))

    def _inputs(self, asked: _Asked, assessment: PromptAssessed | None) -> RoutingInputs:
        world = self._world(asked.catalogue)
        models = {model.name: model for model in world.catalogue.models}
        expected = expected_output_tokens(asked.task_type, asked.capability)
        return RoutingInputs(
            request=NO_TEXT,
            assessment=assessment or asked.assessment(),
            usable=tuple(models[name] for name in asked.usable if name in models),
            unusable=asked.excluded,
            strategy=asked.strategy,
            settings=asked.settings,
            policy=world.policy,
            max_cost=asked.max_cost,
            size=RequestSize(
                expected_input=asked.expected_input,
                max_input=asked.max_input,
                expected_output=min(asked.max_output, expected),
                max_output=asked.max_output,
            ),
            features=asked.features,
        )

    def _is_what_was_done(self, run: PastRun, decision: RoutingDecided) -> bool:
        """Whether the run that was made is the policy's too."""
        routing = run.routing
        assert routing is not None
        same = (routing.strategy, routing.method, routing.threshold) == (
            decision.strategy,
            decision.method,
            decision.threshold,
        )
        if not same or [call.model for call in routing.plan] != [call.model for call in decision.plan]:
            return False
        scorers = {own[0] for one in run.attempts.values() if (own := scored(one))}
        return decision.strategy == "cheapest" or scorers <= {self._scorer(run)}


def _weighing(run: PastRun, decision: RoutingDecided) -> float | None:
    """How likely the logged choice was, where the policy makes the same; None where that was not drawn."""
    exploration = run.routing.exploration if run.routing else None
    if exploration is None or run.routing is None or decision.strategy != "cheapest" or not run.routing.plan:
        return None
    asked = run.routing.plan[0].model
    return _propensity(exploration, asked) if decision.plan[0].model == asked else None


def _propensity(exploration: Exploration, model: ModelName) -> float | None:
    return next((one.probability / MILLION for one in exploration.propensities if one.model == model), None)


def _features(excluded: Sequence[Exclusion]) -> frozenset[Feature]:
    """What the request asks for beyond text, as far as some model lacked it."""
    lacking = (one.limit or "" for one in excluded if one.reason is ExclusionReason.FEATURE)
    return frozenset(Feature(word) for words in lacking for word in words.split(", ") if word)
