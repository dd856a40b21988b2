"""`feedback`, and the expected answers of `run` and `batch`: labels are events of a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from ..database import Database, database
from .command import command

__all__ = ["database"]


@pytest.fixture(autouse=True)
def _here(database: Database) -> None:
    """Every test has a database of each kind."""


def asked(*arguments: str) -> Any:
    return command("run", *arguments, "--json").document


def feedback(*arguments: str) -> Any:
    return command("feedback", *arguments)


def shown(run: str) -> Any:
    return command("runs", "show", run, "--json").document["feedback"]


def test_what_is_said_last_stands_and_is_listed() -> None:
    """By each who says it; runs can be asked for by it."""
    run, other = asked("What is 2+2?")["run_id"], asked("What is Erlang?")["run_id"]
    assert feedback(run, "good").code == 0
    assert feedback(run, "0.25", "--by", "ann").code == 0
    feedback(other, "bad")
    assert [(one["value"], one["by"]) for one in shown(run)] == [(1.0, "local"), (0.25, "ann")]
    for condition, runs in (("feedback >= 0.2", [run]), ("feedback = 0", [other]), ("feedback > 30%", [])):
        assert [one["run_id"] for one in command("runs", "list", "--where", condition, "--json").document] == runs
    assert "is right to 0.25, says ann" in command("audit", "trail", run).stdout
    assert command("runs", "replay", run).code == 0
    assert command("audit", "verify").code == 0


def test_saying_it_twice_is_saying_it_once() -> None:
    run = asked("What is 2+2?")["run_id"]
    assert feedback(run, "good", "--json").document["new"] is True
    assert feedback(run, "1", "--json").document["new"] is False
    assert len(shown(run)) == 1


def test_a_note_is_a_text_and_goes_with_the_runs_texts(database: Database) -> None:
    """It is in no event, and cannot be added once the texts are gone."""
    run = asked("What is 2+2?")["run_id"]
    feedback(run, "good")
    assert feedback(run, "good", "--note", "sentinel of the note").code == 0
    assert [one["note"] for one in shown(run)] == [None, "sentinel of the note"]
    assert "sentinel" not in command("audit", "trail", run, "--json").stdout
    command("privacy", "erase", run)
    assert [one["note"] for one in shown(run)] == [None, None]
    assert not [row for row in database.rows("SELECT body FROM log.contents") if b"sentinel" in bytes(row[0])]
    assert "keeps no texts" in feedback(run, "bad", "--note", "too late").complaint
    assert feedback(run, "bad").code == 0


@pytest.mark.parametrize("value", ["nice", "1.5", "-1", "nan", ""])
def test_another_value_is_refused(value: str) -> None:
    run = asked("What is 2+2?")["run_id"]
    done = feedback(run, "--", value)
    assert (done.code, "expected good, bad, or a number from 0 to 1" in done.complaint) == (2, True)


def test_a_run_without_an_answer_gets_no_feedback() -> None:
    run = command("run", "hi", "--max-cost", "0", "--json").error["run_id"]
    assert "has no answer to say anything of: it is failed" in feedback(run, "bad").complaint
    assert feedback("run-nope", "bad").code == 1


def test_an_expected_answer_labels_every_answer_of_the_run() -> None:
    """The run's own last, without an attempt; asked again, nothing is said twice."""
    done = asked("What is 23 * 19?", "--strategy", "ensemble", "--expect", "437", "--idempotency-key", "k")
    assert done["metadata"]["as_expected"] in (True, False)
    labels = shown(done["run_id"])
    assert {one["by"] for one in labels} == {"expect"}
    assert labels[-1]["attempt"] is None
    assert labels[-1]["value"] == float(done["metadata"]["as_expected"])
    assert len(labels) > 1
    asked("What is 23 * 19?", "--strategy", "ensemble", "--expect", "437", "--idempotency-key", "k")
    assert shown(done["run_id"]) == labels
    assert "expected" in command("run", "What is 2+2?", "--expect", "5").stderr


def test_a_run_that_keeps_no_texts_is_labelled_too() -> None:
    """By the answer it was given."""
    run = asked("What is 2+2?", "--expect", "4", "--no-content")["run_id"]
    assert [one["attempt"] for one in shown(run)] == [None]
    assert command("runs", "show", run, "--json").document["response"] is None


def test_a_batch_shows_what_was_expected_and_its_accuracy(tmp_path: Path) -> None:
    """A right answer that is changed asks nobody anew."""
    lines = [{"prompt": "What is 2+2?", "expect": "4"}, {"prompt": "What is 3+3?", "expect": "no"}, {"prompt": "hi"}]
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"

    def batch() -> tuple[Any, list[Any]]:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        summary = command("batch", str(file), "--output", str(out), "--json").document
        return summary, [json.loads(line) for line in out.read_text().splitlines()]

    summary, results = batch()
    right = [one["as_expected"] for one in results]
    assert right[2] is None
    assert right[1] is False
    assert (summary["labelled"], summary["accuracy"]) == (2, sum(bool(one) for one in right) / 2)
    lines[1]["expect"] = results[1]["response"]
    summary, again = batch()
    assert (again[1]["as_expected"], again[1]["repeat"], summary["repeats"]) == (True, True, 3)
    assert [one["value"] for one in shown(again[1]["run_id"])] == [0.0, 1.0]
    assert "of 2 (" in command("batch", str(file), "--output", str(out)).stderr
