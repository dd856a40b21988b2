"""Money under stress: `python -m tests.stress.budget`, or `make stress`.

Workers make runs of every strategy against one budget while the provider fails in every way, runs are cancelled and
workers are killed and started again, and `runs resume --all` works beside them. In the end everything is resumed, and
the books are compared: the provider's own with the log's and the balances.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from model_orchestrator.domain.units import Usd, plain
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.simulate.server import SimulatorOptions
from tests.simulator import RunningSimulator, running_simulator

from .audit import Audit, Limits, audit
from .provider import ROOT, database_url, environment
from .upstream import Ledger, rates
from .worker import HAIKU, KINDS, OUTPUT, prompt

PATIENCE = 600.0  # seconds that a round may take
RESUME = ("runs", "resume", "--all", "--json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done in a round."""

    workers: int = 4
    slots: int = 25  # concurrent runs of a worker
    plans: int = 5  # whole ones that the budget covers
    runs: int = 12  # of a slot, one after the other
    kills: int = 6
    calls_a_kill: int = 60  # the provider's count between two of them
    faults: float = 0.1  # share of calls
    latency: float = 0.02  # seconds before an answer
    lease: float = 3.0  # seconds


@dataclass(slots=True)
class Crew:
    """The worker processes, each at its place."""

    seed: str
    size: Size
    env: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    def hire(self) -> subprocess.Popen[bytes]:
        """One more."""
        self.started += 1
        plan = {"slots": self.size.slots, "runs": self.size.runs, "lease": self.size.lease}
        plan_json = json.dumps(plan | {"seed": f"{self.seed}:{self.started}"})
        started = _python("tests.stress.worker", plan_json, env=self.env)
        self.processes.append(started)
        return started

    @property
    def at_work(self) -> list[subprocess.Popen[bytes]]:
        """Those that have not ended."""
        return [one for one in self.processes if one.poll() is None]

    def dismiss(self) -> None:
        """Kill whoever is left."""
        for one in self.processes:
            one.kill()
            one.wait()


def stress(url: str, folder: Path, *, seed: str, size: Size) -> Audit:
    """One round on an empty database. Raises TimeoutError where it does not come to its end."""
    ledger = Ledger()
    options = SimulatorOptions(
        latency=size.latency,
        seed=Random(seed).getrandbits(32),
        rates=rates(size.faults),
        as_real=True,
        hold=1.5,
        watch=ledger.watch,
    )
    with running_simulator(options) as provider:
        env = environment(url, folder, provider)
        limits = asyncio.run(_limited(env, size.plans))
        kills = _work(Crew(seed, size, env), provider, Random(seed))
        _resume(env)
        done = asyncio.run(_audited(env, ledger, calls=provider.calls, limits=limits))
    done.figures = {"workers killed": kills, **done.figures}
    return done


async def _limited(env: Mapping[str, str], whole_plans: int) -> dict[str, Usd]:
    """Set a budget that covers a few of the dearest plans at their worst, and one for a model that many of them ask."""
    async with Orchestrator(Settings.load(env=env)) as orchestrator:
        plans = [orchestrator.plan(prompt(Random(0)), max_tokens=OUTPUT, **kind) for kind in KINDS]
        dearest = max(plan.price_range[1] or Usd(0) for plan in plans)
        limit = dearest * whole_plans
        limits = {"global": Usd(plain(limit)), f"model:{HAIKU}": Usd(plain(limit / 5))}
        for scope, limit in limits.items():
            await orchestrator.set_budget(scope, limit, period="total")
        return limits


def _work(crew: Crew, provider: RunningSimulator, random: Random) -> int:
    """Let the crew work, and kill; returns how many were killed."""
    resuming: list[subprocess.Popen[bytes]] = []
    kills = 0
    try:
        for _ in range(crew.size.workers):
            crew.hire()
        deadline = time.monotonic() + PATIENCE
        while at_work := crew.at_work:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(at_work)} workers did not end in {PATIENCE:g} s")
            if kills < crew.size.kills and provider.calls >= (kills + 1) * crew.size.calls_a_kill:
                killed = random.choice(at_work)
                killed.kill()
                killed.wait()
                kills += 1
                crew.hire()
                if kills % 4 == 1:
                    resuming.append(_python("model_orchestrator", *RESUME, env=crew.env))
            time.sleep(0.01)
        for one in resuming:
            one.wait(PATIENCE)
        failed = [one.returncode for one in (*crew.processes, *resuming) if one.returncode not in (0, -9)]
        assert not failed, f"processes ended with {failed}"
        return kills
    finally:
        crew.dismiss()
        for one in resuming:
            one.kill()


def _resume(env: Mapping[str, str]) -> None:
    """`runs resume --all`, again until the last lease of the dead ran out."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = _python("model_orchestrator", *RESUME, env=env, stdout=subprocess.PIPE)
        found = json.loads(done.communicate(timeout=PATIENCE)[0])
        assert done.returncode == 0
        if not any(one["status"] == "left_alone" for one in found):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"still under way after {PATIENCE:g} s: {found}")


async def _audited(env: Mapping[str, str], ledger: Ledger, *, calls: int, limits: Limits) -> Audit:
    async with Orchestrator(Settings.load(env=env)) as orchestrator:
        return await audit(orchestrator.store, orchestrator.log, ledger, calls=calls, limits=limits)


def _python(module: str, *words: str, env: Mapping[str, str], stdout: int | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *words], cwd=ROOT, env=env, stdout=stdout or subprocess.DEVNULL
    )


# ---- the program ----------------------------------------------------------------------------------------------------


def main() -> int:
    """Print a table, a column a round; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.budget", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--seed", default="1", help="of orders, faults, cancellations and kills")
    parser.add_argument("--rounds", type=int, default=1, help="on each database")
    given = parser.parse_args()
    kinds = ("sqlite", "postgres") if given.database == "both" else (given.database,)
    columns: dict[str, dict[str, int | Usd]] = {}
    problems = 0
    for kind in kinds:
        for number in range(given.rounds):
            seed, began = f"{given.seed}:{number}", time.monotonic()
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, database_url(kind, Path(name)) as url:
                done = stress(url, Path(name), seed=seed, size=Size())
            print(f"{kind}, seed {seed}: {time.monotonic() - began:.0f} s", *done.problems, sep="\n  ", file=sys.stderr)
            problems += len(done.problems)
            columns[kind if given.rounds == 1 else f"{kind} {number + 1}"] = done.figures
    print(table(columns))
    return 1 if problems else 0


def table(columns: Mapping[str, Mapping[str, int | Usd]]) -> str:
    """Rows of text; amounts in USD."""
    rows = [
        ["", *columns],
        *([row, *(_shown(one[row]) for one in columns.values())] for row in next(iter(columns.values()))),
    ]
    return "\n".join(f"{row[0]:36}" + "".join(f"{cell:>14}" for cell in row[1:]) for row in rows)


def _shown(value: int | Usd) -> str:
    return f"${plain(value)}" if isinstance(value, Usd) else f"{value:,}"


if __name__ == "__main__":
    sys.exit(main())
