"""`batch`: many prompts of a file, in order, none paid twice."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.infrastructure.simulate.faults import Fault
from model_orchestrator.infrastructure.simulate.server import SimulatorOptions

from ..simulator import RunningSimulator, running_simulator
from .command import KEY, Done, command, ended, logged, process, until

DATABASE = "sqlite:///runs.db"
MODEL = "gpt-4o-mini"


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RunningSimulator]:
    """A live provider on loopback that counts its calls, without limits on them; and a folder for each test."""
    monkeypatch.chdir(tmp_path)
    limits = '[models."gpt-4o-mini"]\nrpm = 1000000\ntpm = 1000000000\n'
    (tmp_path / "model-orchestrator.toml").write_text(limits)
    with running_simulator(SimulatorOptions(hold=1.0)) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("MODEL_ORCHESTRATOR_CATALOGUE", "seed")
        monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", DATABASE)
        yield running


def write(*lines: dict[str, Any] | str, name: str = "prompts.jsonl") -> str:
    """A file of these lines."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    Path(name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return name


def questions(count: int) -> list[dict[str, Any]]:
    return [{"prompt": f"What is {number} + 1?", "id": f"q{number}"} for number in range(count)]


def results(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_results_stand_in_the_order_of_the_lines(provider: RunningSimulator) -> None:
    """Whoever is answered first; each with its line's number and id, and tagged with the batch."""
    provider.fail(Fault.TIME_OUT)  # the first is held
    done = command("batch", write(*questions(12)), "--concurrency", "3", "--tag", "team=a")
    found = results(done)
    assert done.code == 0, done
    assert [(one["line"], one["id"]) for one in found] == [(number + 1, f"q{number}") for number in range(12)]
    assert {one["status"] for one in found} == {"completed"}
    assert "12 lines: 12 completed" in done.stderr
    assert provider.calls == 12
    run = asyncio.run(logged(DATABASE, found[3]["run_id"])).run
    assert run.started is not None
    assert run.started.tags == {"batch": "prompts.jsonl", "team": "a"}


def test_a_line_says_what_its_run_is(provider: RunningSimulator) -> None:
    """Its own words go before the command's."""
    lines: list[dict[str, Any] | str] = [
        {"prompt": "What is 1 + 1?", "strategy": "fallback", "chain": [MODEL], "category": "chat"},
        {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 50, "tags": {"a": "b"}},
        {
            "prompt": "As JSON: 1?",
            "response_format": {"type": "json_object"},
            "idempotency_key": "mine",
            "model": MODEL,
        },
    ]
    done = command("batch", write(*lines), "--category", "other", "--model", MODEL)
    assert [one["status"] for one in results(done)] == ["invalid", "completed", "completed"]
    assert "model" in results(done)[0]["error"]["message"]  # a chain and a model
    done = command("batch", write(*lines), "--category", "other", "--name", "again")
    assert [one["strategy"] for one in results(done)] == ["fallback", "cheapest", "cheapest"]
    runs = [asyncio.run(logged(DATABASE, one["run_id"])).run.started for one in results(done)]
    assert [run.category for run in runs if run] == ["chat", "other", "other"]
    assert results(done)[2]["repeat"]  # its key is its own


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("not json", "it is not JSON"),
        ('["a"]', "it is not a JSON object"),
        ('{"prompt": 5}', "prompt: expected text, got int"),
        ('{"promt": "x"}', "unknown field 'promt': did you mean 'prompt'?"),
        ('{"prompt": "x", "temprature": 1}', "did you mean 'temperature'?"),
        ('{"prompt": "x", "strategy": "best"}', "unknown strategy 'best'"),
        ('{"prompt": "x", "max_cost": -1}', "max cost -1 is not possible"),
        ('{"prompt": "x", "tools": [5]}', "as OpenAI's API has them"),
        ('{"prompt": ""}', "the prompt is empty"),
        ("{}", "give either a prompt or messages"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1") + "[", "it is not JSON"),
    ],
)
def test_a_line_that_is_off_is_named_and_the_rest_goes_on(
    line: str, complaint: str, provider: RunningSimulator
) -> None:
    """By its number; exit 1 says that something is to be looked at."""
    done = command("batch", write(*questions(3), "", line, *questions(1)))
    found = results(done)
    assert done.code == 1
    assert [one["status"] for one in found] == ["completed"] * 3 + ["invalid", "completed"]
    assert found[3]["line"] == 5
    assert complaint in found[3]["error"]["message"]
    assert found[3]["error"]["message"].startswith("line 5: ")
    assert provider.calls == 4


def test_bytes_that_are_no_text_are_named(provider: RunningSimulator) -> None:
    """The other lines are answered."""
    Path("bad.jsonl").write_bytes(b'{"prompt": "\xff\xfe"}\n{"prompt": "hi"}\n')
    found = results(command("batch", "bad.jsonl"))
    assert [one["status"] for one in found] == ["invalid", "completed"]
    assert "not valid UTF-8" in found[0]["error"]["message"]


def test_a_csv_has_a_heading() -> None:
    """Cells in the forms a cell can have; an empty one gives nothing."""
    rows = ["id,prompt,category,tags,max_tokens", 'a,"What, is\n1 + 1?",chat,x=1;y=2,50', "b,hi,,,", "c,hi,,,many"]
    done = command("batch", write(*rows, name="prompts.csv"))
    found = results(done)
    assert [(one["id"], one["status"]) for one in found] == [("a", "completed"), ("b", "completed"), (None, "invalid")]
    assert "max_tokens: expected int, got 'many'" in found[2]["error"]["message"]
    run = asyncio.run(logged(DATABASE, found[0]["run_id"])).run.started
    assert run is not None
    assert (run.category, run.tags) == ("chat", {"batch": "prompts.csv", "x": "1", "y": "2"})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("none.jsonl",), "cannot read none.jsonl"),
        (("none.csv",), "cannot read none.csv"),
        (("prompts.csv",), "has no column prompt"),
        (("prompts.jsonl", "--concurrency", "0"), "concurrency 0 is not possible"),
        (("prompts.jsonl", "--strategy", "best"), "unknown strategy"),
        (("prompts.jsonl", "--name", "x" * 65), "name"),
        (("prompts.jsonl", "--output", "prompts.jsonl"), "a file of its own"),
        (("prompts.jsonl", "--output", "."), "a file of its own"),
    ],
)
def test_a_command_that_is_off_is_said(arguments: tuple[str, ...], complaint: str, provider: RunningSimulator) -> None:
    """Before anything is asked."""
    write(*questions(1))
    write("question", "hi", name="prompts.csv")
    done = command("batch", *arguments)
    assert done.code == 2
    assert complaint in done.complaint
    assert provider.calls == 0


def test_the_same_command_pays_no_answered_line_again(provider: RunningSimulator) -> None:
    """Also where a line was put before them; a line twice in the file is asked twice; another name asks anew."""
    file = write(*questions(4), *questions(1))
    command("batch", file)
    assert provider.calls == 5
    done = command("batch", write({"prompt": "new"}, *questions(4), *questions(1)))
    assert provider.calls == 6
    assert [one["repeat"] for one in results(done)] == [False] + [True] * 5
    assert "5 answered before" in done.stderr
    command("batch", file, "--name", "again")
    assert provider.calls == 12


def test_a_line_that_failed_is_asked_anew(provider: RunningSimulator) -> None:
    """A budget that was raised, a key that was put right: the rest is not paid again."""
    provider.fail(Fault.BAD_REQUEST)
    file = write(*questions(3))
    done = command("batch", file, "--concurrency", "1", "--output", "out.jsonl", "--json")
    assert done.code == 1
    assert {key: done.document[key] for key in ("lines", "completed", "failed")} == {
        "lines": 3,
        "completed": 2,
        "failed": 1,
    }
    done = command("batch", file, "--output", "out.jsonl", "--json")
    assert (done.code, done.document["repeats"]) == (0, 2)
    assert len(Path("out.jsonl").read_text().splitlines()) == 3
    assert not list(Path().glob("*.part"))
    assert provider.calls == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_full_disk_leaves_no_run_under_way(provider: RunningSimulator) -> None:
    """What is under way ends, and is recorded, before the database is closed."""
    file = write(*questions(200))
    with Path("/dev/full").open("w") as full:
        words = (sys.executable, "-m", "model_orchestrator", "batch", file, "--concurrency", "16")
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "model-orchestrator: No space left on device"
    assert "Traceback" not in done.stderr
    listed = command("runs", "list", "--limit", "1000", "--json").document
    assert "running" not in {run["status"] for run in listed}


def test_a_file_that_cannot_be_written_is_named(provider: RunningSimulator) -> None:
    """Before anything is asked."""
    done = command("batch", write(*questions(1)), "--output", "none/out.jsonl")
    assert done.code == 1
    assert "none/out.jsonl" in done.complaint
    assert provider.calls == 0


def test_a_budget_can_cap_the_batch(provider: RunningSimulator) -> None:
    """By its tag, also where a line has a tag of that name; refused lines are answered once it is raised."""
    file = write(*(line | {"tags": {"batch": "mine"}} for line in questions(6)))
    assert command("budgets", "set", "tag:batch=prompts.jsonl", "0.0000001").code == 0
    refused = results(command("batch", file))
    assert [one["error"]["kind"] for one in refused] == ["budget"] * 6
    assert provider.calls == 0
    assert command("budgets", "set", "tag:batch=prompts.jsonl", "1").code == 0
    assert command("batch", file).code == 0
    assert provider.calls == 6


def test_ctrl_c_finishes_what_is_under_way_and_begins_no_more(provider: RunningSimulator) -> None:
    """Nothing is lost; the same command goes on where it stopped."""
    file = write(*questions(40))
    provider.fail(Fault.TIME_OUT, count=2)
    started = process("batch", file, "--concurrency", "2", "--output", "out.jsonl")
    until(lambda: provider.open == 2)
    started.send_signal(signal.SIGINT)
    done = ended(started)
    assert done.code == 130, done
    assert "the same command goes on" in done.stderr
    assert provider.calls < 40
    assert not Path("out.jsonl").exists()
    assert command("attempts", "list", "--lost", "--json").document == []
    assert command("batch", file, "--output", "out.jsonl").code == 0
    assert provider.calls == 40
    assert len(Path("out.jsonl").read_text().splitlines()) == 40


def test_after_a_kill_the_same_command_pays_no_answered_line_again(provider: RunningSimulator) -> None:
    """At most the calls under way at the kill are made again."""
    file = write(*questions(40))
    started = process("batch", file, "--concurrency", "4", "--output", "out.jsonl")
    until(lambda: provider.calls >= 10)
    started.send_signal(signal.SIGKILL)
    ended(started)
    Path("runs.state.db").unlink()  # the leases of the dead process, else waited out
    done = command("batch", file, "--output", "out.jsonl", "--json")
    assert done.code == 0, done
    assert done.document["completed"] == 40
    assert provider.calls <= 44


def test_the_summary_is_exact() -> None:
    """The sum over the lines is what it says, to the last digit."""
    from decimal import Decimal

    write(*questions(30))
    done = command("batch", "prompts.jsonl", "--output", "out.jsonl", "--json", "--strategy", "auto")
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert Decimal(done.document["simulated_cost"]) == sum(Decimal(line["cost"]) for line in lines)
    assert sum(done.document["models"].values()) == 30


def test_answers_are_scored_by_whom_the_batch_names() -> None:
    """A line may name another; the batch's is checked before anything is asked."""
    lines = [{"prompt": "What is 1 + 1?"}, {"prompt": "What is 1 + 2?", "scorer": "heuristic-1"}]
    found = results(command("batch", write(*lines), "--scorer", "learned"))
    shown = [command("runs", "show", one["run_id"], "--json").document["attempts"][0] for one in found]
    assert [one["scorer"].split("-")[0] for one in shown] == ["learned", "heuristic"]
    wrong = command("batch", write(*lines), "--scorer", "nobody")
    assert (wrong.code, wrong.stdout) == (2, "")
    assert "scorer 'nobody' is unknown" in wrong.complaint
