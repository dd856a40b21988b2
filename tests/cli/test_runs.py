"""`runs list`, `runs show` and `runs cancel`."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.infrastructure.simulate.faults import Fault

from ..simulator import running_simulator
from .command import KEY, Done, command, ended, facts, in_call, logged, process


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")


def runs(*arguments: str) -> Done:
    return command("runs", *arguments)


def answered(*arguments: str) -> Any:
    """The result of a new run."""
    return command("run", *arguments, "--json").document


def test_the_list_is_newest_first() -> None:
    """One row a run, with what reports need."""
    first, second = answered("hi", "--category", "chat"), answered("hi there")
    refused = command("run", "hi", "--max-cost", "0", "--json").error
    rows = runs("list", "--json").document
    assert [row["run_id"] for row in rows] == [refused["run_id"], second["run_id"], first["run_id"]]
    assert rows[2]["category"] == "chat"
    assert rows[2]["cost"] == first["cost"]
    assert {key: rows[1][key] for key in ("status", "strategy", "category", "model", "money")} == {
        "status": "completed",
        "strategy": "cheapest",
        "category": "orchestration",
        "model": "gpt-4o-mini",
        "money": "simulated",
    }
    assert (rows[0]["status"], rows[0]["cost"], rows[0]["model"], rows[0]["money"]) == ("failed", "0", None, None)
    assert [row["run_id"] for row in runs("list", "--limit", "2", "--json").document] == [
        refused["run_id"],
        second["run_id"],
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("What is 23 * 19?", "--strategy", "ensemble"),
        ("What is 2+2?", "--scorer", "judge:claude-haiku-3.5"),
        ("What is Erlang?", "--strategy", "fallback"),
        ("Design the architecture of a bank", "--strategy", "auto"),
    ],
)
def test_the_model_of_a_run_is_the_one_that_answered(arguments: tuple[str, ...]) -> None:
    """Not the judge, and not the member that was asked last."""
    result = answered(*arguments)
    (row,) = runs("list", "--json").document
    assert row["model"] == runs("show", "last", "--json").document["model"] == result["model_used"]
    assert [one["run_id"] for one in runs("list", "--where", f"model = {row['model']}", "--json").document] == [
        row["run_id"]
    ]


def test_a_run_shows_the_money_its_answers_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live call that a simulated server answered is nobody's money, in the list as in the run."""
    with running_simulator() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        assert answered("hi", "--provider", "live")["metadata"]["simulated"]
    (row,) = runs("list", "--json").document
    assert row["money"] == runs("show", "last", "--json").document["money"] == "simulated"


def test_the_list_is_a_table_for_people() -> None:
    """A heading, and a line a run."""
    run_id = answered("hi", "--category", "日本")["run_id"]
    heading, line = runs("list").stdout.splitlines()
    assert heading.split() == ["run_id", "started_at", "status", "strategy", "category", "model", "cost", "money"]
    assert line.split()[0] == run_id
    assert line.split()[2:6] == ["completed", "cheapest", "日本", "gpt-4o-mini"]


def test_before_the_first_run_there_is_nothing_to_list() -> None:
    """And a hint how to start one; `last` names none."""
    assert runs("list", "--json").document == []
    empty = runs("list")
    assert (empty.code, empty.stdout) == (0, "")
    assert "there is no run yet: start one, as in `model-orchestrator run" in empty.stderr
    assert not list(Path().iterdir()), "asking creates nothing"
    for arguments in (["show", "last"], ["cancel", "last"]):
        assert runs(*arguments).complaint.startswith("there is no run yet: start one")


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_limit_below_one_is_refused(limit: str) -> None:
    """It would show nothing, or everything."""
    done = runs("list", "--limit", limit)
    assert (done.code, done.complaint) == (2, f"limit {limit} is not possible: expected 1 or more")


def test_a_run_is_shown_with_its_texts() -> None:
    """Prompt, answer, attempts, cost."""
    result = answered("What is Python?", "--tag", "team=a", "--system", "Be brief.")
    shown = runs("show", "last", "--json").document
    assert shown["run_id"] == result["run_id"]
    assert (shown["prompt"], shown["response"]) == ("What is Python?", result["response"])
    assert (shown["cost"], shown["confidence"]) == (result["cost"], result["confidence"])
    assert shown["tags"] == {"team": "a"}
    assert shown["attempts"] == result["metadata"]["attempts"]
    assert shown["error"] is None
    text = runs("show", "last").stdout
    assert f"cost        {result['cost']} simulated\n" in text
    assert "attempt     1: gpt-4o-mini answered\n" in text
    assert f"answer      {result['response']}\n" in text


def test_an_ensemble_is_shown_with_how_its_answers_became_one() -> None:
    """Why it stopped, how many agreed, and who disagreed."""
    result = answered("What is 23 * 19?", "--strategy", "ensemble")
    shown, told = runs("show", "last", "--json").document, result["metadata"]
    for name in ("stop_reason", "method", "members", "agreement", "dissent"):
        assert shown[name] == told[name], name
    assert (shown["stop_reason"], len(shown["members"]), len(shown["dissent"])) == ("synthesized", 3, 1)
    text = runs("show", "last").stdout
    assert f"dissent     {shown['dissent'][0]}\n" in text
    assert f"stop_reason synthesized\nmethod      vote\nagreement   {shown['agreement']}\n" in text
    answered("hi")
    single = runs("show", "last", "--json").document
    assert (single["method"], single["members"], single["agreement"], single["dissent"]) == (None, [], None, [])
    assert "dissent" not in runs("show", "last").stdout


def test_a_failed_run_is_shown_with_its_reason() -> None:
    """It has no answer."""
    command("run", "hi", "--max-cost", "0")
    shown = runs("show", "last", "--json").document
    assert (shown["status"], shown["error"], shown["response"], shown["attempts"]) == ("failed", "budget", None, [])
    text = runs("show", "last").stdout
    assert "error       budget\n" in text
    assert "answer      (none stored)\n" in text


def test_a_run_is_named_by_the_beginning_of_its_id() -> None:
    """With or without `run-`, as long as only one has it."""
    first, second = answered("hi")["run_id"], answered("hi there")["run_id"]
    for name in (first, first[:-4], first.removeprefix("run-"), first.removeprefix("run-")[:-4]):
        assert runs("show", name, "--json").document["run_id"] == first
    assert runs("show", "last", "--json").document["run_id"] == second
    shared = next(first[:length] for length in range(len(first), 0, -1) if second.startswith(first[:length]))
    assert runs("show", shared).complaint == f"several runs begin with {shared!r}: give more of the id"


@pytest.mark.parametrize("name", ["", "run-", "\udcff", "a\nb"])
def test_a_name_that_says_nothing_names_no_run(name: str) -> None:
    """An empty shell variable must not cancel the only run there is."""
    answered("hi")
    for verb in ("show", "cancel"):
        assert "names no run: give an id, the beginning of one, or last" in runs(verb, name).complaint


@pytest.mark.parametrize("name", ["zzz", "%", "_", "run-%", "LAST", "*", "'; DROP TABLE events; --"])
def test_an_unknown_name_names_no_run(name: str) -> None:
    """Nothing in it is a pattern."""
    answered("hi")
    done = runs("show", name, "--json")
    assert (done.code, done.error["kind"]) == (1, "run_not_found")
    assert "`model-orchestrator runs list` shows them" in done.error["message"]


def test_a_run_that_ended_is_not_cancelled() -> None:
    """Its log stays as it is."""
    run_id = answered("hi")["run_id"]
    before = facts(asyncio.run(logged("runs.db")))
    done = runs("cancel", "last")
    assert (done.code, done.complaint) == (2, f"{run_id} is not under way: it is completed")
    assert facts(asyncio.run(logged("runs.db"))) == before


def test_a_run_under_way_is_cancelled_and_its_call_still_recorded() -> None:
    """What becomes of the call is in the log after the end; while it was open, nobody claimed to know its cost."""
    with running_simulator() as provider:
        provider.fail(Fault.TIME_OUT)
        started = process("run", "hi", "--json", OPENAI_BASE_URL=provider.openai_url, OPENAI_API_KEY=KEY)
        in_call(started, provider)
        run_id = runs("list", "--json").document[0]["run_id"]
        assert runs("cancel", "last", "--json").document == {"run_id": run_id, "status": "cancelled"}
    done = ended(started)  # the provider is gone, and with it the answer
    assert (done.code, done.error["kind"], done.error["run_id"]) == (1, "cancelled", run_id)
    log = asyncio.run(logged("runs.db"))
    assert facts(log)[-3:] == ["AttemptStarted", "RunCancelled", "AttemptLost"]
    assert '"cost":null' in log.events[-2].envelope.payload
    assert runs("cancel", "last").complaint == f"{run_id} is not under way: it is cancelled"


def test_a_cancelled_run_says_so() -> None:
    """On stderr, for people."""
    done = runs("cancel", "last", "--database", asyncio.run(_open_run()))
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr == "run-1 is cancelled\n"


async def _open_run() -> str:
    """A database with a run that was started and went no further."""
    from model_orchestrator.infrastructure.bootstrap import Orchestrator
    from model_orchestrator.infrastructure.settings import Settings

    from ..scenario import started

    async with Orchestrator(Settings(database_url="sqlite:///open.db")) as orchestrator:
        await orchestrator.log.append("run-1", expected=0, events=[started()])
    return "sqlite:///open.db"
