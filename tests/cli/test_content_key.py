"""`MODEL_ORCHESTRATOR_CONTENT_KEY`: texts are unreadable in the database, and everything works as without it."""

import asyncio
import base64
from typing import Any

import pytest

from ..database import Database
from .command import Done, command, logged

TEXT = "Describe the sentinel aardvark"
OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
KEY, BEFORE = "MODEL_ORCHESTRATOR_CONTENT_KEY", "MODEL_ORCHESTRATOR_OLD_CONTENT_KEY"


def bodies(database: Database) -> list[bytes]:
    """Of the texts of runs, as they are stored."""
    query = "SELECT body FROM log.contents WHERE substr(ref, 1, 2) IN ('c-', 'm-') ORDER BY ref"
    return [bytes(body) for (body,) in database.rows(query)]


def answered(*arguments: str, **env: str) -> Any:
    return command("run", TEXT, *arguments, "--json", **env).document


def shown(run: str = "last", **env: str) -> Any:
    return command("runs", "show", run, "--json", **env).document


def refused(*arguments: str, **env: str) -> str:
    done: Done = command(*arguments, **env)
    assert done.code == 2, done
    return done.complaint


def test_a_text_is_unreadable_without_the_key_and_read_with_it(database: Database) -> None:
    """Every text of every strategy; the log itself needs no key."""
    for strategy in ("cheapest", "ensemble", "fallback"):
        done = answered("--strategy", strategy, **{KEY: OLD})
        assert shown(**{KEY: OLD})["prompt"] == TEXT
        assert shown(**{KEY: OLD})["response"] == done["response"]
    assert len(bodies(database)) > 6
    assert all(body.startswith(b"\xff\x01") for body in bodies(database))
    assert not any(b"aardvark" in body for body in bodies(database))
    asyncio.run(logged(database.url))
    assert command("audit", "trail", "last").code == 0


def test_a_missing_or_wrong_key_is_said_and_loses_nothing(database: Database) -> None:
    """Neither reads, nor stores under another key or in plain."""
    answered(**{KEY: OLD})
    before = bodies(database)
    assert "is not set: set it to that key" in refused("runs", "show", "last")
    assert "is not set: set it to that key" in refused("run", TEXT)
    assert "set it to the former" in refused("runs", "show", "last", **{KEY: NEW})
    assert "set it to the former" in refused("run", TEXT, "--subject", "new", **{KEY: NEW})
    assert bodies(database) == before
    assert shown(**{KEY: OLD})["prompt"] == TEXT


@pytest.mark.parametrize("key", ["short", "A" * 44, OLD[:-4], "é" * 44])
def test_a_key_that_is_none_is_misuse_and_not_shown(database: Database, key: str) -> None:
    complaint = refused("run", TEXT, **{KEY: key})
    assert f"{KEY}: expected 32 bytes as base64" in complaint
    assert key not in complaint
    assert "****" in command("config", "show", **{KEY: OLD}).stdout
    assert OLD not in command("config", "show", "--json", **{KEY: OLD}).stdout


def test_plain_and_encrypted_texts_stand_side_by_side(database: Database) -> None:
    """A key may come later; a message asked before stays as it was stored."""
    first = answered()["run_id"]
    second = answered("--system", "In short.", **{KEY: OLD})["run_id"]
    assert [shown(run, **{KEY: OLD})["prompt"] for run in (first, second)] == [TEXT, TEXT]
    plain = [body for body in bodies(database) if not body.startswith(b"\xff\x01")]
    assert 0 < len(plain) < len(bodies(database))
    assert shown(first)["prompt"] == TEXT  # it needs no key


def test_the_key_is_changed_without_rewriting_a_text(database: Database) -> None:
    runs = [answered("--subject", f"s-{n}", **{KEY: OLD})["run_id"] for n in range(3)]
    before = bodies(database)
    both = {KEY: NEW, BEFORE: OLD}
    assert shown(runs[0], **both)["prompt"] == TEXT
    runs.append(answered("--subject", "s-0", **both)["run_id"])
    assert "MODEL_ORCHESTRATOR_OLD_CONTENT_KEY" in refused("privacy", "rotate-key", **{KEY: NEW})
    assert command("privacy", "rotate-key", "--json", **both).document["rewrapped"] == 3
    assert set(before) < set(bodies(database))
    assert [shown(run, **{KEY: NEW})["prompt"] for run in runs] == [TEXT] * 4
    assert "is the key" in refused("runs", "show", "last", **{KEY: OLD})
    assert command("privacy", "rotate-key", "--json", **both).document["rewrapped"] == 0


def test_erasing_destroys_the_keys(database: Database) -> None:
    """Of the run with its texts; of the subject with its last run; of a shared message with the message."""
    first = answered("--subject", "me", **{KEY: OLD})["run_id"]
    second = answered("--subject", "me", **{KEY: OLD})["run_id"]
    answered(**{KEY: OLD})
    nobodys = database.count("content_keys", "subject = ''")
    assert database.count("content_keys", "subject = 'me' AND owner IS NULL") == 1
    assert command("privacy", "erase", first).code == 0  # without a key
    assert database.count("content_keys", f"owner = '{first}'") == 0
    assert shown(second, **{KEY: OLD})["prompt"] == TEXT
    assert command("privacy", "erase", "--subject", "me", **{KEY: OLD}).code == 0
    assert database.count("content_keys", "subject = 'me'") == 0
    assert database.count("content_keys", "subject = ''") == nobodys
    assert shown(**{KEY: OLD})["prompt"] == TEXT


def test_a_text_without_its_key_counts_as_erased(database: Database) -> None:
    """As from a copy of the texts that outlived the erasure."""
    answered(**{KEY: OLD})
    database.rows("DELETE FROM log.content_keys WHERE owner IS NOT NULL")
    assert shown(**{KEY: OLD})["prompt"] is None


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE log.contents SET ref = ref || 'x' WHERE ref LIKE 'm-%'",
        "UPDATE log.content_keys SET owner = owner || 'x' WHERE owner LIKE 'run-%'",
        "UPDATE log.content_keys SET subject = 'you' WHERE owner IS NULL",
    ],
)
def test_a_text_under_another_name_or_owner_does_not_open(database: Database, edit: str) -> None:
    """What is encrypted is bound to its ref, its run and its subject."""
    answered(**{KEY: OLD})
    database.rows(edit)
    if "contents" in edit:
        found = database.rows("SELECT ref FROM log.contents WHERE ref LIKE 'm-%'")[0][0]
        with pytest.raises(Exception, match="was changed"):
            asyncio.run(_text(database.url, found))
    else:
        done = command("runs", "show", "last", **{KEY: OLD})
        assert "was changed since it was stored" in done.complaint


async def _text(url: str, ref: str) -> Any:
    from model_orchestrator.infrastructure.content_cipher import OuterKey, OuterKeys
    from model_orchestrator.infrastructure.secret import Secret
    from model_orchestrator.infrastructure.store.opening import open_store

    store = open_store(url, content_keys=OuterKeys(OuterKey.of(Secret(OLD))))
    try:
        return await store.contents([ref])
    finally:
        await store.aclose()
