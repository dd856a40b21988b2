"""Writes log.db.xz and expected.json: a small log with every type of event, for later releases to open.

    python -m tests.infrastructure.first_release_log.make

It was run once, by the first release. What is there is never written over: a log of a later release gets a folder of
its own. What is expected comes from the domain's own folds, not from the read models that a test holds against it.
"""

from __future__ import annotations

import asyncio
import json
import lzma
import platform
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from model_orchestrator.application.budgets import remove_budget
from model_orchestrator.application.privacy import Erasure
from model_orchestrator.application.runs import cancel_run, load_run
from model_orchestrator.domain.events import ErasureReason, Headroom, RetryRefused, RunEvent
from model_orchestrator.domain.units import Usd, plain
from model_orchestrator.infrastructure import seals
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.event_codec import EVENT_TYPES
from model_orchestrator.infrastructure.settings import Settings
from tests.generated_log import write_log
from tests.read_models import reconciled, run_failed
from tests.scenario import MINI, asked, assessed, lost, routed, started

FOLDER = Path(__file__).parent
LOG, EXPECTED = FOLDER / "log.db.xz", FOLDER / "expected.json"


async def write(url: str, folder: Path) -> None:
    """Generated runs, then what they never do: budgets that change, a cached answer, erasure, a seal and the like."""
    settings = Settings.load(env={"MODEL_ORCHESTRATOR_PROVIDER": "simulated"}, database_url=url)
    async with Orchestrator(settings) as orchestrator:
        for _ in range(2):
            await orchestrator.run("What is Python?", cache="24h", subject="customer-7", tags={"team": "search"})
        await orchestrator.run("Design a distributed system", strategy="fallback", category="design")
        await orchestrator.run("Compare REST and GraphQL", strategy="ensemble", category="chat")
        await orchestrator.set_budget("category:design", Usd("1"), period="total", alerts=(50,))
        await orchestrator.set_budget("category:design", Usd("0.0001"), period="total", alerts=(50,))
        await orchestrator.set_budget("tag:team=search", Usd("2"), period="day")
        log, store = orchestrator.log, orchestrator.store
        await remove_budget(store, log, "tag:team=search", "day")
        headroom = Headroom(scope="global", period="day", limit=Usd("0.001"), held=Usd("0.0006"), settled=Usd(0))
        refused = RetryRefused(attempt=1, needed=Usd("0.0006174"), headroom=headroom)
        facts: list[RunEvent] = [started(), assessed(), routed(MINI), asked(MINI), lost(1), refused, run_failed()]
        await log.append("run-lost", expected=0, events=[*facts, reconciled(1, "0.000042")])
        await log.append("run-cancelled", expected=0, events=[started(), assessed(), routed(MINI)])
        await cancel_run(log, "run-cancelled", by="local")
        erasure = Erasure(subject="customer-7", reason=ErasureReason.REQUEST, by="local")
        await orchestrator.privacy().erase(erasure, orchestrator.clock.now())
        seals.new_key(folder / "key.pem")
        await seals.seal(store, log, folder / "key.pem", orchestrator.clock.now())


async def expected(url: str) -> dict[str, Any]:
    """What the log comes to, run by run."""
    async with Orchestrator(Settings.load(env={}, database_url=url)) as orchestrator:
        store, log = orchestrator.store, orchestrator.log
        entries = await store.read_all(limit=10_000)
        runs, totals, calls = {}, dict[str, Decimal](), Counter[str]()
        for run_id in sorted({entry.stream for entry in entries if entry.type == "RunStarted"}):
            run = (await load_run(log, run_id)).run
            attempts = {
                str(one.number): {"model": one.model, "status": one.status.value, "cost": _text(one.spent)}
                for one in run.attempts
            }
            runs[run_id] = {"status": run.status.value, "version": run.version, "attempts": attempts}
            for one in run.attempts:
                calls[one.model] += 1
                totals[one.model] = totals.get(one.model, Decimal(0)) + (one.spent or 0)
        return {
            "events": len(entries),
            "head": entries[-1].chain_hash.hex(),
            "types": sorted({f"{entry.type}.{entry.schema_version}" for entry in entries}),
            "runs": runs,
            "models": {model: {"calls": calls[model], "cost": plain(totals[model])} for model in sorted(calls)},
            "balances": [
                [one.scope, one.period, one.money.value, one.period_key, one.held, one.settled]
                for one in await store.balances()
            ],
        }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def main() -> None:
    """Write both files."""
    if LOG.exists():
        sys.exit(f"{LOG} is there for ever: a log of a later release gets a folder of its own")
    platform.node = lambda: "host"  # a run says which machine worked on it
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "log.db"
        url = f"sqlite:///{file}"
        write_log(url, runs=10, seed=353, texts=True)
        asyncio.run(write(url, folder))
        document = asyncio.run(expected(url))
        missing = set(EVENT_TYPES) - {name.partition(".")[0] for name in document["types"]}
        if missing:
            sys.exit(f"the log has no {', '.join(sorted(missing))}")
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        LOG.write_bytes(lzma.compress(file.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
    EXPECTED.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{document['events']} events, {LOG.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
