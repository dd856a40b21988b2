"""`db`: data on stdout, talk on stderr, errors in one line, exit codes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from model_orchestrator.cli import main
from model_orchestrator.infrastructure.migrations.revisions import NEWEST
from tests.postgres import PostgresServer

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `db` with some words; its exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["model-orchestrator", "db", *words])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return (int(ended.value.code or 0), *capsys.readouterr())

    return run


def test_a_postgresql_database_is_upgraded_and_shown(db: Command, empty_postgres_url: str) -> None:
    code, out, err = db("status", "--database", empty_postgres_url, "--json")
    assert code == 1
    assert json.loads(out)["schema"] is None
    assert err == f"this release needs schema {NEWEST}; run: model-orchestrator db upgrade\n"
    code, out, err = db("upgrade", "--database", empty_postgres_url)
    assert (code, out) == (0, "")
    assert err.endswith(f"has schema {NEWEST}\n")
    code, out, _ = db("status", "--database", empty_postgres_url, "--json")
    status = json.loads(out)
    assert code == 0
    assert status["database"] == empty_postgres_url
    assert status["server"].startswith("PostgreSQL ")
    assert status["size_bytes"] > 1_000_000
    assert (status["schema"], status["newest_schema"], status["events"]) == (NEWEST, NEWEST, 0)
    checksums = status["durability"].pop("data_checksums")
    assert checksums in ("on", "off")  # a choice of the server's; on by default from PostgreSQL 18
    assert status["durability"] == {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}


def test_a_file_is_upgraded_and_shown(db: Command, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    code, out, _ = db("upgrade", "--database", url, "--json")
    assert code == 0
    assert json.loads(out)["schema"] == NEWEST
    code, out, err = db("status", "--database", url)
    assert (code, err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["database"] == url
    assert lines["schema"] == f"{NEWEST} (newest: {NEWEST})"
    assert lines["events"] == "0"
    assert lines["durability"] == "journal_mode=wal, synchronous=full"


@pytest.mark.parametrize("word", ["status", "upgrade"])
def test_a_server_that_is_not_there_is_one_line_without_the_password(db: Command, tmp_path: Path, word: str) -> None:
    code, out, err = db(word, "--database", f"postgresql://me:tell-nobody@/name?host={tmp_path}")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "tell-nobody" not in err


def test_an_address_that_is_none_is_misuse(db: Command) -> None:
    code, out, err = db("status", "--database", "mysql://host/name")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "postgresql://" in err


def test_a_file_is_backed_up_restored_and_vacuumed(db: Command, tmp_path: Path) -> None:
    url, copy = f"sqlite:///{tmp_path / 'log.db'}", str(tmp_path / "copy.db")
    assert db("backup", copy, "--database", url)[0] == 1
    db("upgrade", "--database", url)
    code, out, err = db("backup", copy, "--database", url, "--json")
    assert (code, json.loads(out)["file"], json.loads(out)["events"]) == (0, copy, 0)
    assert err.startswith(f"backed up 0 events in {copy} (")
    assert db("backup", copy, "--database", url)[0] == 2
    assert db("restore", copy, "--database", url)[0] == 2
    code, out, _ = db("restore", copy, "--database", f"sqlite:///{tmp_path / 'new.db'}", "--json")
    assert (code, json.loads(out)["events"]) == (0, 0)
    code, out, _ = db("vacuum", "--database", url, "--json")
    assert (code, json.loads(out)["database"]) == (0, url)
    assert db("vacuum", "--database", "sqlite:///:memory:")[0] == 2


def test_for_postgresql_the_command_is_said_and_works(
    db: Command, postgres: PostgresServer, postgres_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    """With the server's own tools: what was dumped and restored is a database that is used."""
    tools = {"PATH": os.pathsep.join((str(postgres.bin), os.environ["PATH"]))}
    file = str(tmp_path / "a dump")
    for words in (("backup", file, "--database", postgres_url), ("restore", file, "--database", empty_postgres_url)):
        code, out, err = db(*words)
        assert (code, out) == (2, "")
        subprocess.run(shlex.split(err.partition("for this: ")[2]), check=True, env={**os.environ, **tools})
    assert db("status", "--database", empty_postgres_url)[0] == 0
    _, _, err = db("vacuum", "--database", postgres_url)
    assert "VACUUM (FULL) log.contents" in err


def test_a_password_is_not_repeated(db: Command) -> None:
    code, _, err = db("backup", "x", "--database", "postgresql://me:tell-nobody@host/name")
    assert code == 2
    assert "PGPASSWORD=... pg_dump --format=custom --dbname=postgresql://me@host/name --file=x" in err
