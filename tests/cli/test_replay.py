"""`runs replay`: recorded runs decided again, on both databases, in other processes, and where something is gone."""

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.events import RunCompleted
from model_orchestrator.infrastructure import event_codec, policy, replay_many, run_log
from model_orchestrator.infrastructure.event_codec import EVENT_TYPES

from ..database import Database, database
from ..infrastructure.first_release_log.make import EXPECTED, LOG
from .command import Done, command, ended, process

__all__ = ["database"]


@pytest.fixture(autouse=True)
def _here(database: Database) -> None:
    """Every test has a database of each kind."""


def replayed(*arguments: str) -> Done:
    return command("runs", "replay", *arguments)


def asked(*arguments: str) -> str:
    """The id of a new run."""
    run_id: str = command("run", *arguments, "--json").document["run_id"]
    return run_id


def of_each_strategy() -> list[str]:
    return [
        asked("What is 2+2?"),
        asked("What is Erlang?", "--strategy", "fallback", "--threshold", "0.95"),
        asked("What is 23 * 19?", "--strategy", "ensemble", "--scorer", "judge:claude-haiku-3.5"),
        asked("Design the architecture of a bank", "--strategy", "auto", "--max-cost", "0.5"),
    ]


def test_runs_of_every_strategy_decide_the_same_again() -> None:
    """All of them, with their budgets and judges; and their scores come out the same."""
    command("budgets", "set", "global", "5")
    runs = of_each_strategy()
    done = replayed("--since", "1d", "--json")
    totals = done.document["totals"]
    assert (done.code, totals["runs"], totals["identical"], done.document["runs"]) == (0, len(runs), len(runs), [])
    assert totals["scores"]["equal"] == totals["scores"]["recomputed"] > len(runs)
    shown = replayed(runs[1])
    assert shown.stdout.startswith(f"{runs[1]} identical: ")
    assert "scores recomputed: " in shown.stdout


def test_another_process_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own, and several that share the runs."""
    runs = of_each_strategy()
    done = ended(process("runs", "replay", "--since", "1d", "--json"))
    assert (done.code, done.document["totals"]["identical"]) == (0, len(runs))
    monkeypatch.setattr(replay_many, "FEW", 1)
    monkeypatch.setattr(replay_many, "AT_ONCE", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert replayed("--since", "1d", "--json").document["totals"]["identical"] == len(runs)


def test_a_changed_decision_is_named_and_the_exit_code_is_1(database: Database) -> None:
    """The event, the field, and both values."""
    run = asked("What is 2+2?")
    ((payload,),) = database.rows("SELECT payload FROM log.events WHERE type = 'RunCompleted'")
    database.unlock()
    other = json.dumps(json.loads(payload) | {"stop_reason": "confident"}, separators=(",", ":"))
    database.rows("UPDATE log.events SET payload = %s WHERE type = 'RunCompleted'", (other,))
    done = replayed(run)
    assert done.code == 1
    assert "(RunCompleted.stop_reason): recorded 'confident', decided 'answered'" in done.stdout
    all_ = replayed("--since", "1d", "--json")
    assert (all_.code, all_.document["totals"]["different"]) == (1, 1)
    (difference,) = all_.document["runs"][0]["differences"]
    assert difference["recorded"] == "confident"


def test_erased_texts_are_said_and_change_no_verdict() -> None:
    """The plan shows the request's size; scores cannot be computed anew."""
    run = asked("What is 2+2?", "--strategy", "ensemble")
    assert command("privacy", "erase", run).code == 0
    done = replayed(run)
    assert (done.code, done.stdout.splitlines()[0].split(" ")[1]) == (0, "identical:")
    assert "decided by the size that the plan shows" in done.stdout
    assert "(Synthesized): not decided again: the answers' texts are gone" in done.stdout
    assert "scores recomputed: 0 of 0 equal; 4 erased or not kept, not recomputed" in done.stdout


def test_a_run_recorded_without_texts_replays_by_its_plan() -> None:
    run = asked("What is 2+2?", "--no-content")
    assert replayed(run, "--json").document["runs"][0]["verdict"] == "identical"


def test_a_policy_of_another_build_is_not_replayable_and_never_different(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one that the database does not hold; both say what is missing."""
    run = asked("What is 2+2?")
    monkeypatch.setattr(policy, "DEFAULT_MAX_TOKENS", 5)
    done = replayed(run)
    assert done.code == 0
    assert "not replayable: its policy default-1 has another default_max_tokens than this build" in done.stdout
    monkeypatch.setattr(policy, "POLICY_VERSION", "default-2")
    assert "its policy is default-1, and this build decides by default-2" in replayed(run).stdout
    monkeypatch.undo()


def test_a_scorer_of_another_build_changes_nothing_but_the_second_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said is in the log."""
    run = asked("What is 2+2?")
    monkeypatch.setattr(policy, "SCORER", "heuristic-2")
    document = replayed(run, "--json").document["runs"][0]
    assert (document["verdict"], document["scores"]["recomputed"]) == ("identical", 2)


def test_an_event_of_a_newer_release_is_not_replayable(monkeypatch: pytest.MonkeyPatch) -> None:
    run = asked("What is 2+2?")
    monkeypatch.delitem(EVENT_TYPES, RunCompleted.__name__)
    monkeypatch.delitem(event_codec.SCHEMA_VERSIONS, RunCompleted.__name__)
    done = replayed(run, "--json")
    assert (done.code, done.document["runs"][0]["verdict"]) == (0, "not_replayable")


def test_a_word_that_this_build_does_not_know_is_not_replayable(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an event of a version that it does."""
    run = asked("What is 2+2?")

    def decode(type_name: str, *rest: Any) -> Any:
        if type_name == RunCompleted.__name__:
            raise ValueError("Invalid enum value")
        return event_codec.decode(type_name, *rest)

    monkeypatch.setattr(run_log, "decode", decode)
    done = replayed(run, "--json")
    assert (done.code, done.document["runs"][0]["verdict"]) == (0, "not_replayable")
    assert "an event that this build does not know" in command("audit", "trail", run, "--step").complaint


def test_what_is_asked_for_must_be_clear() -> None:
    assert replayed().complaint == "say what to replay: either a run, or --where, --since or --until"
    run = asked("What is 2+2?")
    assert replayed(run, "--since", "1d").code == 2
    assert replayed("run-nope").code == 1


def test_another_policy_decides_at_no_cost(tmp_path: Path) -> None:
    """What it would have planned, and what that is expected to cost."""
    run = asked("What is Erlang?", "--strategy", "fallback")
    asked("What is 2+2?")
    before = command("audit", "verify", "--json").document["events"]
    (tmp_path / "own.toml").write_text('[chains.mixed]\nmodels = ["gpt-4o", "gpt-4"]\nthreshold = 0.9\n')
    document = replayed("--since", "1d", "--policy", "own.toml", "--json").document
    assert (document["totals"]["runs"], document["totals"]["changed"], document["totals"]["same"]) == (2, 1, 1)
    (changed,) = document["runs"]
    assert (changed["run_id"], changed["after"]["models"], changed["after"]["threshold"]) == (
        run,
        ["gpt-4o", "gpt-4"],
        900_000,
    )
    sums = document["totals"]["expected_cost"]["simulated"]
    assert float(sums["after"]) > float(sums["before"])
    assert "1 decided otherwise, 1 the same" in replayed("--since", "1d", "--policy", "own.toml").stdout
    assert "0 decided otherwise, 1 the same" in replayed(run, "--policy", "heuristic").stdout
    assert command("audit", "verify", "--json").document["events"] == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[chains", "is not TOML"),
        ("provider = 'live'", "provider"),
        ("default_chain = 'nope'", "no chain 'nope'"),
        ("[panels]\nbasic = ['gpt-none', 'gpt-4']", "gpt-none"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(tmp_path: Path, text: str, said: str) -> None:
    run = asked("What is 2+2?")
    (tmp_path / "own.toml").write_text(text)
    done = replayed(run, "--policy", "own.toml")
    assert done.code == 2
    assert said in done.complaint
    assert "there is no policy 'mine'" in replayed(run, "--policy", "mine").complaint


def test_the_first_releases_log_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own runs are identical; those that tests made up without a catalogue are not replayable."""
    file = tmp_path / "first.db"
    file.write_bytes(lzma.decompress(LOG.read_bytes()))
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", f"sqlite:///{file}")
    done = replayed("--where", "started > 2000", "--json")
    runs: Any = json.loads(EXPECTED.read_text())["runs"]
    totals = done.document["totals"]
    assert (done.code, totals["runs"], totals["different"], totals["identical"]) == (0, len(runs), 0, 4)
    assert all("does not hold its catalogue" in why for why in totals["why_not"])
