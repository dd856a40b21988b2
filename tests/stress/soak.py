"""The service under load for a long time: `python -m tests.stress.soak --seconds 600`, or `make soak`.

Clients ask for every strategy, whole and streamed, while the provider fails in every way and some clients leave. In the
end the books are compared as after the other programs, every answer is looked up in the log, and the memory of the
service is held against what it was at the beginning.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from model_orchestrator.application.runs import load_run
from model_orchestrator.domain.run import RunStatus
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.simulate.server import SimulatorOptions
from tests.simulator import running_simulator

from .audit import Audit, audit
from .budget import table
from .provider import ROOT, database_url, environment
from .upstream import Ledger, rates
from .worker import HAIKU, MINI, prompt

LIMIT = Usd("1000000")  # never reached: what is watched here are the books, not the refusals
FLAT = 0.05  # share that the memory may grow by
WARM_UP = 0.25  # share of the time in which caches and pools fill
MODELS = ("cheapest", "cheapest", "cheapest", MINI, HAIKU, "auto", "fallback:openai", "fallback", "ensemble")
EXPECTED = frozenset((200, 400, 402, 404, 408, 429, 502, 503))


@dataclass(slots=True)
class Heard:
    """What the clients heard."""

    statuses: Counter[int] = field(default_factory=Counter)
    answered: list[str] = field(default_factory=list)  # runs
    left: int = 0
    broken: list[str] = field(default_factory=list)


def soak(url: str, folder: Path, *, seed: str, seconds: float, clients: int, workers: int, faults: float) -> Audit:
    """One round on an empty database."""
    ledger = Ledger()
    options = SimulatorOptions(
        latency=0.02, seed=Random(seed).getrandbits(32), rates=rates(faults), as_real=True, hold=1.0, watch=ledger.watch
    )
    with running_simulator(options) as provider:
        env = environment(url, folder, provider)
        asyncio.run(_limited(env))
        service = subprocess.Popen(
            [sys.executable, "-m", "model_orchestrator", "serve", "--port", "0", "--workers", str(workers)],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert service.stdout is not None
            address = service.stdout.readline().strip()
            heard, memory = asyncio.run(_load(address, service.pid, seed, seconds, clients))
            service.send_signal(signal.SIGTERM)
            code = service.wait(120)
        finally:
            service.kill()
        subprocess.run(
            [sys.executable, "-m", "model_orchestrator", "runs", "resume", "--all"],
            cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        done = asyncio.run(_audited(env, ledger, heard, calls=provider.calls))
    done.expect(code == 0, f"the service ended with {code}")
    done.problems += heard.broken[:20]
    unexpected = {status: count for status, count in heard.statuses.items() if status not in EXPECTED}
    done.expect(not unexpected, f"unexpected statuses: {unexpected}")
    _check_memory(done, memory)
    done.figures |= {f"replies {status}": count for status, count in sorted(heard.statuses.items())}
    done.figures |= {"clients who left": heard.left, "requests a second": round(_asked(heard) / seconds)}
    return done


def _asked(heard: Heard) -> int:
    return sum(heard.statuses.values()) + heard.left


async def _limited(env: Mapping[str, str]) -> None:
    async with Orchestrator(Settings.load(env=env)) as orchestrator:
        await orchestrator.set_budget("global", LIMIT, period="total")


async def _load(address: str, pid: int, seed: str, seconds: float, clients: int) -> tuple[Heard, list[int]]:
    """Ask until the time is over; what was heard, and the service's memory each second, in KiB."""
    heard, memory, end = Heard(), [], time.monotonic() + seconds
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(address, connector=connector) as session:
        asking = [
            asyncio.create_task(_client(session, Random(f"{seed}:{number}"), heard, end)) for number in range(clients)
        ]
        while time.monotonic() < end:
            await asyncio.sleep(1)
            memory.append(_resident(pid))
        await asyncio.gather(*asking)
    return heard, memory


async def _client(session: aiohttp.ClientSession, random: Random, heard: Heard, end: float) -> None:
    while time.monotonic() < end:
        try:
            async with asyncio.timeout(random.uniform(0.0, 0.1) if random.random() < 0.03 else None):
                await _ask(session, random, heard)
        except TimeoutError:
            heard.left += 1
        except aiohttp.ClientError as error:
            heard.broken.append(f"a client heard {type(error).__name__}: {error}")


async def _ask(session: aiohttp.ClientSession, random: Random, heard: Heard) -> None:
    """One request, in one of both protocols."""
    is_stream, is_anthropic = random.random() < 0.4, random.random() < 0.3
    body: dict[str, Any] = {
        "model": random.choice(MODELS),
        "messages": [{"role": "user", "content": prompt(random)}],
        "max_tokens": 60,
        "stream": is_stream,
    }
    headers = {"idempotency-key": str(random.getrandbits(64))} if random.random() < 0.1 else {}
    path = "/v1/messages" if is_anthropic else "/v1/chat/completions"
    async with session.post(path, json=body, headers=headers) as response:
        text = (await response.read()).decode()
        heard.statuses[response.status] += 1
        if response.status == 200:
            _hear(text, is_stream, is_anthropic, heard)


def _hear(text: str, is_stream: bool, is_anthropic: bool, heard: Heard) -> None:
    """The run that answered; a stream has its last event, or an error."""
    found = re.search(r'"run_id":"(run-[0-9a-f-]+)"', text)
    if is_stream:
        last = "message_stop" if is_anthropic else "[DONE]"
        if last not in text and '"error"' not in text:
            heard.broken.append(f"a stream ended without {last}: ...{text[-200:]}")
            return
        if '"error"' in text:
            return
    elif "error" in json.loads(text):
        heard.broken.append("a reply of 200 is an error")
    if found is None:
        heard.broken.append("an answer does not name its run")
    else:
        heard.answered.append(found[1])


async def _audited(env: Mapping[str, str], ledger: Ledger, heard: Heard, *, calls: int) -> Audit:
    async with Orchestrator(Settings.load(env=env)) as orchestrator:
        done = await audit(orchestrator.store, orchestrator.log, ledger, calls=calls, limits={"global": LIMIT})
        for run_id in heard.answered:
            run = (await load_run(orchestrator.log, run_id)).run
            done.expect(run.status is RunStatus.COMPLETED, f"{run_id} was answered, and the log says {run.status}")
        done.figures["events"] = await orchestrator.store.head()
        return done


def _check_memory(done: Audit, memory: list[int]) -> None:
    """The median of the last part against that of the first after the warm-up."""
    warm = memory[round(len(memory) * WARM_UP) :]
    part = max(1, len(warm) // 5)
    first, last = statistics.median(warm[:part]), statistics.median(warm[-part:])
    done.figures |= {"memory at first, KiB": round(first), "memory at last, KiB": round(last)}
    done.expect(last <= first * (1 + FLAT), f"memory grew from {first:.0f} to {last:.0f} KiB")


def _resident(pid: int) -> int:
    """KiB of a process and its children."""
    total = 0
    for one in (pid, *_children(pid)):
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        found = re.search(r"VmRSS:\s+(\d+)", status)
        total += int(found[1]) if found else 0
    return total


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def main() -> int:
    """Print a table, a column a database; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.soak", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--faults", type=float, default=0.05, help="share of the provider's calls")
    parser.add_argument("--seed", default="1")
    given = parser.parse_args()
    columns: dict[str, dict[str, int | Usd]] = {}
    problems: list[str] = []
    for kind in ("sqlite", "postgres") if given.database == "both" else (given.database,):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, database_url(kind, Path(name)) as url:
            done = soak(
                url, Path(name), seed=given.seed, seconds=given.seconds, clients=given.clients, workers=given.workers,
                faults=given.faults,
            )  # fmt: skip
        columns[kind] = done.figures
        problems += [f"{kind}: {problem}" for problem in done.problems]
    print(*problems, sep="\n", file=sys.stderr)
    rows = dict.fromkeys(row for column in columns.values() for row in column)
    print(table({kind: {row: column.get(row, 0) for row in rows} for kind, column in columns.items()}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
