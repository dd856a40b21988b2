"""Workers die at every step, and so do those that take over: `python -m tests.stress.kills`, or `make stress`.

A death comes right after an append, or after an answer that nobody heard of. However many come: the run ends as one
that nobody killed, no answered call is paid again, and the provider is asked no more often than that run asked it plus
once for each call in flight at a death.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from model_orchestrator.application.resume import survey
from model_orchestrator.application.runs import find_run, load_run
from model_orchestrator.domain.events import RunCompleted
from model_orchestrator.domain.run import AttemptStatus, Run, RunStatus
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.simulate.faults import Fault
from model_orchestrator.infrastructure.store.verify import verify_log
from tests.simulator import RunningSimulator, running_simulator

from .provider import ROOT, database_url, environment

MINI, HAIKU, SONNET = "gpt-4o-mini", "claude-haiku-3.5", "claude-sonnet-3.5"
MOMENTS = ("after_append", "after_answer")
LEASE = 0.15  # seconds
Death = tuple[str, int]  # a moment, and how many of them were survived before


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A run, and what its provider does first."""

    options: Mapping[str, Any]
    fault: Fault | None = None


CASES = {
    "cheapest": Case(options={"strategy": "cheapest"}),
    "retry": Case(options={"strategy": "cheapest", "max_attempts": 9}, fault=Fault.OVERLOADED),
    "fallback": Case(options={"strategy": "fallback", "chain": [MINI, HAIKU], "threshold": 1.0}),
    "fallback, agreement": Case(
        options={"strategy": "fallback", "chain": [MINI, HAIKU, SONNET], "threshold": 1.0, "verify": "agreement"}
    ),
    "ensemble": Case(options={"strategy": "ensemble", "models": [MINI, HAIKU]}),
    "ensemble, judge": Case(options={"strategy": "ensemble", "models": [MINI, "gpt-4o"], "method": "judge"}),
    "ensemble, fuse": Case(options={"strategy": "ensemble", "models": [MINI, HAIKU], "method": "fuse"}),
}


class Nursery:
    """A process that forks workers; see `tests.dying_worker`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.dying_worker"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def play(self, **plan: Any) -> bool:
        """Let a worker play the plan; whether it lived to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"lease": LEASE, **plan}) + "\n")
        self._process.stdin.flush()
        done = json.loads(self._process.stdout.readline())
        assert done["code"] in (0, -9), done
        return bool(done["code"] == 0)

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()


@dataclass(slots=True)
class Killing:
    """The kill loop of one case. `is_taken` says which of the sequences longer than one death are played."""

    case: Case
    nursery: Nursery
    env: dict[str, str]
    provider: RunningSimulator
    reader: Orchestrator
    runner: asyncio.Runner
    is_taken: Callable[[], bool]
    expected: Run | None = None
    calls: int = 0  # of a run that nobody kills
    runs: int = 0
    kills: int = 0
    extra: int = 0  # calls more than those, in all runs

    def loop(self, depth: int) -> None:
        """Every death; after it every death of who takes over, to that depth."""
        self.play(())
        assert isinstance(self._last().ended, RunCompleted)
        self._deaths((), depth)

    def _deaths(self, before: tuple[Death, ...], depth: int) -> None:
        for moment in MOMENTS:
            nth, came = 1, True
            while came:
                deaths = (*before, (moment, nth))
                came = self.play(deaths) if not before or self.is_taken() else nth < 4
                if came and len(deaths) < depth:
                    self._deaths(deaths, depth)
                nth += 1

    def play(self, deaths: tuple[Death, ...]) -> bool:
        """A run with these deaths, resumed until it ends; whether the last of them came."""
        asked = self.provider.calls
        self.provider.clear()
        if self.case.fault is not None:
            self.provider.fail(self.case.fault, retry_after="0")
        plan: dict[str, Any] = {"env": self.env, "run": self.case.options}
        in_flight = came = 0
        for death in deaths:
            if self.nursery.play(**plan, **dict([death])):
                break
            came += 1
            run = self._last()
            in_flight += sum(one.status is AttemptStatus.OPEN for one in run.attempts)
            plan = {"env": self.env, "resume": run.id, "wait": True}
            if run.status is not RunStatus.RUNNING:
                break
        if not deaths or self._last().status is RunStatus.RUNNING:
            assert self.nursery.play(**plan)
        self.runs += 1
        self.kills += came
        self._check(deaths, self._last(), self.provider.calls - asked, in_flight)
        return came == len(deaths)

    def _check(self, deaths: tuple[Death, ...], run: Run, calls: int, in_flight: int) -> None:
        if self.expected is None:
            self.expected, self.calls = run, calls
        assert isinstance(run.ended, RunCompleted), (deaths, run.ended)
        assert isinstance(self.expected.ended, RunCompleted)
        assert run.ended.stop_reason is self.expected.ended.stop_reason, deaths
        assert run.ended.confidence == self.expected.ended.confidence, deaths
        assert _accepted(run) == _accepted(self.expected), deaths
        assert _answered(run) == _answered(self.expected), deaths
        assert calls <= self.calls + in_flight, (deaths, calls, in_flight)
        self.extra += max(0, calls - self.calls)

    def _last(self) -> Run:
        async def last() -> Run:
            store = self.reader.store
            return (await load_run(self.reader.log, await find_run(store, "last"))).run

        return self.runner.run(last())


def _answered(run: Run) -> list[int]:
    """The calls of the plan that were answered, each as often as it was."""
    return sorted(one.started.call for one in run.attempts if one.status is AttemptStatus.ANSWERED)


def _accepted(run: Run) -> int | None:
    """The call of the plan whose answer the run ended with."""
    number = run.ended.attempt if isinstance(run.ended, RunCompleted) else None
    return None if number is None else run.attempt(number).started.call


@contextmanager
def killing(
    name: str, nursery: Nursery, url: str, folder: Path, *, is_taken: Callable[[], bool] = lambda: True
) -> Iterator[Killing]:
    """The kill loop of a case; afterwards nothing is left open, and the log is sound."""
    with running_simulator() as provider, asyncio.Runner() as runner:
        env = environment(url, folder, provider)
        reader = Orchestrator(Settings.load(env=env))
        try:
            yield Killing(CASES[name], nursery, env, provider, reader, runner, is_taken)
            found = runner.run(survey(reader.store))
            assert not found.running
            assert not found.open_attempts
            assert runner.run(verify_log(reader.store)) == []
        finally:
            runner.run(reader.aclose())


def main() -> None:
    """Print a line a case and database; an assertion fails where a guarantee does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.kills", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--depth", type=int, default=2, help="deaths of one run")
    parser.add_argument("--share", type=float, default=1.0, help="of the sequences of more than one death")
    given = parser.parse_args()
    print(f"{'':32}{'runs':>8}{'kills':>8}{'calls of an unkilled run':>28}{'more, in all':>14}")
    nursery = Nursery()
    for kind in ("sqlite", "postgres") if given.database == "both" else (given.database,):
        for name in CASES:
            random = Random(given.seed)

            def is_taken(random: Random = random) -> bool:
                return bool(random.random() < given.share)

            with (
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
                database_url(kind, Path(folder)) as url,
                killing(name, nursery, url, Path(folder), is_taken=is_taken) as one,
            ):
                one.loop(given.depth)
            print(f"{kind + ', ' + name:32}{one.runs:>8}{one.kills:>8}{one.calls:>28}{one.extra:>14}", flush=True)
    nursery.close()


if __name__ == "__main__":
    main()
