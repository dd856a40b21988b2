"""`audit verify`, `audit seal` and `audit check-seal`: what was changed behind the program's back is found."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.infrastructure.read_models.state import open_state
from model_orchestrator.infrastructure.store import log_audit
from model_orchestrator.infrastructure.store.sqlite_transaction import COLUMNS

from ..database import Database
from .command import Done, command

ALTERED = {  # each column of an event, with another value; `position` is tried on its own
    "stream": "stream || 'x'",
    "version": "version + 1000",
    "event_id": "%s",
    "type": "'RunStartee'",
    "schema_version": "schema_version + 1",
    "occurred_at": "occurred_at - 1",
    "recorded_at": "recorded_at + 1",
    "causation_id": "coalesce(causation_id, '') || 'x'",
    "correlation_id": "correlation_id || 'x'",
    "actor": "'locak'",
    "payload": "replace(payload, ':', ': ')",
    "event_hash": "%s",
    "chain_hash": "%s",
}


@pytest.fixture
def runs(database: Database) -> Database:
    """A log of three runs under a budget, whose events can be changed."""
    command("budgets", "set", "global", "5", "--period", "total")
    for prompt in ("hi", "What is Erlang?", "What is 2 + 3?"):
        assert command("run", prompt, "--strategy", "ensemble").code == 0
    assert command("run", "hi", "--max-cost", "0").code == 1
    database.unlock()
    return database


def verify(*arguments: str) -> Any:
    done = command("audit", "verify", "--json", *arguments)
    assert done.code == (1 if done.document["problems"] else 0)
    return done.document


def changed(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def test_a_sound_log_is_said_to_be(runs: Database) -> None:
    done = command("audit", "verify")
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr.endswith("nothing is wrong\n")
    assert verify()["events"] == runs.count("events")
    assert verify("--quick")["quick"] is True


@pytest.mark.parametrize("column", ALTERED)
def test_a_change_of_any_column_is_found_where_it_is(runs: Database, column: str) -> None:
    """And one position only is named first, wherever it stands."""
    for position in (2, 9, runs.count("events")):
        before = runs.rows(f"SELECT {column} FROM log.events WHERE position = %s", (position,))[0][0]
        binary = (changed(bytes(before)),) if ALTERED[column] == "%s" else ()
        runs.rows(f"UPDATE log.events SET {column} = {ALTERED[column]} WHERE position = {position}", binary)
        found = command("audit", "verify", "--quick")
        assert found.code == 1
        assert found.stdout.splitlines()[0].startswith(f"position {position}: "), found.stdout
        runs.rows(f"UPDATE log.events SET {column} = %s WHERE position = {position}", (before,))
    assert verify("--quick")["problems"] == []


def test_every_column_is_tried() -> None:
    assert {"position", *ALTERED} == set(COLUMNS.split(", "))


def test_a_missing_moved_or_added_event_is_found(runs: Database) -> None:
    count = runs.count("events")
    rows = runs.rows(f"SELECT {COLUMNS} FROM log.events WHERE position IN (5, {count}) ORDER BY position")
    runs.rows("DELETE FROM log.events WHERE position = 5")
    assert "position 5: missing; the next event is at 6" in verify()["problems"]
    insert = f"INSERT INTO log.events VALUES ({', '.join(['%s'] * len(rows[0]))})"
    runs.rows(insert, rows[0])
    runs.rows(f"DELETE FROM log.events WHERE position = {count}")
    assert f"position {count}: missing; the log's head is {count}" in verify()["problems"]
    runs.rows(insert, rows[1])
    assert verify()["problems"] == []
    runs.rows(f"UPDATE log.log_head SET position = {count - 1}")
    assert f"position {count}: an event after the log's head, which is {count - 1}" in verify()["problems"]
    runs.rows(f"UPDATE log.log_head SET position = {count}, chain_hash = %s", (bytes(32),))
    assert verify()["problems"] == [f"position {count}: the log's head has another chain_hash than its last event"]


def test_stretches_in_several_processes_find_the_same(runs: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what is wrong at a border, and versions that go on from stretch to stretch."""
    runs.rows("UPDATE log.events SET actor = 'somebody' WHERE position = 20")
    runs.rows("DELETE FROM log.events WHERE position IN (10, 11, 30)")
    whole = log_audit.verify_database(runs.url)
    assert whole.problems
    for stretch in (10, 7):
        monkeypatch.setattr(log_audit, "STRETCH", stretch)
        cut = log_audit.verify_database(runs.url, processes=1)
        places = {problem.split(":")[0] for problem in whole.problems}
        assert {problem.split(":")[0] for problem in cut.problems} >= places - {"position 11"}
        assert cut.events == whole.events
    assert log_audit.verify_database(runs.url, processes=2) == cut


def test_balances_and_limits_are_compared_with_the_events(runs: Database) -> None:
    """Unless it is to be quick."""
    runs.rows("UPDATE log.balances SET settled = settled + 1000000000000")
    runs.rows('UPDATE log.budgets SET "limit" = 9000000000000')
    balance, limit = verify()["problems"]
    assert balance.startswith("balance global total (simulated): held $0, spent $1.")
    assert limit == "budget global (total): the limit is $9; the events come to $5"
    assert verify("--quick")["problems"] == []


def test_what_a_budget_opened_with_is_no_difference(runs: Database) -> None:
    """It was set after runs had spent; it says so itself."""
    command("budgets", "set", "category:orchestration", "5", "--period", "total")
    command("run", "hi")
    assert verify()["problems"] == []


def test_read_models_are_compared_with_the_events(runs: Database) -> None:
    """Unless it is to be quick; a rebuild heals them."""
    assert command("runs", "list").code == 0
    state = open_state(runs.url)
    state.write(lambda tables: tables.execute(f"UPDATE {state.schema}run_costs_v3_1 SET cost = cost + 1"))
    found = command("audit", "verify")
    assert found.code == 1
    first = found.stdout.splitlines()[0]
    assert first.startswith("projection attempts: run_costs run run-")
    assert "cost is" in first
    assert verify("--quick")["problems"] == []
    assert command("projections", "rebuild", "attempts").code == 0
    assert verify()["problems"] == []


def test_there_must_be_something_to_verify(database: Database) -> None:
    done = command("audit", "verify")
    if database.is_file:
        assert "there is no database" in done.complaint
        assert not Path("runs.db").exists()
    else:
        assert done.code == 0


# ---- seals ----


def sealed(*arguments: str) -> Any:
    """A new seal in seal.json, with a key made for it."""
    done = command("audit", "seal", "--key", "key.pem", "--new-key", "--out", "seal.json", "--json", *arguments)
    assert done.code == 0, done
    return done.document


def checked(*arguments: str) -> Done:
    return command("audit", "check-seal", "seal.json", *arguments)


def test_a_seal_holds_while_the_log_goes_on(runs: Database) -> None:
    seal = sealed()
    assert seal["position"] == runs.count("events") - 1
    assert json.loads(Path("seal.json").read_text()) == seal
    assert stat.S_IMODE(Path("key.pem").stat().st_mode) == 0o600
    command("run", "hi")
    assert checked().code == 0
    assert checked("--public-key", seal["public_key"], "--json").document["problems"] == []
    assert "not with the one asked for" in checked("--public-key", "00" * 32).complaint
    assert runs.count("events", "type = 'LogSealed'") == 1
    assert verify()["problems"] == []


def test_a_cut_tail_shows_against_a_seal_and_only_there(runs: Database) -> None:
    """Without the seal the rest is a sound log."""
    position = sealed()["position"]
    cut = position - 3
    last = runs.rows(f"SELECT recorded_at, chain_hash FROM log.events WHERE position = {cut}")[0]
    runs.rows(f"DELETE FROM log.events WHERE position > {cut}")
    runs.rows(f"UPDATE log.log_head SET position = {cut}, recorded_at = %s, chain_hash = %s", tuple(last))
    assert verify("--quick")["problems"] == []
    found = checked()
    assert (found.code, found.stdout) == (1, f"position {cut + 1}: missing; the log's head is {position}\n")


def test_a_rewritten_log_shows_against_a_seal_and_only_there(runs: Database) -> None:
    """Somebody who can write the tables can make a sound chain of other events."""
    position = sealed()["position"]
    rewrite(runs)
    assert verify("--quick")["problems"] == []
    found = checked()
    assert found.code == 1
    assert found.stdout == f"position {position}: not what was sealed: it, or something before it, was rewritten\n"


def rewrite(database: Database) -> None:
    """Change an actor in the middle, and every hash from there on."""
    from model_orchestrator.infrastructure.store.chain import GENESIS, chain_hash, hash_fields

    names, chain = COLUMNS.split(", "), GENESIS
    for row in database.rows(f"SELECT {COLUMNS} FROM log.events ORDER BY position"):
        event = dict(zip(names, row, strict=True))
        if event["position"] == 9:
            event["actor"] = "somebody"
        id, stream, type_, schema = (event[name] for name in ("event_id", "stream", "type", "schema_version"))
        rest = (event[name] for name in ("occurred_at", "causation_id", "correlation_id", "actor", "payload"))
        digest = hash_fields(bytes(id), stream, type_, schema, *rest)
        chain = chain_hash(chain, event["position"], event["version"], event["recorded_at"], digest)
        database.rows(
            f"UPDATE log.events SET actor = %s, event_hash = %s, chain_hash = %s WHERE position = {event['position']}",
            (event["actor"], digest, chain),
        )
    database.rows("UPDATE log.log_head SET chain_hash = %s", (chain,))


def test_a_changed_event_before_the_seal_is_found(runs: Database) -> None:
    """Though the sealed position itself is as it was."""
    sealed()
    runs.rows("UPDATE log.events SET payload = '{}' WHERE position = 3")
    assert checked().stdout == "position 3: event_hash is not the hash of the event's fields\n"


@pytest.mark.parametrize("field", ["position", "chain_hash", "sealed_at", "public_key", "signature"])
def test_a_changed_seal_is_no_seal(runs: Database, field: str) -> None:
    seal = sealed()
    value = seal[field]
    other = value + 1 if isinstance(value, int) else ("0" if value[0] != "0" else "1") + value[1:]
    Path("seal.json").write_text(json.dumps(seal | {field: other}))
    assert checked().code == 2
    assert "seal.json" in checked().complaint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seal": 1}', '{"seal": 1, "nonsense": 2}', '{"seal": 2}'])
def test_a_file_without_a_seal_is_misuse(database: Database, text: str) -> None:
    command("run", "hi")
    Path("seal.json").write_text(text)
    assert "seal" in checked().complaint
    assert "cannot read" in command("audit", "check-seal", "nowhere.json").complaint


def test_keys_and_seals_are_never_written_over(runs: Database) -> None:
    """And a key that is none is named."""
    sealed()
    again = command("audit", "seal", "--key", "key.pem", "--new-key", "--out", "other.json")
    assert "key.pem exists already" in again.complaint
    assert "seal.json exists already" in command("audit", "seal", "--key", "key.pem", "--out", "seal.json").complaint
    assert "no signing key" in command("audit", "seal", "--key", "nowhere.pem").complaint
    Path("key.pem").write_text("nonsense")
    assert "is no Ed25519 private key" in command("audit", "seal", "--key", "key.pem").complaint


def test_erasing_leaves_seals_valid(runs: Database) -> None:
    """The texts are not in the chain."""
    sealed()
    assert command("privacy", "erase", "--older-than", "0h").code == 0
    assert checked().code == 0
    assert verify()["problems"] == []
