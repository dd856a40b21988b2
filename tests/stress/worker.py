"""A worker under stress: `python -m tests.stress.worker PLAN`, with PLAN as JSON: `seed`, `slots`, `runs`, `lease` (s).

Each slot makes its runs one after the other, whatever becomes of them; all slots run at once. What happened is in the
log, and nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import sys
from random import Random
from typing import Any

from model_orchestrator.domain.errors import ErrorKind, OrchestratorError, RunFailure
from model_orchestrator.domain.units import MILLION, Duration
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from tests.dying_worker import import_everything

OUTPUT = 60  # tokens: what is asked for is short, so that a budget is used up by many calls
MINI, HAIKU, SONNET, OPUS = "gpt-4o-mini", "claude-haiku-3.5", "claude-sonnet-3.5", "claude-opus-3"
KINDS: tuple[dict[str, Any], ...] = (
    {"strategy": "cheapest"},
    {"strategy": "fallback", "chain": [MINI, HAIKU, OPUS], "threshold": 0.5},
    {"strategy": "fallback", "chain": [MINI, HAIKU], "verify": "agreement"},
    {"strategy": "ensemble", "models": [MINI, HAIKU, SONNET]},
    {"strategy": "ensemble", "models": [MINI, HAIKU], "method": "judge", "full_panel": True},
)
WEIGHTS = (6, 2, 1, 1, 1)
PAUSE = (0.1, 1.0)  # seconds until the next run, where a budget had no room: others are about to give some back


def order(random: Random) -> dict[str, Any]:
    """What a run is asked for."""
    options = dict(random.choices(KINDS, WEIGHTS)[0])
    options |= {"max_tokens": OUTPUT, "on_unknown": random.choice(("retry", "fail"))}
    options["timeout"] = 1.0 if random.random() < 0.05 else 30.0
    if random.random() < 0.2:
        options["max_cost"] = random.choice(("0.0001", "0.001", "0.01"))
    return options


def prompt(random: Random) -> str:
    """A short question with a short answer."""
    return f"What is {random.randint(2, 999)} * {random.randint(2, 999)}?"


async def slot(orchestrator: Orchestrator, random: Random, runs: int) -> None:
    """The runs of one slot; some are cancelled from outside."""
    await asyncio.sleep(random.uniform(*PAUSE))
    for _ in range(runs):
        asked = asyncio.create_task(orchestrator.run(prompt(random), **order(random)))
        patience = random.uniform(0.0, 0.2) if random.random() < 0.1 else None
        try:
            await asyncio.wait([asked], timeout=patience)
            asked.cancel()
            await asked
        except RunFailure as error:
            if error.kind is ErrorKind.BUDGET:
                await asyncio.sleep(random.uniform(*PAUSE))
        except (OrchestratorError, asyncio.CancelledError):
            pass


async def main(plan: dict[str, Any]) -> None:
    import_everything()  # else the first runs hold the budget for seconds, and all others are refused
    async with Orchestrator() as orchestrator:
        orchestrator._worlds.lease = Duration(round(plan["lease"] * MILLION))
        randoms = (Random(f"{plan['seed']}:{number}") for number in range(plan["slots"]))
        await asyncio.gather(*(slot(orchestrator, random, plan["runs"]) for random in randoms))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
