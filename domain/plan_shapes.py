"""The plan of each strategy: which calls, in what order; smaller where the money does not cover all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .budget import NOTHING, less, total
from .call_planning import Need, RequestSize, plan_call
from .catalogue import Feature, ModelCapability, ModelConfig, ModelName
from .events import (
    Exclusion,
    ExclusionReason,
    Exploration,
    Forecast,
    Method,
    PlannedCall,
    Purpose,
    StrategySettings,
)
from .forecast import explored, preference
from .units import Probability, Usd, plain

Models = Mapping[ModelName, ModelConfig]
PAIR = 2  # members that a panel keeps, with shorter answers, before it is a single model
JUDGE_OUTPUT = 512  # tokens: a ranking is short
BYTES_A_TOKEN = 5  # an answer quoted to a judge counts by bytes; the loop cuts one that is longer
QUOTING = 600  # tokens of instructions around the answers that a judge or an aggregator reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A plan, and what did not come into it."""

    plan: tuple[PlannedCall, ...]
    candidates: tuple[PlannedCall, ...]
    excluded: tuple[Exclusion, ...]
    dropped: tuple[ModelName, ...] = ()
    exploration: Exploration | None = None

    @property
    def needed(self) -> Usd | None:
        """The least limit that one of the models could run with."""
        figures = [Usd(one.limit or "0") for one in self.excluded if one.reason is ExclusionReason.MAX_COST]
        return min(figures, default=None)


def cheapest_shape(
    models: Models,
    need: Need,
    *,
    plan_limit: Usd | None = None,
    forecast: Forecast | None = None,
    draw: Probability | None = None,
) -> Shape:
    """The one cheapest call that is good enough; of equals the first of the catalogue. A judge only where it fits too.

    With a `draw` (millionths, below 1,000,000), and where the caller explores, it may be any other candidate.
    """
    calls, excluded = _calls(models, tuple(models), need)
    calls = sorted(calls, key=preference(forecast))
    chosen, exploration = 0, None
    if calls and draw is not None and need.settings.explore:
        chosen, exploration = explored(need.settings.explore, draw, calls)
    asked = calls[chosen : chosen + 1]
    judged = _judged(models, asked, need)
    plan = judged if _fits(judged, need, plan_limit) else asked
    return Shape(plan=tuple(plan), candidates=tuple(calls), excluded=excluded, exploration=exploration)


def chain_shape(
    models: Models,
    names: tuple[ModelName, ...],
    backup: tuple[ModelName, ...],
    need: Need,
    assessed: ModelCapability,
    *,
    plan_limit: Usd | None,
) -> Shape:
    """The chain in its order, then its backup, then the judge of each answer.

    It is shortened from the end until its worst price fits `plan_limit`; of a single model the judge goes first.
    """
    first, excluded = _chained(models, names, need)
    second, excluded_backup = _calls(models, backup, need)
    if need.settings.start_capable:
        first = first[_first_capable(first, models, assessed) :]
    calls = first + [replace(call, is_backup=bool(first)) for call in second]
    kept = calls
    while len(kept) > 1 and not _fits(_judged(models, kept, need), need, plan_limit):
        kept = kept[:-1]
    judged = _judged(models, kept, need)
    return Shape(
        plan=tuple(judged if _fits(judged, need, plan_limit) else kept),
        candidates=tuple(calls),
        excluded=excluded + excluded_backup,
        dropped=tuple(call.model for call in calls[len(kept) :]),
    )


def panel_shape(models: Models, names: tuple[ModelName, ...], need: Need, *, method: Method | None) -> Shape:
    """All members, who judges or fuses them, and the judge of each; with less money fewer, then shorter answers."""
    whole, excluded = _calls(models, names, need)
    for size in range(len(whole), min(PAIR, len(whole)) - 1, -1):
        for helped in (True, False) if size > 1 and method in (Method.JUDGE, Method.FUSE) else (False,):
            plan = _with_helper(models, whole[:size], need, method) if helped else whole[:size]
            judged = _judged(models, plan, need)
            if _fits(judged, need, need.limit):
                return _panel(judged, whole, excluded)
    if _fits(whole[:PAIR], need, need.limit):
        return _panel(whole[:PAIR], whole, excluded)
    shorter = _shorter(models, tuple(call.model for call in whole), need)
    return _panel(shorter, whole, excluded)


def _panel(plan: list[PlannedCall], whole: list[PlannedCall], excluded: tuple[Exclusion, ...]) -> Shape:
    asked = {call.model for call in plan}
    dropped = tuple(call.model for call in whole if call.model not in asked)
    return Shape(plan=tuple(plan), candidates=tuple(whole), excluded=excluded, dropped=dropped)


def _shorter(models: Models, names: tuple[ModelName, ...], need: Need) -> list[PlannedCall]:
    """Two members that share the limit, else the first that fits it alone."""
    if need.limit is not None and len(names) > 1:
        half = Usd(plain((need.limit / 2).quantize(Usd("0.000000000001"), rounding="ROUND_FLOOR")))
        pair, _ = _calls(models, names[:2], need.within(half))
        if len(pair) == 2:
            return pair
    return _calls(models, names, need)[0][:1]


def _with_helper(models: Models, members: list[PlannedCall], need: Need, method: Method | None) -> list[PlannedCall]:
    """The members and the call that reads their answers, by the most capable of them."""
    best = max(members, key=lambda call: models[call.model].capability.rank)
    output = JUDGE_OUTPUT if method is Method.JUDGE else need.size.max_output
    size = _quoting(members, need.size, output)
    limits = dict(need.model_limits)
    if best.model in limits:  # its own answer comes first
        limits[best.model] = less(limits[best.model], best.max_cost or NOTHING)
    call = plan_call(models[best.model], replace(need, size=size, capability=None, model_limits=limits))
    if isinstance(call, Exclusion):
        return members
    return [*members, replace(call, purpose=Purpose.JUDGE if method is Method.JUDGE else Purpose.SYNTHESIS)]


def _judged(models: Models, plan: list[PlannedCall], need: Need) -> list[PlannedCall]:
    """The plan, and the calls that score its answers where a judge was asked for and can read them."""
    judge = models.get(need.settings.judge or "")
    if judge is None:
        return plan
    features = need.features & {Feature.IMAGES}
    judges = []
    for index, call in enumerate(plan):
        if call.purpose in (Purpose.ANSWER, Purpose.SYNTHESIS):
            size = _quoting([call], need.size, JUDGE_OUTPUT)
            own = replace(need, size=size, features=features, capability=None, settings=StrategySettings())
            planned = plan_call(judge, own)
            if isinstance(planned, PlannedCall):
                judges.append(replace(planned, purpose=Purpose.JUDGE, scores=index))
    return [*plan, *judges]


def _quoting(answers: list[PlannedCall], asked: RequestSize, output: int) -> RequestSize:
    """How large a call is that reads the question and these answers."""
    return RequestSize(
        expected_input=asked.expected_input + sum(call.expected_output_tokens for call in answers) + QUOTING,
        max_input=asked.max_input + (sum(call.max_output_tokens for call in answers) + QUOTING) * BYTES_A_TOKEN,
        expected_output=min(output, asked.expected_output),
        max_output=output,
    )


def _calls(models: Models, names: tuple[ModelName, ...], need: Need) -> tuple[list[PlannedCall], tuple[Exclusion, ...]]:
    """The calls that can be made, in the order of the names, and why the others cannot."""
    outcomes = [plan_call(models[name], need) for name in names if name in models]
    calls = [outcome for outcome in outcomes if isinstance(outcome, PlannedCall)]
    return calls, tuple(outcome for outcome in outcomes if isinstance(outcome, Exclusion))


def _chained(
    models: Models, names: tuple[ModelName, ...], need: Need
) -> tuple[list[PlannedCall], tuple[Exclusion, ...]]:
    """As `_calls`; under a limit each answer is kept so short that the call fits what those before may leave."""
    calls: list[PlannedCall] = []
    excluded: list[Exclusion] = []
    for model in (models[name] for name in names if name in models):
        outcome = plan_call(model, need)
        if isinstance(outcome, PlannedCall) and need.limit is not None and calls:
            left = plan_call(model, need.within(less(need.limit, _gone_before(calls, need))))
            outcome = left if isinstance(left, PlannedCall) else outcome
        if isinstance(outcome, PlannedCall):
            calls.append(outcome)
        else:
            excluded.append(outcome)
    return calls, tuple(excluded)


def _gone_before(calls: list[PlannedCall], need: Need) -> Usd:
    """What the calls before may have cost: twice what is expected, or the most where two are made at once."""
    if need.settings.verify_agreement and len(calls) < PAIR:
        return total(call.max_cost for call in calls)
    return total(one for call in calls for one in (call.expected_cost, call.expected_cost))


def _first_capable(calls: list[PlannedCall], models: Models, assessed: ModelCapability) -> int:
    """Where the chain reaches the class that was assessed; one model is kept after it."""
    capable = [i for i, call in enumerate(calls) if models[call.model].capability.rank >= assessed.rank]
    return max(0, min(capable[0] if capable else len(calls), len(calls) - 2))


def _fits(plan: list[PlannedCall], need: Need, limit: Usd | None) -> bool:
    """Whether the plan's worst price stays within the limit, and that of each model's calls within the model's own."""
    limits = need.model_limits.items()
    within = all(total(call.max_cost for call in plan if call.model == name) <= most for name, most in limits)
    return within and (limit is None or total(call.max_cost for call in plan) <= limit)
