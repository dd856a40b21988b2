"""A log file of many made-up runs, written past the store: golden payloads with figures put in, and their hashes."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import psycopg

from model_orchestrator.infrastructure.event_codec import SCHEMA_VERSIONS
from model_orchestrator.infrastructure.store.chain import GENESIS, chain_hash, hash_fields
from model_orchestrator.infrastructure.store.database import upgrade
from model_orchestrator.infrastructure.store.sqlite_transaction import COLUMNS

GOLDEN = Path(__file__).parent.parent / "infrastructure" / "golden_events"
DAY = 86_400_000_000
BEGIN = 1_756_684_800_000_000  # 2025-09-01
MODELS = (
    ("gpt-4o-mini", "openai"),
    ("claude-haiku-3.5", "anthropic"),
    ("gpt-4o", "openai"),
    ("claude-opus", "anthropic"),
)
CATEGORIES = ("chat", "code", "search", "orchestration", "support")
STRATEGIES = ("cheapest", "cheapest", "fallback", "auto")
TEAMS = ("search", "billing", "web")

Row = tuple[object, ...]
_LAST = "SELECT position, recorded_at, chain_hash FROM {} ORDER BY position DESC LIMIT 1"


def golden(type_: str) -> str:
    return (GOLDEN / f"{type_}.{SCHEMA_VERSIONS[type_]}.json").read_text().strip()


def fill(path: Path, runs: int, *, days: int = 90, seed: int = 4) -> int:
    """Write so many runs after those that are there; returns how many events there are now."""
    upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        head = connection.execute("SELECT position, recorded_at, chain_hash FROM log_head").fetchone()
        marks = ", ".join("?" * 14)
        events = _events(head, runs, days, random.Random(seed + head[0]))
        connection.executemany(f"INSERT INTO events VALUES ({marks})", events)
        head = connection.execute(_LAST.format("events")).fetchone()
        connection.execute("UPDATE log_head SET position = ?, recorded_at = ?, chain_hash = ?", head)
        connection.execute("COMMIT")
    return int(head[0])


def fill_server(url: str, runs: int, *, days: int = 90, seed: int = 4) -> int:
    """The same of a new database on PostgreSQL."""
    upgrade(url)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy(cast(Any, f"COPY log.events ({COLUMNS}) FROM STDIN")) as copy:
            for event in _events((0, 0, GENESIS), runs, days, random.Random(seed)):
                copy.write_row(event)
        cursor.execute(f"UPDATE log.log_head SET (position, recorded_at, chain_hash) = ({_LAST.format('log.events')})")
        return int(cursor.execute("SELECT position FROM log.log_head").fetchall()[0][0])


def _events(head: tuple[int, int, bytes], runs: int, days: int, rng: random.Random) -> Iterator[Row]:
    position, begin, chain = head
    assessed, routed = golden("PromptAssessed"), golden("RoutingDecided")
    for number in range(runs):
        at = max(BEGIN, begin) + number * days * DAY // runs
        stream = f"run-{position:012x}-{rng.getrandbits(48):012x}"
        facts: list[tuple[str, str]] = [
            ("RunStarted", _started(rng)),
            ("PromptAssessed", assessed),
            ("RoutingDecided", routed),
        ]
        for attempt in range(1, 3 if rng.random() < 0.15 else 2):
            facts += _attempt(rng, attempt)
        facts.append(("RunCompleted", golden("RunCompleted")))
        for version, (type_, payload) in enumerate(facts, 1):
            position += 1
            said = (
                position.to_bytes(16, "big"),
                stream,
                type_,
                SCHEMA_VERSIONS[type_],
                at,
                None,
                stream,
                "local",
                payload,
            )
            hashed = hash_fields(*said)
            chain = chain_hash(chain, position, version, at, hashed)
            yield position, stream, version, *(said[0], *said[2:5]), at, *said[5:], hashed, chain


def _started(rng: random.Random) -> str:
    text = golden_started().replace('"orchestration"', f'"{rng.choice(CATEGORIES)}"')
    text = text.replace('"strategy":"fallback"', f'"strategy":"{rng.choice(STRATEGIES)}"')
    return text.replace('{"team":"search"}', f'{{"team":"{rng.choice(TEAMS)}"}}' if rng.random() < 0.3 else "{}")


_texts: dict[str, str] = {}


def golden_started() -> str:
    return _kept("RunStarted")


def _kept(type_: str) -> str:
    if type_ not in _texts:
        _texts[type_] = golden(type_)
    return _texts[type_]


def _attempt(rng: random.Random, attempt: int) -> list[tuple[str, str]]:
    model, provider = rng.choice(MODELS)
    number = f'"attempt":{attempt}'
    started = _kept("AttemptStarted").replace('"attempt":1', number).replace('"gpt-4o-mini"', f'"{model}"', 1)
    facts = [("AttemptStarted", started.replace('"openai"', f'"{provider}"'))]
    if rng.random() < 0.05:
        return [*facts, ("AttemptFailed", _kept("AttemptFailed").replace('"attempt":1', number))]
    called = _kept("ModelCalled").replace('"attempt":1', number)
    called = called.replace("812345", str(rng.randrange(200_000, 5_000_000))).replace(
        '"output":40', f'"output":{rng.randrange(900)}'
    )
    cost = (
        _kept("CostIncurred")
        .replace('"attempt":1', number)
        .replace('"0.0000243","price', f'"0.{rng.randrange(10**9):012}","price')
    )
    score = _kept("ConfidenceScored").replace('"attempt":1', number).replace("850000", str(rng.randrange(1_000_001)))
    return [*facts, ("ModelCalled", called), ("CostIncurred", cost), ("ConfidenceScored", score)]
