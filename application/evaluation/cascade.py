"""A cascade: the weak model always answers, and the strong one where that answer is not trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...domain.catalogue import ModelCapability, ModelName
from ...domain.conclusion import check
from ...domain.errors import InvalidRequest
from ...domain.metrics.ranking import mean
from ...domain.policy import Chain
from ...domain.scorers import AnswerScorer
from ...domain.synthesis import Member
from ...domain.units import Probability, fraction
from .chosen import ORACLE, RANDOM, point
from .confidence import ANSWER_LENGTH, Scored, confidences_of
from .pair import ModelPair
from .policies import CascadeScorer, checked
from .recorded_set import RecordedSet
from .report import Evaluation, Row
from .resampling import Counts, Figures, Measured

THRESHOLD = fraction(Chain(models=()).threshold)  # as of a chain that names none


@dataclass(frozen=True, slots=True)
class Rule:
    """Which answers are sent on: those whose need (one a prompt) is above the least."""

    name: str  # of what is held against the bound
    bound: float
    said: str
    needs: Sequence[float]
    least: float
    trust: Sequence[float]  # 0..1, in the reverse order of the needs: what an outside judge ranks answers by
    guaranteed: float | None = None  # the least within the risk that training was told to keep


def evaluate_cascade(
    data: RecordedSet,
    scorer: AnswerScorer,
    weak: ModelName,
    strong: ModelName,
    *,
    second: ModelName | None = None,
    threshold: float | None = None,
) -> Evaluation:
    """What it reaches and costs at the threshold, and at every other. Raises InvalidRequest.

    The second cheap model, where there is one, is paid for every prompt too. Without a threshold of confidence: that of
    the strong model's gain which a scorer was trained with for these models, else a chain's.
    """
    if second in (weak, strong):
        raise InvalidRequest(f"{second} is in the cascade already: the second answer is another cheap model's")
    pair, right = ModelPair(data, weak, strong, is_cascade=True, second=second), data.right(weak)
    confidences = confidences_of(data, scorer, weak, second)
    rule = None if threshold is not None else _trained(data, scorer, weak, strong, second)
    rule = rule or _by_confidence(confidences, THRESHOLD if threshold is None else threshold)
    row = _measured(pair, confidences, right, rule)
    sent = row.figures["share"]
    rest = [
        _at_share(pair, ANSWER_LENGTH, [float(len(text)) for text in data.texts(weak)], sent),
        _at_share(pair, RANDOM, [0.0] * len(right), sent),
        _at_share(pair, ORACLE, pair.gains, sent),
        pair.always(0),
        pair.always(1),
    ]
    if second is not None:
        rest.insert(0, _agreement(pair, agreements(data, weak, second), right, f"{second} agrees"))
    if rule.guaranteed is not None:
        kept = pair.sent([need > rule.guaranteed for need in rule.needs])
        rest.append(kept.row(f"within the guaranteed risk, gain {rule.guaranteed:.4f}"))
    asked = {"weak": weak, "strong": strong, rule.name: rule.bound}
    return Evaluation(
        kind="cascade",
        data=data,
        asked=asked if second is None else {**asked, "second": second},
        policy=replace(row, name=scorer.version, points=pair.row("", rule.needs).points),
        references=rest,
        predictions=[
            {"id": one.id, "confidence": trust, "score": need}
            for one, trust, need in zip(data.examples, rule.trust, rule.needs, strict=True)
        ],
        notes=[
            f"sent to {strong}: {rule.said}",
            f"length, chance and oracle send on the share that the threshold does: {100 * sent:.1f} %",
        ],
    )


def _by_confidence(confidences: Sequence[float], threshold: float) -> Rule:
    needs = [-confidence for confidence in confidences]
    return Rule("threshold", threshold, f"answers below the confidence {threshold}", needs, -threshold, confidences)


def trained_second(scorer: AnswerScorer, weak: ModelName, strong: ModelName) -> ModelName | None:
    """The second cheap model of the best cascade that the scorer was trained with for this pair; None: it has none."""
    best = scorer.cascade(weak, strong) if isinstance(scorer, CascadeScorer) else None
    return None if best is None else best.second


def _trained(
    data: RecordedSet, scorer: AnswerScorer, weak: ModelName, strong: ModelName, second: ModelName | None
) -> Rule | None:
    """The rule that a scorer was trained with for exactly these models."""
    if not isinstance(scorer, CascadeScorer):
        return None
    fixed = scorer.cascade(weak, strong, second=second is not None)
    if fixed is None or fixed.second != second:
        return None
    others: Sequence[str | None] = [None] * len(data.examples) if second is None else data.texts(second)
    rows = zip(data.questions(), data.texts(weak), others, strict=True)
    found = (scorer.gain(asked, text, strong=strong, model=weak, second=other) for asked, text, other in rows)
    said = f"answers of which it is expected to gain more than {fixed.gain:.4f}, as fixed in training"
    gains = checked(scorer.version, found)
    trust = [(1 - gain) / 2 for gain in gains]
    return Rule("gain", fixed.gain, said, gains, fixed.gain, trust, fixed.guaranteed_gain)


def agreements(data: RecordedSet, first: ModelName, second: ModelName) -> list[float]:
    """1 where a live chain that verifies by agreement would stop: both answers can be compared and are the same."""
    rows = zip(data.questions(), data.texts(first), data.texts(second), strict=True)
    return [float(check(_both(one, other), question).chosen is not None) for question, one, other in rows]


def _both(*texts: str) -> list[Member]:
    return [
        Member(attempt=n, model=f"model {n}", capability=ModelCapability.BASIC, text=text, confidence=Probability(0))
        for n, text in enumerate(texts, start=1)
    ]


def _measured(pair: ModelPair, confidences: Sequence[float], right: Sequence[bool], rule: Rule) -> Row:
    """The figures of a cascade that sends on by a rule."""
    scored, at_threshold = Scored(confidences, right), pair.sent([need > rule.least for need in rule.needs])

    def figures(counts: Counts | None) -> Figures:
        found = {**scored.figures(counts), **at_threshold.figures(counts)}
        if pair.costs is None:
            return found
        always = 1000 * mean(pair.costs[1], counts)
        return {**found, "cost_share": found["usd_per_1000"] / always if always else float("nan")}

    ranked, measured = pair.measured(rule.needs), Measured(figures, len(right))
    return Row(
        name="",
        figures={**ranked.figures, **measured.figures},
        intervals={**ranked.intervals(), **measured.intervals()},
    )


def _agreement(pair: ModelPair, agreed: Sequence[float], right: Sequence[bool], name: str) -> Row:
    """The one point that agreement has: what lies between its two values is the order of the prompts, no policy."""
    row, kept = (
        _measured(pair, agreed, right, _by_confidence(agreed, 0.5)),
        ("auroc", "quality", "usd_per_1000", "share", "cost_share"),
    )
    figures = {key: row.figures[key] for key in kept if key in row.figures}
    return Row(
        name=name,
        figures=figures,
        intervals={key: one for key, one in row.intervals.items() if key in kept},
        points=point(figures),
    )


def _at_share(pair: ModelPair, name: str, needs: Sequence[float], share: float) -> Row:
    """A ranking that sends on the same share of prompts."""
    row = pair.row(name, needs, share=share)
    return replace(row, figures={**row.figures, "share": share})
