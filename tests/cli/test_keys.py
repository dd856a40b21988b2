"""`keys`: made, listed, revoked, on both databases; the token is on standard output, once, and nowhere else."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from ..database import Database
from .command import command

TOKEN = re.compile(r"mo-[A-Za-z0-9_-]{43}\n")
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(autouse=True)
def _own_database(database: Database) -> None:
    """Every test on both databases."""


def keys(*words: str) -> Any:
    """The JSON of a command that succeeds."""
    done = command("keys", *words, "--json")
    assert done.code == 0, done
    return done.document


def test_a_key_from_its_making_to_its_end() -> None:
    made = command("keys", "create", "web", "--models", "gpt-4o-mini, gpt-4o", "--rpm", "60", "--budget", "5/day")
    assert made.code == 0, made
    assert TOKEN.fullmatch(made.stdout)
    assert made.stderr == "the token is shown this once: keep it; who has it can ask, and spend\n"
    (listed,) = keys("list")
    assert re.fullmatch(UUID, listed.pop("id"))
    assert listed.pop("created_at").endswith("+00:00")
    assert listed == {
        "name": "web",
        "scopes": ["run", "read"],
        "models": ["gpt-4o-mini", "gpt-4o"],
        "requests_a_minute": 60,
        "revoked_at": None,
    }
    (budget,) = command("budgets", "list", "--json").document
    assert (budget["scope"], budget["period"], budget["limit"]) == ("key:web", "day", "5")
    gone = keys("revoke", "web")
    assert gone["revoked_at"] is not None
    assert keys("list") == []
    assert keys("list", "--all") == [gone]
    again = command("keys", "create", "web", "--scope", "admin,run")
    assert "web had a key before" in again.stderr
    assert [one["scopes"] for one in keys("list", "--all")] == [["run", "read"], ["run", "admin"]]
    (second,) = keys("list")
    assert keys("revoke", second["id"])["id"] == second["id"]


def test_lists_are_readable() -> None:
    """A row a key; those that are revoked when they are asked for."""
    assert command("keys", "list").stdout == "name  id  scopes  models  rpm  created\n"
    for name in ("web", "mobile"):
        command("keys", "create", name)
    command("keys", "revoke", "web")
    header, row = command("keys", "list").stdout.splitlines()
    assert header.split() == ["name", "id", "scopes", "models", "rpm", "created"]
    assert re.fullmatch(rf"mobile  {UUID}  run,read  any     any  2\S+", row)
    _, first, second = command("keys", "list", "--all").stdout.splitlines()
    assert re.fullmatch(rf"web     {UUID}  run,read  any     any  2\S+  2\S+", first)
    assert second == row


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", "Web"), "key name 'Web': expected 1 to 64 of a-z, 0-9, '.', '_' and '-'"),
        (("create", "a b"), "key name 'a b': expected"),
        (("create", "x" * 65), "expected 1 to 64 of a-z"),
        (("create", "local"), "local is what is asked without a key"),
        (("create", "web", "--scope", "write"), "scope 'write': expected one or more of run, read, admin"),
        (("create", "web", "--scope", ""), "scope '': expected"),
        (("create", "web", "--rpm", "0"), "0 requests a minute are not possible: expected 1 to 1,000,000"),
        (("create", "web", "--budget", "5"), "budget '5': expected US dollars above 0 and a period (day, week"),
        (("create", "web", "--budget", "5/year"), "budget '5/year': expected"),
        (("create", "web", "--budget", "0/day"), "budget '0/day': expected"),
        (("create", "web", "--budget", "-1/day"), "budget '-1/day': expected"),
        (("create", "web", "--models", "gpt-4o-mni"), "did you mean gpt-4o-mini"),
        (("create", "web", "--models", ""), "unknown model ''"),
        (("revoke", "nobody"), "there is no key 'nobody': `model-orchestrator keys list` shows those in force"),
    ],
)
def test_what_is_off_is_refused_in_a_line_and_nothing_is_set(words: tuple[str, ...], says: str) -> None:
    done = command("keys", *words)
    assert (done.code, done.stdout) == (2, "")
    assert says in done.complaint
    assert keys("list", "--all") == []
    assert command("budgets", "list", "--json").document == []


def test_a_name_is_taken_until_its_key_is_revoked() -> None:
    command("keys", "create", "web")
    refused = command("keys", "create", "web", "--budget", "1/day")
    assert refused.complaint == "there is a key web already: take another name, or `keys revoke web` first"
    assert command("budgets", "list", "--json").document == []
    command("keys", "revoke", "web")
    assert "is revoked already" in command("keys", "revoke", "web").complaint


@pytest.mark.parametrize("name", ["create", "list", "revoke"])
def test_every_help_has_an_example(name: str) -> None:
    assert f"Example: model-orchestrator keys {name}" in command("keys", name, "--help").stdout


@pytest.mark.parametrize("scope", ["key:", "key:Web", "key:a b"])
def test_a_budget_of_a_name_that_no_key_can_have_is_refused(scope: str) -> None:
    assert command("budgets", "set", scope, "1").code == 2
    assert command("budgets", "set", "key:web", "1", "--json").document["scope"] == "key:web"
    assert command("budgets", "set", "key:local", "1", "--json").document["scope"] == "key:local"


def test_a_token_is_in_no_file_and_in_no_row(database: Database, tmp_path: Path) -> None:
    """Neither whole nor in part, nor the bytes it stands for; its hash is."""
    made = keys("create", "web")
    token: str = made.pop("token")
    command("keys", "create", "web")
    command("run", "What is Python?")
    command("keys", "revoke", "web")
    assert "token" not in keys("list", "--all")[0]
    tables = ("events", "contents", "idempotency_keys", "meta")
    found = [repr(database.rows(f"SELECT * FROM log.{table}")).encode() for table in tables]
    found += [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    everything = b"\0".join(found)
    assert b"token_hash" in everything
    for secret in (
        token.encode(),
        token[3:19].encode(),
        token[-16:].encode(),
        base64.urlsafe_b64decode(token[3:] + "="),
    ):
        assert secret not in everything
