"""`privacy erase`: the texts are gone from the files, and everything else stays valid."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from model_orchestrator.infrastructure.simulate.faults import Fault

from ..simulator import running_simulator
from .command import KEY, Done, command, in_call, logged, process

TEXT = "Describe the sentinel aardvark"
WORD = b"aardvark"


@pytest.fixture(params=["sqlite", "postgresql"], autouse=True)
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database of the test, one of each kind."""
    monkeypatch.chdir(tmp_path)
    found = "sqlite:///runs.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", found)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_PROVIDER", "simulated")
    return found


def answered(*arguments: str) -> Any:
    return command("run", *arguments, "--json").document


def erased(*arguments: str) -> Done:
    return command("privacy", "erase", *arguments)


def shown(run: str = "last") -> Any:
    return command("runs", "show", run, "--json").document


def in_files() -> dict[str, int]:
    """How often the text stands in each file of the test's folder that has it."""
    counts = {file.name: file.read_bytes().count(WORD) for file in Path().iterdir() if file.is_file()}
    return {name: count for name, count in counts.items() if count}


def test_the_texts_go_and_the_rest_stays(url: str) -> None:
    """`runs show`, the trail and the costs still work, and say who erased and why."""
    run = answered(TEXT)["run_id"]
    before = shown()
    done = erased("last", "--by", "dpo", "--reason", "leak")
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "erased the texts of 1 run"
    after = shown(run)
    assert (after["prompt"], after["response"]) == (None, None)
    assert (after["erased"]["by"], after["erased"]["reason"]) == ("dpo", "leak")
    assert {name: after[name] for name in ("cost", "status", "attempts")} == {
        name: before[name] for name in ("cost", "status", "attempts")
    }
    text = command("runs", "show", run).stdout
    assert "prompt      (erased)\nanswer      (erased)\n" in text
    assert "by dpo (leak)\n" in command("audit", "trail", run).stdout.splitlines(keepends=True)[-1]
    assert command("audit", "trail", run, "--json").document[-1]["type"] == "ContentErased"
    asyncio.run(logged(url, run))  # the whole log is checked


def test_the_text_is_gone_from_the_files(url: str) -> None:
    """Database, write-ahead log and state: also the copies that page splits leave, and texts over many pages."""
    if not url.startswith("sqlite"):
        pytest.skip("the files of a server are its administrator's")
    for n in range(30):
        answered(f"{TEXT} number {n} " + "at length " * (200 * (n % 5)), "--subject", f"s-{n % 2}")
    assert in_files()
    erased("--subject", "s-0")
    erased("--subject", "s-1")
    assert in_files() == {}


def test_without_vacuum_it_says_that_remnants_may_stay(url: str) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("the files of a server are its administrator's")
    answered(TEXT)
    done = erased("last", "--no-vacuum")
    assert "db vacuum" in done.stderr


def test_a_subjects_runs_go_and_no_others() -> None:
    mine = [answered(TEXT, "--subject", "me")["run_id"] for _ in range(2)]
    other = answered(TEXT, "--subject", "you")["run_id"]
    assert erased("--subject", "me", "--dry-run").stdout.split() == mine
    assert erased("--subject", "me", "--json").document["runs"] == mine
    assert [shown(run)["prompt"] for run in mine] == [None, None]
    assert shown(other)["prompt"] == TEXT
    assert erased("--subject", "me", "--json").document["runs"] == []


def test_a_message_that_another_run_asked_too_stays_with_that_run() -> None:
    first, second = answered(TEXT)["run_id"], answered(TEXT)["run_id"]
    erased(first)
    assert (shown(first)["prompt"], shown(second)["prompt"]) == (None, TEXT)
    erased(second)
    assert shown(second)["prompt"] is None


def test_old_runs_go_and_young_ones_stay() -> None:
    run = answered(TEXT)["run_id"]
    assert erased("--older-than", "1h", "--json").document["runs"] == []
    assert shown(run)["prompt"] == TEXT
    assert erased("--older-than", "0h", "--json").document["runs"] == [run]
    assert shown(run)["erased"]["reason"] == "retention"


def test_a_run_under_way_is_left_alone_until_its_process_is_gone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process could store more. Erased after a crash, it is not resumed, and ends as failed."""
    monkeypatch.delenv("MODEL_ORCHESTRATOR_PROVIDER")
    with running_simulator() as provider:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", provider.openai_url)
        provider.fail(Fault.TIME_OUT)
        started = process("run", TEXT)
        try:
            in_call(started, provider)
            refused = erased("last")
            assert refused.code == 2
            assert "works on it" in refused.complaint
            left = erased("--older-than", "0h", "--json")
            assert (left.code, left.document["runs"], len(left.document["left_alone"])) == (1, [], 1)
            assert shown()["prompt"] == TEXT
        finally:
            started.kill()
            started.communicate()
        free_the_lease(url)
        assert erased("last").code == 0
        assert shown()["prompt"] is None
        done = command("runs", "resume", "last", "--json")
        assert (done.code, done.error["kind"]) == (1, "content")
        assert "erased" in done.error["message"]
        assert provider.calls == 1


def free_the_lease(url: str) -> None:
    """As if it had run out."""
    if url.startswith("sqlite"):
        Path("runs.state.db").unlink()
    else:
        with psycopg.connect(url) as connection:
            connection.execute("DELETE FROM views.leases")


def test_a_run_without_content_stores_no_text(url: str) -> None:
    """Its trail and its costs are as any run's."""
    done = answered(TEXT, "--no-content")
    assert done["response"]
    assert in_files() == {}
    after = shown()
    assert (after["prompt"], after["response"], after["erased"]) == (None, None, None)
    assert after["cost"] == done["cost"]
    assert "prompt      (not stored)\n" in command("runs", "show", "last").stdout
    asyncio.run(logged(url))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "say what to erase"),
        (["last", "--subject", "s"], "say what to erase"),
        (["--older-than", "soon"], "expected a number with h, d or w"),
        (["--subject", "s", "--reason", "because"], "expected request, retention, leak"),
        (["--subject", "s", "--by", "x" * 65], "is not a label"),
    ],
)
def test_misuse_erases_nothing(arguments: list[str], complaint: str) -> None:
    run = answered(TEXT)["run_id"]
    done = erased(*arguments)
    assert done.code == 2
    assert complaint in done.complaint
    assert shown(run)["prompt"] == TEXT
