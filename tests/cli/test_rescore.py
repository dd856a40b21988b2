"""`runs rescore`: new scores as events, what they would have changed, and how scorers agree."""

from typing import Any

import pytest

from model_orchestrator.application.ports import EventStore
from model_orchestrator.application.scoring import TextScorer
from model_orchestrator.domain.confidence import Confidence
from model_orchestrator.domain.units import Probability
from model_orchestrator.infrastructure import rescoring
from model_orchestrator.infrastructure.scorers import text_scorer

from ..database import Database, database
from .command import Done, command

__all__ = ["database"]


def low(*of: object) -> Confidence:
    return Confidence(score=Probability(100_000), signals={"low": -1})


LOW = TextScorer("low-1", low)


@pytest.fixture(autouse=True)
def _here(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a database of each kind, and a scorer that trusts nobody."""

    async def with_low(name: str, store: EventStore) -> TextScorer | None:
        return LOW if name == "low-1" else await text_scorer(name, store)

    monkeypatch.setattr(rescoring, "text_scorer", with_low)


def asked(*arguments: str) -> str:
    run_id: str = command("run", *arguments, "--json").document["run_id"]
    return run_id


def rescored(*arguments: str) -> Done:
    return command("runs", "rescore", *arguments)


def shown(run: str) -> Any:
    return command("runs", "show", run, "--json").document


def test_new_scores_are_events_and_none_is_edited_or_given_twice() -> None:
    run = asked("What is Rust?", "--strategy", "fallback")
    before = command("audit", "trail", run, "--json").document
    done = rescored(run, "--scorer", "low-1", "--by", "ann", "--json").document
    answers = [one for one in shown(run)["attempts"] if one["status"] == "answered"]
    assert done["totals"]["scored"] == len(answers)
    assert {(one["scorer"], one["score"], one["by"]) for one in shown(run)["rescored"]} == {("low-1", 0.1, "ann")}
    again = rescored(run, "--scorer", "low-1", "--json").document
    assert (again["totals"]["scored"], again["totals"]["scored_before"]) == (0, len(answers))
    assert command("audit", "trail", run, "--json").document[: len(before)] == before
    assert again["agreement"] == done["agreement"]
    assert command("runs", "replay", run).code == 0
    assert command("audit", "verify").code == 0


def test_it_says_which_runs_would_have_gone_on(database: Database) -> None:
    """To whom, and at what expected cost."""
    run = asked("What is Rust?", "--strategy", "fallback", "--threshold", "0.5")
    attempts = len(shown(run)["attempts"])
    done = rescored("--since", "1d", "--scorer", "low-1", "--json").document
    if attempts == 1:
        (turned,) = done["runs"]
        assert (turned["run_id"], turned["turn"], turned["to_model"]) == (run, "escalated", "claude-haiku-3.5")
        assert float(turned["expected_cost"]) > 0
    crossed = next(row for row in done["agreement"] if row["month"] == "all")["crossed"]
    assert crossed > 0
    report = rescored("--since", "1d", "--report")
    assert "heuristic-1" in report.stdout
    assert "low-1" in report.stdout


def test_the_recorded_scorer_says_nothing_new() -> None:
    run = asked("What is 2+2?")
    done = rescored(run, "--scorer", "heuristic-1", "--json").document
    assert (done["totals"]["scored"], done["totals"]["scored_before"]) == (0, 1)


def test_a_judge_is_paid_in_runs_of_its_own_within_its_limit() -> None:
    """Its cost stands in the reports, its runs keep no texts, and it is not asked twice."""
    run = asked("What is Rust?", "--strategy", "fallback", "--subject", "customer-7")
    answers = len([one for one in shown(run)["attempts"] if one["status"] == "answered"])
    done = rescored(run, "--scorer", "judge:gpt-4o", "--max-cost", "0.5", "--json").document
    judged = command("runs", "list", "--where", "category = rescore", "--json").document
    assert len(judged) == answers
    spent = sum(round(float(one["cost"]) * 1e12) for one in judged)
    assert round(float(done["totals"]["judging_cost"]["simulated"]) * 1e12) == spent
    assert {one["judged_in"] for one in shown(run)["rescored"]} == {one["run_id"] for one in judged}
    assert all(shown(one["run_id"])["prompt"] is None for one in judged)
    assert shown(judged[0]["run_id"])["tags"] == {"rescored": run}
    rescored("--since", "1d", "--scorer", "judge:gpt-4o", "--max-cost", "0.5")
    assert len(command("runs", "list", "--where", "category = rescore", "--json").document) == answers
    assert command("runs", "replay", "--since", "1d").code == 0


def test_judging_stops_where_the_money_ends() -> None:
    """By its own limit, or by a budget; what was judged before stays."""
    for prompt in ("What is Rust?", "What is Go?", "What is Erlang?"):
        asked(prompt)
    done = rescored("--since", "1d", "--scorer", "judge:gpt-4o", "--max-cost", "0.000001", "--json")
    assert (done.code, done.document["totals"]["scored"]) == (1, 0)
    assert done.document["totals"]["stopped"]
    command("budgets", "set", "category:rescore", "0.000001")
    assert rescored("--since", "1d", "--scorer", "judge:gpt-4o", "--max-cost", "5").code == 1


def test_answers_without_their_texts_are_counted() -> None:
    run = asked("What is 2+2?", "--no-content")
    assert rescored(run, "--scorer", "low-1", "--json").document["totals"]["texts_gone"] == 1


def test_what_is_asked_for_must_be_clear() -> None:
    run = asked("What is 2+2?")
    assert "say --scorer NAME" in rescored(run).complaint
    assert "say --scorer NAME" in rescored(run, "--report", "--scorer", "low-1").complaint
    assert "scorer 'nope' is unknown" in rescored(run, "--scorer", "nope").complaint
    assert "say how much in all, with --max-cost" in rescored(run, "--scorer", "judge:gpt-4o").complaint
    assert "gpt-none" in rescored(run, "--scorer", "judge:gpt-none", "--max-cost", "1").complaint
    assert "no answer has the scores of two scorers" in rescored(run, "--report").stdout
