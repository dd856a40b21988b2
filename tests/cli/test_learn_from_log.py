"""`learn --from-log`: the labelled answers of the log, as a data set would have them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from model_orchestrator.domain.dataset import Example
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.learned_weights import load_router, load_scorer
from model_orchestrator.infrastructure.settings import Settings
from tests.recorded import BIG, OTHER, SMALL, example, file_of

from .command import command

ROWS = [example(number) for number in range(1, 121)]
URL = "sqlite:///runs.db"


@pytest.fixture(autouse=True)
def _labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log in which two models answered what a data set graded."""
    pytest.importorskip("lightgbm")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", URL)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_PROVIDER", "simulated")
    file_of(Path("sums.jsonl"), ROWS)
    assert command("datasets", "import", "sums.jsonl").code == 0
    for model in (SMALL, BIG):
        assert command("batch", "recorded:sums", "--model", model, "--name", model, "--output", "o").code == 0


def found() -> Sequence[Example]:
    from model_orchestrator.infrastructure.learning.from_log import labelled_examples

    async def read() -> Sequence[Example]:
        async with Orchestrator(Settings.load(database_url=URL)) as orchestrator:
            return await labelled_examples(orchestrator)

    return asyncio.run(read())


def test_the_log_gives_back_what_the_set_holds() -> None:
    """Of each prompt the answers that were asked for, with grade, text and cost."""
    assert {one.prompt: {**one.outcomes} for one in found()} == {
        one.prompt: {model: one.outcomes[model] for model in (SMALL, BIG)} for one in ROWS
    }


def test_the_latest_label_stands_and_what_was_not_kept_teaches_nothing() -> None:
    """A person's word over the set's; no text, no label, a simulated answer: nothing."""
    prompt = str(ROWS[0].prompt)
    run = command("run", prompt, "--provider", "recorded:sums", "--model", SMALL, "--json").document["run_id"]
    command("feedback", run, "0.25")
    again = command("run", prompt, "--provider", "recorded:sums", "--model", SMALL, "--no-content", "--json")
    command("feedback", again.document["run_id"], "0.75")
    command("run", "What is 2+2?", "--expect", "4")
    rows = {one.prompt: one.outcomes for one in found()}
    assert rows[prompt][SMALL].score == 0.25
    assert "What is 2+2?" not in rows
    command("privacy", "erase", run)
    assert {one.prompt: one.outcomes for one in found()}[prompt][SMALL].score == ROWS[0].outcomes[SMALL].score


def test_weights_are_trained_on_it() -> None:
    """Both kinds."""
    words = ("--from-log", "-o", "weights.json", "--json")
    done = command("learn", "routing", *words, "--models", f"{SMALL},{BIG}")
    assert done.code == 0, done
    assert set(load_router(Path("weights.json")).models) == {SMALL, BIG}
    done = command("learn", "routing", *words, "--models", f"{SMALL},{OTHER}")
    assert done.document["error"]["message"] == "no prompt in the log has a labelled answer of each of small, other"
    done = command("learn", "confidence", *words)
    assert done.code == 0, done
    assert load_scorer(Path("weights.json")).version == done.document["version"]


def test_only_the_runs_that_are_meant_are_learned_from() -> None:
    """By the dates and conditions of `runs list`."""
    words = ("learn", "routing", "--from-log", "-o", "weights.json", "--json")
    some = command(*words, "--where", f"tag:batch in ({SMALL}, {BIG})", "--since", "today", "--until", "today")
    assert some.code == 0, some
    assert set(load_router(Path("weights.json")).models) == {SMALL, BIG}
    for meant in (("--where", f"tag:batch = {SMALL}"), ("--where", f"model = {SMALL}")):
        done = command(*words, *meant)
        assert "log has outcomes of one model only" in done.document["error"]["message"]
    for none in (("--until", "2020"), ("--where", "category = nothing")):
        done = command("learn", "confidence", "--from-log", "-o", "w.json", *none)
        assert "no answer of the runs that are meant has a label" in done.complaint
    wrong = command(*words, "--where", "colour = red").document["error"]["message"]
    assert "colour" in wrong
    beside = command("learn", "routing", "--dataset", "sums", "--since", "today", "-o", "w.json")
    assert "choose runs of the log: leave them out with --dataset" in beside.complaint


@pytest.mark.parametrize("kind", ["routing", "confidence"])
def test_what_to_learn_from_is_said_once(kind: str) -> None:
    """A data set or the log; a log without labels says what gives them."""
    for words in ((), ("--dataset", "sums", "--from-log")):
        done = command("learn", kind, *words, "-o", "w.json")
        assert (done.code, "either --dataset, or --from-log" in done.complaint) == (2, True), done
    command("run", "hi", "--database", "sqlite:///other.db")
    done = command("learn", kind, "--from-log", "--database", "sqlite:///other.db", "-o", "w.json")
    assert (done.code, "`feedback` and `expect` give labels" in done.complaint) == (2, True), done
