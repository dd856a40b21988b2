"""What is found of a policy on recorded outcomes, and that nothing but texts reaches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isnan

import pytest

from model_orchestrator.application.evaluation.cascade import agreements, evaluate_cascade, trained_second
from model_orchestrator.application.evaluation.choice import evaluate_choice
from model_orchestrator.application.evaluation.confidence import evaluate_confidence
from model_orchestrator.application.evaluation.ensemble import evaluate_ensemble
from model_orchestrator.application.evaluation.picture import picture
from model_orchestrator.application.evaluation.policies import HeuristicRouting, HeuristicScorer
from model_orchestrator.application.evaluation.recorded_set import RecordedSet, recorded_set
from model_orchestrator.application.evaluation.report import Evaluation
from model_orchestrator.application.evaluation.resampling import resamples
from model_orchestrator.application.evaluation.routing import evaluate_routing
from model_orchestrator.domain.choice import best_within, cheapest_reaching
from model_orchestrator.domain.dataset import Example
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.events import Method
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.units import Usd

from ...recorded import BIG, OTHER, SMALL, Taught, example, sums, without

Evaluate = Callable[[RecordedSet, Taught], Evaluation]

EVERY: dict[str, Evaluate] = {
    "routing": lambda data, policy: evaluate_routing(data, policy, SMALL, BIG),
    "choice": lambda data, policy: evaluate_choice(data, policy, [SMALL, OTHER, BIG], target=0.7),
    "confidence": lambda data, policy: evaluate_confidence(data, policy, SMALL),
    "cascade": lambda data, policy: evaluate_cascade(data, policy, SMALL, BIG, second=OTHER),
    "ensemble": lambda data, policy: evaluate_ensemble(data, policy, [BIG, OTHER, SMALL], is_adaptive=True),
}


@pytest.mark.parametrize("evaluate", EVERY.values(), ids=EVERY)
def test_a_task_label_never_reaches_a_policy(evaluate: Evaluate) -> None:
    """Without labels, or with others, it is asked and predicts the same; no label is among what it is asked."""
    changes: list[Callable[[Example], Example]] = [
        lambda one: one,
        lambda one: replace(one, task=None),
        lambda one: replace(one, task=f"needs {BIG}"),
        lambda one: replace(one, reference="7"),
    ]
    found = []
    for change in changes:
        policy = Taught()
        evaluation = evaluate(sums(change=change), policy)
        found.append((policy.asked, evaluation.predictions, evaluation.policy))
        assert not any("task" in str(asked) or "needs" in str(asked) for asked in policy.asked)
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("evaluate", EVERY.values(), ids=EVERY)
def test_grades_reach_no_policy(evaluate: Evaluate) -> None:
    """With every other grade exchanged it is asked the same."""

    def other_grades(one: Example) -> Example:
        turned = {model: replace(found, score=1 - found.score) for model, found in one.outcomes.items()}
        return replace(one, outcomes=turned) if int(one.id[1:]) % 10 == 3 else one

    first, second = Taught(), Taught()
    evaluate(sums(), first)
    evaluate(sums(change=other_grades), second)
    assert first.asked == second.asked


@pytest.mark.parametrize("evaluate", EVERY.values(), ids=EVERY)
def test_every_prompt_has_one_prediction(evaluate: Evaluate) -> None:
    """In the order of the set, by id; and the picture can be drawn."""
    data = sums()
    found = evaluate(data, Taught())
    assert [one["id"] for one in found.predictions] == [one.id for one in data.examples]
    assert picture(found).points()


def test_contaminated_prompts_are_left_out() -> None:
    """They are counted, and judged by nothing."""
    data = sums(change=lambda one: replace(one, contaminated=one.id in ("p3", "p4")))
    found = evaluate_routing(data, HeuristicRouting(), SMALL, BIG)
    assert (found.prompts, found.data.left_out) == (58, 2)
    assert {"p3", "p4"}.isdisjoint(one["id"] for one in found.predictions)


def test_a_ranking_by_what_matters_beats_chance_and_not_the_oracle() -> None:
    """The references of a pair are those of RouteLLM."""
    found = evaluate_routing(sums(), Taught(), SMALL, BIG)
    apgr = {row.name: row.figures.get("apgr") for row in (found.policy, *found.references)}
    assert apgr["random"] == pytest.approx(0.5)
    assert apgr["taught-1"] == apgr["prompt length"]
    assert found.policy.figures["apgr_over_length"] == 0
    assert (apgr["oracle"] or 0) > (apgr["taught-1"] or 0)
    assert found.reference(f"always {BIG}").figures["usd_per_1000"] == pytest.approx(2)


def test_a_cascade_pays_the_first_answer_and_the_second_opinion_always() -> None:
    """And the strong model for those it sends on: 20 of 60 answers that are not trusted, at least."""
    found = evaluate_cascade(sums(), Taught(), SMALL, BIG, second=OTHER)
    sent = found.policy.figures["share"]
    assert found.policy.figures["usd_per_1000"] == pytest.approx(0.3 + 2 * sent)
    agreed = agreements(found.data, SMALL, OTHER)
    row = found.reference(f"{OTHER} agrees")
    assert row.figures["share"] == pytest.approx(1 - sum(agreed) / 60)
    assert row.figures["usd_per_1000"] == pytest.approx(0.3 + 2 * row.figures["share"])


def test_a_threshold_sends_on_what_lies_below_it() -> None:
    """At 0 nothing, and the weak model's quality stays; above every confidence all, and it is the strong one's."""
    none = evaluate_cascade(sums(), Taught(), SMALL, BIG, threshold=0.0).policy.figures
    all_ = evaluate_cascade(sums(), Taught(), SMALL, BIG, threshold=1.0).policy.figures
    assert [none["share"], none["quality"]] == pytest.approx([0, 2 / 3])
    assert [all_["share"], all_["quality"]] == pytest.approx([1, 0.9])


@dataclass(frozen=True)
class Fixed:
    """A cascade that training fixed."""

    second: str | None
    gain: float
    guaranteed_gain: float | None = 0.05


class Trained(Taught):
    """A scorer that was trained for one cascade: it sends on the negative answers."""

    beside = OTHER

    def gain(
        self,
        question: str,
        answer: str,
        *,
        strong: str,
        model: str | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
        second: str | None = None,
    ) -> float:
        return 0.6 if "-" in answer else 0.1

    def cascade(self, weak: str, strong: str, *, second: bool | None = None) -> Fixed | None:
        return Fixed(None if second is False else self.beside, 0.5) if (weak, strong) == (SMALL, BIG) else None


def test_a_cascade_that_was_trained_goes_by_its_own_threshold() -> None:
    """For its own models, and where no threshold is named."""
    own = evaluate_cascade(sums(), Trained(), SMALL, BIG)
    assert own.asked["gain"] == 0.5
    assert own.policy.figures["share"] == pytest.approx(1 / 3)
    assert {(one["score"], one["confidence"]) for one in own.predictions} == {(0.6, 0.2), (0.1, 0.45)}
    assert evaluate_cascade(sums(), Trained(), SMALL, BIG, threshold=0.3).asked["threshold"] == 0.3
    assert evaluate_cascade(sums(), Trained(), OTHER, BIG).asked["threshold"] == 0.7
    elsewhere = Trained()
    elsewhere.beside = "elsewhere"
    assert "threshold" in evaluate_cascade(sums(), elsewhere, SMALL, BIG, second=OTHER).asked


def test_what_a_guarantee_comes_to_is_a_row_of_its_own() -> None:
    """Of a cascade the gain, of a router the need from which the strong model is asked; nothing where there is none."""
    name = "within the guaranteed risk, gain 0.0500"
    row = evaluate_cascade(sums(), Trained(), SMALL, BIG).reference(name)
    assert row.figures["share"] == 1
    assert row.figures["quality"] == pytest.approx(0.9)
    policy = Taught()
    longest = max(len(prompt) for prompt in sums().prompts())
    policy.thresholds = {(SMALL, BIG): longest, (OTHER, BIG): None}
    row = evaluate_routing(sums(), policy, SMALL, BIG).reference(f"within the guaranteed risk, need {longest:.4f}")
    assert row.figures["share"] == pytest.approx(sum(len(one) == longest for one in sums().prompts()) / 60)
    for found in (evaluate_routing(sums(), policy, OTHER, BIG), evaluate_cascade(sums(), Taught(), SMALL, BIG)):
        assert not any("guaranteed" in one.name for one in found.references)


def test_the_second_model_of_the_best_cascade_is_the_one_that_training_names() -> None:
    """None of a pair that it was not trained for, nor of a scorer that knows no cascades."""
    assert trained_second(Trained(), SMALL, BIG) == OTHER
    assert trained_second(Trained(), OTHER, BIG) is None
    assert trained_second(Taught(), SMALL, BIG) is None


def test_an_adaptive_panel_asks_the_third_only_where_two_differ() -> None:
    """Its choice costs less, and the pair's agreement stands."""
    whole = evaluate_ensemble(sums(), HeuristicScorer(), [BIG, OTHER, SMALL])
    adaptive = evaluate_ensemble(sums(), HeuristicScorer(), [BIG, OTHER, SMALL], is_adaptive=True)
    differ = 1 - sum(agreements(sums(), BIG, OTHER)) / 60
    assert whole.policy.figures["calls"] == 3
    assert adaptive.policy.figures["calls"] == pytest.approx(2 + differ)
    assert adaptive.policy.figures["usd_per_1000"] == pytest.approx(2.2 + 0.1 * differ)


def test_a_vote_is_the_majority() -> None:
    """Of three, two that are right outvote the third."""
    found = evaluate_ensemble(sums(), HeuristicScorer(), [SMALL, OTHER, BIG], method=Method.VOTE)
    right = [sum(o.is_right for o in example(n).outcomes.values()) >= 2 for n in range(1, 61)]
    assert found.policy.figures["quality"] >= sum(right) / 60


def test_a_choice_is_the_cheapest_that_is_good_enough() -> None:
    """Or the best within a budget; of none good enough the best."""
    success, costs = {"a": 0.7, "b": 0.8, "c": 0.9}, {"a": 1.0, "b": 2.0, "c": 3.0}
    assert [cheapest_reaching(success, costs, target) for target in (0.5, 0.75, 0.9, 0.95)] == ["a", "b", "c", "c"]
    assert cheapest_reaching({"a": 0.8, "b": 0.9}, {"a": 1.0, "b": 1.0}, 0.5) == "b"
    assert [best_within(success, costs, budget) for budget in (1, 2.5, 3)] == ["a", "b", "c"]
    with pytest.raises(InvalidRequest, match="the cheapest model is expected to cost 1"):
        best_within(success, costs, 0.5)


def test_resamples_are_the_same_every_time() -> None:
    """So many prompts in each, and not all of the same ones."""
    first = [list(counts) for counts in resamples(20)]
    resamples.cache_clear()
    assert [list(counts) for counts in resamples(20)] == first
    assert {sum(counts) for counts in first} == {20}
    assert len({tuple(counts) for counts in first}) > 100


class NotANumber(Taught):
    """A policy that fails."""

    def need(self, prompt: str, weak: str, strong: str) -> float:
        return float("nan")


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "no rows": (lambda: recorded_set("x", []), "data set x: it holds no prompt"),
    "only contaminated": (lambda: sums(change=lambda one: replace(one, contaminated=True)), "all its prompts are"),
    "a wrong name": (lambda: evaluate_confidence(sums(), Taught(), "smal"), "no model 'smal': did you mean small"),
    "a missing outcome": (
        lambda: sums(
            change=lambda one: replace(one, outcomes={BIG: one.outcomes[BIG]}) if one.id == "p2" else one
        ).grades(SMALL),
        "prompt 'p2' has no outcome of small",
    ),
    "one kind of answer": (
        lambda: evaluate_confidence(sums(2), Taught(), SMALL),
        "all answers of small count as right",
    ),
    "no answers": (
        lambda: evaluate_confidence(sums(change=without("text")), Taught(), SMALL),
        "but no answers: only routing",
    ),
    "no costs": (
        lambda: evaluate_choice(sums(change=without("cost")), Taught(), [SMALL, BIG]),
        "a choice needs two models with recorded costs",
    ),
    "no prompt": (
        lambda: evaluate_routing(sums(change=lambda one: replace(one, prompt=None)), Taught(), SMALL, BIG),
        "60 of 60 prompts have no text",
    ),
    "no gap": (lambda: evaluate_routing(sums(), Taught(), BIG, SMALL), "exchange them"),
    "one model twice": (lambda: evaluate_routing(sums(), Taught(), BIG, BIG), "expected two"),
    "a policy's NaN": (
        lambda: evaluate_routing(sums(), NotANumber(), SMALL, BIG),
        "policy taught-1 gave nan for prompt 1",
    ),
    "a model beside itself": (lambda: evaluate_confidence(sums(), Taught(), SMALL, SMALL), "small is beside itself"),
    "a second answer of the pair": (
        lambda: evaluate_cascade(sums(), Taught(), SMALL, BIG, second=BIG),
        "big is in the cascade already",
    ),
    "a panel of one": (lambda: evaluate_ensemble(sums(), Taught(), [BIG]), "two different models"),
}


@pytest.mark.parametrize(("evaluate", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_judged_is_said(evaluate: Callable[[], object], said: str) -> None:
    """With what is missing."""
    with pytest.raises(InvalidRequest, match=said):
        evaluate()


def test_a_cascade_of_models_that_cost_nothing_has_no_share_of_the_cost() -> None:
    """And all its other figures; of models that cost something the share has an interval."""

    def free(one: Example) -> Example:
        return replace(one, outcomes={model: replace(found, cost=Usd(0)) for model, found in one.outcomes.items()})

    found = evaluate_cascade(sums(change=free), Taught(), SMALL, BIG).policy
    assert isnan(found.figures["cost_share"])
    assert found.figures["usd_per_1000"] == 0
    paid = evaluate_cascade(sums(), Taught(), SMALL, BIG).policy
    low, high = paid.intervals["cost_share"]
    assert low < paid.figures["cost_share"] < high


def test_without_costs_a_pair_is_judged_by_its_quality() -> None:
    """No figure of money, and the picture is of shares."""
    found = evaluate_routing(sums(change=without("cost")), Taught(), SMALL, BIG)
    assert "usd_per_1000" not in found.policy.figures
    assert picture(found).x.title == f"prompts sent to {BIG}"
