"""A worker that kills itself on the way: `python -m tests.dying_worker PLAN`, with PLAN as JSON.

`run` are the options of a new run, or `resume` the id of one; `after_append` and `after_answer` say when SIGKILL comes
(0: never), `lease` how long the lease lasts, in seconds.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from model_orchestrator.application.ports import Answer, Append, AppendResult, DeltaSink, ModelCall, ModelClient
from model_orchestrator.application.world import World
from model_orchestrator.domain.catalogue import ModelConfig
from model_orchestrator.domain.errors import OrchestratorError
from model_orchestrator.domain.units import Duration
from model_orchestrator.infrastructure.bootstrap import Orchestrator


class Death:
    """Comes at the n-th time; never where n is 0."""

    def __init__(self, at: int) -> None:
        self.left = at

    def come_closer(self) -> None:
        """One more time."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingClient:
    """Gets the answer, and dies before anybody hears of it."""

    def __init__(self, client: ModelClient, death: Death) -> None:
        self._client, self._death = client, death

    async def complete(self, call: ModelCall, sink: DeltaSink | None = None) -> Answer:
        answer = await self._client.complete(call, sink)
        self._death.come_closer()
        return answer

    async def aclose(self) -> None:
        await self._client.aclose()


def mortal(orchestrator: Orchestrator, plan: dict[str, Any]) -> None:
    """Let death come as the plan says."""
    appends, answers = Death(plan.get("after_append", 0)), Death(plan.get("after_answer", 0))
    append, bounded = orchestrator.store.append, orchestrator._worlds.bounded

    async def deadly_append(batch: Append) -> AppendResult:
        result = await append(batch)
        appends.come_closer()
        return result

    def deadly_world(world: World, budgets: Any) -> World:
        made = bounded(world, budgets)
        client_for: Callable[[ModelConfig], ModelClient] = made.client_for
        return replace(made, client_for=lambda model: DyingClient(client_for(model), answers))

    orchestrator.store.append = deadly_append  # type: ignore[method-assign, assignment]
    orchestrator._worlds.bounded = deadly_world  # type: ignore[method-assign]
    orchestrator._worlds.lease = Duration(round(plan.get("lease", 0.2) * 1_000_000))


async def main(plan: dict[str, Any]) -> None:
    async with Orchestrator() as orchestrator:
        mortal(orchestrator, plan)
        try:
            if "resume" in plan:
                result = await orchestrator.resume(plan["resume"])
            else:
                result = await orchestrator.run("What is Python?", **plan["run"])
            print(result.response)
        except OrchestratorError as error:
            print(f"{error.kind}: {error}")


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
