"""Backtests over whole logs: the runs come out of the index whole, in one process or several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_orchestrator.application.backtest_history import HistoryPlayer, PastWorld
from model_orchestrator.application.backtest_outcome import as_it_ran
from model_orchestrator.application.backtest_report import Backtest
from model_orchestrator.application.backtest_tally import Played
from model_orchestrator.domain.errors import InvalidRequest, StoreTooNew
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import picodollars
from model_orchestrator.infrastructure import backtest_history
from model_orchestrator.infrastructure.backtest import Asked
from model_orchestrator.infrastructure.backtest_history import past_runs
from model_orchestrator.infrastructure.backtest_log import backtest_log
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from tests.generated_log import CATALOGUE, TrueLog, write_log
from tests.weights import fake_weights, write_router

RUNS = 250


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, TrueLog]:
    url = f"sqlite:///{tmp_path_factory.mktemp('log') / 'runs.db'}"
    return url, write_log(url, runs=RUNS, seed=11)


def test_every_run_comes_whole(log: tuple[str, TrueLog]) -> None:
    """With the cost, the models and the escalations that are true of it."""
    url, truth = log
    found = {run.id: run for run in past_runs(url)}
    assert found.keys() == {one.run for one in truth.runs}
    for true in truth.runs:
        run = found[true.run]
        assert run.escalations == true.escalations
        assert run.started_at == round(true.started_at.timestamp() * 1_000_000)
        if true.cost is not None:
            assert run.cost == picodollars(true.cost)
    assert {(one.run, one.model) for one in truth.attempts} == {
        (run.id, attempt.model) for run in found.values() for attempt in run.attempts.values()
    }


def test_the_policy_in_force_comes_to_what_was_done(log: tuple[str, TrueLog]) -> None:
    """For every run that its own limits left alone; texts were not needed."""
    world = PastWorld(catalogue=CATALOGUE, policy=SEED_POLICY)
    player, same = HistoryPlayer({}, world), 0
    for run in past_runs(log[0]):
        decision = player.decision(run)
        if decision is None or run.routing is None:
            continue
        assert [call.model for call in decision.plan] == [call.model for call in run.routing.plan]
        assert (decision.strategy, decision.threshold) == (run.routing.strategy, run.routing.threshold)
        played, ran = player.play(run), as_it_ran(run)
        assert (played.cost, played.calls, played.scored) == (ran.cost, ran.calls, ran.scored)
        same += 1
    assert same > 0.8 * RUNS


def test_parts_come_to_what_the_whole_does(log: tuple[str, TrueLog], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run is in one part; two processes give the same figures."""
    monkeypatch.setattr(backtest_history, "FOR_A_PROCESS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    shares = backtest_history.parts(log[0])
    assert len(shares) == 2
    ids = [run.id for share in shares for run in past_runs(log[0], part=share)]
    assert ids == [run.id for run in past_runs(log[0])]
    asked = [Asked.of("heuristic"), Asked.of("heuristic:fallback")]
    here = [one.to_dict() for one in _backtest(log[0], asked)]
    monkeypatch.setattr(backtest_history, "FOR_A_PROCESS", 10**9)
    assert [one.to_dict() for one in _backtest(log[0], asked)] == here
    assert [one["of"] for one in here] == ["real", "simulated", "recorded"]
    assert sum(one["policies"][0]["counts"]["runs"] for one in here) == RUNS


def _backtest(url: str, asked: list[Asked]) -> list[Backtest]:
    settings = Settings.load(None, env={"MODEL_ORCHESTRATOR_CATALOGUE": "seed"}, database_url=url)
    return backtest_log(Orchestrator(settings), asked)


@pytest.mark.xdist_group("postgres")
def test_both_databases_come_to_the_same(postgres_url: str, tmp_path: Path) -> None:
    """The same runs, by a server and from a file."""
    asked, url = [Asked.of("heuristic")], f"sqlite:///{tmp_path / 'runs.db'}"
    for one in (url, postgres_url):
        write_log(one, runs=60, seed=9)
    assert [one.to_dict() for one in _backtest(postgres_url, asked)] == [one.to_dict() for one in _backtest(url, asked)]


@pytest.mark.parametrize("texts", [True, False])
def test_prompts_are_read_again_for_other_weights(texts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they were not stored, the runs that the weights would decide are unknown."""
    fake_weights(monkeypatch, tmp_path / "shipped")
    write_router(tmp_path / "mine.json", {"gpt-4o": 0.9, "gpt-4o-mini": 0.3})
    (tmp_path / "mine.toml").write_text('router = "mine.json"\n')
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    write_log(url, runs=60, seed=21, texts=texts)
    asked = [Asked.of(f"{tmp_path / 'mine.toml'}:cheapest")]
    found = [one.policies[0].counts for one in _backtest(url, asked)]
    known = sum(one["cost_observed"] + one["cost_estimated"] for one in found)
    assert (known > 30) is texts


def test_labels_and_new_scores_are_read() -> None:
    """Of each person the latest label; of each scorer the first score."""
    rows = [
        ("run-1", "RunStarted", 2, 5, _golden("RunStarted", 2)),
        ("run-1", "AttemptStarted", 1, 5, _golden("AttemptStarted", 1)),
        ("run-1", "ModelCalled", 1, 6, _golden("ModelCalled", 1)),
        ("run-1", "ConfidenceScored", 1, 6, _golden("ConfidenceScored", 1)),
        ("run-1", "RunCompleted", 1, 7, _golden("RunCompleted", 1)),
        ("run-2", "PromptAssessed", 1, 8, _golden("PromptAssessed", 1)),
    ]
    (run,) = backtest_history.runs_of(rows, None, None)
    label, score = backtest_history._Label(value=0, by="me"), backtest_history._Score(1, 300_000, "other")
    backtest_history._labelled(run, backtest_history._Label(value=1_000_000, by="me"), 8)
    backtest_history._labelled(run, label, 9)
    backtest_history._scored(run, score, 9)
    assert run.final is not None
    assert run.label(run.final) == 0.0
    assert list(run.attempts[1].scores)[-1] == "other"


def test_what_failed_cost_nothing_and_what_was_lost_is_unknown() -> None:
    """A run that ended without an answer has ended too."""
    begun = [
        ("run-1", "RunStarted", 2, 5, _golden("RunStarted", 2)),
        ("run-1", "AttemptStarted", 1, 5, _golden("AttemptStarted", 1)),
    ]
    failed = ("run-1", "AttemptFailed", 1, 6, _golden("AttemptFailed", 1))
    ended = ("run-1", "RunFailed", 1, 7, _golden("RunFailed", 1))
    for events, cost, ended_at in (([], None, None), ([failed], 0, None), ([failed, ended], 0, 7), ([ended], None, 7)):
        (run,) = backtest_history.runs_of([*begun, *events], None, None)
        assert (run.cost, run.ended_at) == (cost, ended_at)


def test_a_run_that_a_newer_release_wrote_is_unknown() -> None:
    """Neither an event of a later version nor a new word in one stops the others; a start says no money, so it does."""
    start = ("run-1", "RunStarted", 2, 5, _golden("RunStarted", 2))
    later = ("run-1", "RoutingDecided", 9, 5, _golden("RoutingDecided", 2))
    called = _golden("ModelCalled", 1)
    new_word = ("run-1", "ModelCalled", 1, 6, called.replace(json.loads(called)["finish_reason"], "unheard_of"))
    begun = ("run-1", "AttemptStarted", 1, 5, _golden("AttemptStarted", 1))
    ended = ("run-1", "RunCompleted", 1, 7, _golden("RunCompleted", 1))
    world = PastWorld(catalogue=SEED, policy=SEED_POLICY)
    for rows in ([start, later, ended], [start, begun, new_word, ended]):
        (run,) = backtest_history.runs_of(rows, None, None)
        assert as_it_ran(run) == HistoryPlayer({}, world).play(run) == Played()
    with pytest.raises(StoreTooNew, match="run-1 was started by a newer release"):
        list(backtest_history.runs_of([("run-1", "RunStarted", 9, 5, start[4])], None, None))


def _golden(name: str, version: int) -> str:
    folder = Path(__file__).parent / "golden_events"
    return (folder / f"{name}.{version}.json").read_text().strip()


def test_a_policy_is_named_with_its_strategy() -> None:
    """NAME, NAME:STRATEGY; a strategy that does not exist is an error."""
    assert Asked.of("learned:auto") == Asked("learned", "auto")
    assert str(Asked.of("a/night.toml:fallback")) == "night:fallback"
    with pytest.raises(InvalidRequest, match="expected NAME, or NAME:STRATEGY with"):
        Asked.of("learned:cheap")
