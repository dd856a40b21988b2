"""A decision that does not follow from what was recorded before it is found and named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from model_orchestrator.application.ports import Answer, LoggedEvent
from model_orchestrator.application.recorded_texts import Texts
from model_orchestrator.application.recorded_world import Basis, NotReplayable
from model_orchestrator.application.replay import Difference, Replayed, Verdict, replay
from model_orchestrator.application.score_check import check_scores
from model_orchestrator.application.scoring import HEURISTIC, TextScorer
from model_orchestrator.domain.catalogue import ModelName
from model_orchestrator.domain.confidence import Confidence
from model_orchestrator.domain.events import (
    AttemptStarted,
    CostIncurred,
    Escalated,
    PromptAssessed,
    RoutingDecided,
    RunCompleted,
    RunFailed,
    StrategySettings,
    Synthesized,
)
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.request import Request
from model_orchestrator.domain.run import fold
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.strategies import fallback
from model_orchestrator.domain.units import Usd, probability
from model_orchestrator.infrastructure.event_codec import SCHEMA_VERSIONS, decode, encode

from .test_replay_law import kept_texts, make
from .world import RUN, Stage, answer

BASIS = Basis(catalogue=SEED, policy=SEED_POLICY)
UNSURE = "I'm not sure, I don't know, but it might possibly be 4?"
Path = tuple[str | int, ...]


def replayed(logged: Sequence[LoggedEvent], texts: Texts | None = None, basis: Basis = BASIS) -> Replayed:
    return replay(RUN, logged, basis, texts or Texts(), encode)


def logged_of(stage: Stage) -> list[LoggedEvent]:
    return list(asyncio.run(stage.log.read(RUN)))


def chain_run() -> Stage:
    """A chain that goes on from an answer it does not trust."""
    replies = iter([answer(UNSURE), answer("The answer is 4.")])

    async def reply(call: Any) -> Any:
        return next(replies)

    stage = Stage(reply)
    stage.run("What is 2+2?", strategy="fallback", settings=StrategySettings())
    return stage


def changed(entry: LoggedEvent, path: Path, value: Any) -> LoggedEvent:
    """The event with another value somewhere in its payload."""
    document: Any = json.loads(entry.envelope.payload)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    payload = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    event = decode(entry.envelope.type, entry.envelope.schema_version, payload)
    return LoggedEvent(event=event, envelope=entry.envelope._replace(payload=payload))


def index_of(logged: Sequence[LoggedEvent], kind: type[Any]) -> int:
    return next(index for index, entry in enumerate(logged) if isinstance(entry.event, kind))


def with_change(logged: Sequence[LoggedEvent], kind: type[Any], path: Path, value: Any) -> list[LoggedEvent]:
    index = index_of(logged, kind)
    return [*logged[:index], changed(logged[index], path, value), *logged[index + 1 :]]


def test_a_run_decides_the_same_again() -> None:
    """Assessed, planned, asked, escalated, asked again, ended: seven decisions with the two scores."""
    stage = chain_run()
    found = replayed(logged_of(stage), asyncio.run(kept_texts(stage)))
    assert (found.verdict, found.decisions, found.notes) == (Verdict.IDENTICAL, 8, [])


def test_without_its_texts_the_plan_shows_how_large_the_request_was() -> None:
    found = replayed(logged_of(chain_run()))
    assert found.verdict is Verdict.IDENTICAL
    assert found.notes == [
        "event 3 (RoutingDecided): decided by the size that the plan shows: the request's text is gone"
    ]


@pytest.mark.parametrize(
    ("kind", "path", "value", "field"),
    [
        (RoutingDecided, ("plan", 0, "max_cost"), "0.5", "plan[0].max_cost"),
        (RoutingDecided, ("threshold",), 100_000, "threshold"),
        (RoutingDecided, ("reason",), "chosen", "reason"),
        (AttemptStarted, ("model",), "gpt-4o", "model"),
        (AttemptStarted, ("max_output_tokens",), 5, "max_output_tokens"),
        (CostIncurred, ("amount",), "0.1", "amount"),
        (Escalated, ("confidence",), 1, "confidence"),
        (RunCompleted, ("cost",), "0", "cost"),
        (RunCompleted, ("stop_reason",), "last_model", "stop_reason"),
    ],
)
def test_a_decision_that_was_changed_is_named(kind: type[Any], path: Path, value: Any, field: str) -> None:
    """Which event, which field, both values."""
    stage = chain_run()
    logged, texts = logged_of(stage), asyncio.run(kept_texts(stage))
    index = index_of(logged, kind)
    was: Any = json.loads(logged[index].envelope.payload)
    for step in path:
        was = was[step]
    found = replayed(with_change(logged, kind, path, value), texts)
    assert found.verdict is Verdict.DIFFERENT
    named = Difference(version=index + 1, type=kind.__name__, field=field, recorded=value, decided=was)
    assert found.differences[0] == named


def test_what_was_decided_from_a_changed_assessment_does_not_follow_from_it() -> None:
    """The assessment itself is read, not decided again here."""
    stage = Stage()
    stage.run()
    logged = with_change(logged_of(stage), PromptAssessed, ("capability",), "expert")
    found = replayed(logged, asyncio.run(kept_texts(stage)))
    assert {one.type for one in found.differences} == {"RoutingDecided"}


def test_a_decision_that_was_not_due_and_one_that_is_missing_are_found() -> None:
    """Without the escalation, the second call follows from nothing."""
    stage = chain_run()
    logged, texts = logged_of(stage), asyncio.run(kept_texts(stage))
    index = index_of(logged, Escalated)
    found = replayed([*logged[:index], *logged[index + 1 :]], texts)
    assert found.differences[0] == Difference(
        version=index + 1, type="AttemptStarted", field="", recorded="AttemptStarted", decided="due were: Escalate"
    )


def test_bytes_that_mean_the_same_are_not_identical() -> None:
    """Not only the value is compared, but what stands in the log."""
    logged = logged_of(chain_run())
    index = index_of(logged, RunCompleted)
    envelope = logged[index].envelope._replace(payload=logged[index].envelope.payload.replace(":", ": ", 1))
    found = replayed([*logged[:index], replace(logged[index], envelope=envelope), *logged[index + 1 :]])
    assert [one.version for one in found.differences] == [index + 1]


def test_a_model_that_the_catalogue_lacks_contradicts_the_record() -> None:
    """No exception leaves a replay."""
    stage = chain_run()
    logged = with_change(logged_of(stage), RoutingDecided, ("usable", 0), "gpt-none")
    found = replayed(logged, asyncio.run(kept_texts(stage)))
    assert found.verdict is Verdict.DIFFERENT
    assert "contradicts itself" in str(found.differences[0].decided)


def test_a_strategy_that_this_build_lacks_is_not_replayable() -> None:
    stage = chain_run()
    with pytest.raises(NotReplayable, match="no strategy tournament"):
        replayed(with_change(logged_of(stage), RoutingDecided, ("strategy",), "tournament"))


def test_code_that_decides_otherwise_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that trusts every answer would have stopped at the first."""
    stage = chain_run()
    logged, texts = logged_of(stage), asyncio.run(kept_texts(stage))
    monkeypatch.setattr(fallback, "confidence_of", lambda attempt: 1_000_000)
    found = replayed(logged, texts)
    assert found.differences[0] == Difference(
        version=index_of(logged, Escalated) + 1,
        type="Escalated",
        field="",
        recorded="Escalated",
        decided="due were: Complete",
    )


def test_a_score_is_computed_with_the_answer_that_was_left_behind() -> None:
    """The first answer has none before it, the second has the first."""
    stage = chain_run()
    logged, texts = logged_of(stage), asyncio.run(kept_texts(stage))
    seen: list[str | None] = []

    def score(request: Request, answer: Answer, model: ModelName, second: str | None) -> Confidence:
        seen.append(second)
        return Confidence(score=probability(0.5), signals={})

    run = fold(RUN, [entry.event for entry in logged])
    events = [entry.event for entry in logged]
    found = check_scores(run, events, texts, lambda name: TextScorer(name, score))
    assert seen == [None, UNSURE]
    assert (found.equal, [one.what for one in found.unequal]) == (1, ["score of attempt 1", "score of attempt 2"])
    assert check_scores(run, events, texts, lambda name: None).lacking == {"heuristic-1": 2}
    assert check_scores(run, events, Texts(), lambda name: HEURISTIC).gone == 3
    assert check_scores(run, events, texts, lambda name: HEURISTIC).equal == 3


def test_another_policy_decides_otherwise() -> None:
    """A replay under another basis than the recorded one is seen."""
    stage = chain_run()
    other = replace(SEED_POLICY, version="other-1")
    found = replayed(logged_of(stage), asyncio.run(kept_texts(stage)), replace(BASIS, policy=other))
    assert found.differences[0].field == "policy"


DECIDED = {
    RoutingDecided: ("plan", "candidates", "strategy", "reason", "threshold", "capability", "policy", "needed"),
    AttemptStarted: ("attempt", "call", "model", "api_id", "price_card", "purpose", "max_cost", "max_output_tokens"),
    CostIncurred: ("amount", "price_card", "estimated"),
    Escalated: ("from_model", "to_model", "reason", "confidence", "threshold"),
    Synthesized: ("method", "members", "agreement", "dissent", "chosen"),
    RunCompleted: ("attempt", "stop_reason", "confidence", "cost", "released"),
    RunFailed: ("kind", "needed", "cost", "released"),
}


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every number, word or nothing in a JSON value, with its place."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def another(path: Path, value: Any) -> list[Any]:
    """Values that may stand in its place; those that the event does not take are passed over."""
    if path == ("strategy",):
        return ["cheapest", "fallback", "ensemble"]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    return [1, "0.000001", "other"] if value is None else ["0.1234", "gpt-4", "vote", "budget", "basic", "other"]


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=2**31))
def test_whatever_decision_is_changed_is_found(seed: int) -> None:
    """Any field of any decision of any run: the replay is different, and names that event first."""
    stage, dice = make(seed)
    logged = logged_of(stage)
    places = [
        (index, path, value)
        for index, entry in enumerate(logged)
        if (names := DECIDED.get(type(entry.event))) is not None
        for path, value in leaves(json.loads(entry.envelope.payload))
        if path[0] in names
    ]
    assume(places)
    index, path, value = dice.draw.choice(places)
    others = another(path, value)
    tampered = None
    for other in dice.draw.sample(others, len(others)):
        try:
            if other != value:
                tampered = [*logged[:index], changed(logged[index], path, other), *logged[index + 1 :]]
                break
        except (ArithmeticError, ValueError):
            continue
    assume(tampered is not None)
    assert tampered is not None
    found = replayed(tampered, asyncio.run(kept_texts(stage)))
    assert found.verdict is Verdict.DIFFERENT
    if path != ("call",):  # of two calls that are due at once either may be first: the other is then no longer due
        assert found.differences[0].version == index + 1


def test_money_is_read_not_decided() -> None:
    """The kind of money is what the answer showed."""
    stage = chain_run()
    found = replayed(
        with_change(logged_of(stage), CostIncurred, ("money",), "simulated"), asyncio.run(kept_texts(stage))
    )
    assert found.verdict is Verdict.IDENTICAL


def test_a_run_of_a_threshold_of_its_own_replays_with_it() -> None:
    stage = Stage()
    stage.run(strategy="fallback", settings=StrategySettings(threshold=probability(0.99)), max_cost=Usd("0.01"))
    assert replayed(logged_of(stage), asyncio.run(kept_texts(stage))).verdict is Verdict.IDENTICAL


def test_an_older_payload_is_compared_as_todays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of an older schema version say the same in other words."""
    logged = logged_of(chain_run())
    index = index_of(logged, Escalated)
    envelope = logged[index].envelope._replace(schema_version=0, payload="{}")
    found = replayed([*logged[:index], replace(logged[index], envelope=envelope), *logged[index + 1 :]])
    assert SCHEMA_VERSIONS["Escalated"] != 0
    assert found.verdict is Verdict.IDENTICAL
