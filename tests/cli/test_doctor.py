"""`doctor`: keys, reach, models, the database and versions."""

from pathlib import Path
from typing import Any

import pytest

from ..simulator import running_simulator
from .command import KEY, command


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def findings(*arguments: str, **env: str) -> tuple[int, dict[str, Any]]:
    """The exit code and each finding's `ok`, by its name."""
    done = command("doctor", "--json", *arguments, **env)
    assert KEY not in done.stdout + done.stderr
    return done.code, {one["name"]: one["ok"] for one in done.document}


def test_a_fresh_machine_is_well() -> None:
    """Without a key there are simulated answers; that is a note."""
    code, found = findings("--database", "new.db")
    assert code == 0
    assert found == {
        "version": True,
        "settings": True,
        "key ANTHROPIC_API_KEY": None,
        "key OPENAI_API_KEY": None,
        "models": True,
        "database": True,
    }
    assert command("doctor").stdout.splitlines()[2] == "note  key ANTHROPIC_API_KEY: not set"


def test_a_provider_that_answers_is_reached_and_gets_nothing() -> None:
    """A connection, and no call."""
    with running_simulator() as provider:
        code, found = findings(OPENAI_API_KEY=KEY, OPENAI_BASE_URL=provider.openai_url)
        assert provider.calls == 0
    host = provider.address.removeprefix("http://")
    assert (code, found[f"reach {host}"], found["key OPENAI_API_KEY"]) == (0, True, True)


def test_a_provider_that_is_not_there_is_one() -> None:
    """Exit 1, and what to check."""
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    code, found = findings(**env)
    assert (code, found["reach 127.0.0.1:1"]) == (1, False)
    assert "check the network and the base_url" in command("doctor", **env).stdout


@pytest.mark.parametrize("url", ["sqlite:////proc/none/runs.db", "postgresql://me:secret-word@127.0.0.1:1/db"])
def test_a_database_that_cannot_be_used_is_one(url: str) -> None:
    """The other findings are still there; no password is shown."""
    code, found = findings("--database", url)
    assert (code, found["database"], found["models"]) == (1, False, True)
    done = command("doctor", "--database", url)
    assert "BAD   database: " in done.stdout
    assert "secret-word" not in done.stdout + done.stderr


def test_no_usable_model_is_one() -> None:
    """A provider was asked for, and no key is there."""
    code, found = findings(MODEL_ORCHESTRATOR_PROVIDER="live")
    assert (code, found["models"]) == (1, False)


def test_a_bad_setting_is_two() -> None:
    """It is the user's word, not a finding."""
    done = command("doctor", MODEL_ORCHESTRATOR_TIMEOUT="soon")
    assert done.code == 2
    assert done.complaint.startswith("MODEL_ORCHESTRATOR_TIMEOUT in the environment: expected seconds")


def test_a_policy_of_the_users_own_is_named_and_a_bad_one_is_two() -> None:
    """As any setting."""
    assert findings(MODEL_ORCHESTRATOR_DEFAULT_CHAIN="fast")[1]["policy"] is True
    done = command("doctor", MODEL_ORCHESTRATOR_DEFAULT_CHAIN="fats")
    assert done.code == 2
    assert "there is no chain 'fats'; did you mean fast?" in done.complaint
