"""A worker that kills itself on the way: `python -m tests.dying_worker PLAN`, with PLAN as JSON.

`run` are the options of a new run (its `prompt` too), or `resume` the id of one, which waits until its last worker's
lease ran out where `wait` is set; `after_append` and `after_answer` say when SIGKILL comes (0: never), `lease` how long
the lease lasts, in seconds, `env` what the environment is to hold.

Without PLAN it reads plans from stdin, a line each, and answers each with a line of JSON, `code` and `said`: each is
played by a fork of a process that has imported everything, which saves the seconds of a start.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
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
        return replace(made, client_for=lambda model: DyingClient(client_for(model), answers), draw=lambda: 0.0)

    orchestrator.store.append = deadly_append  # type: ignore[method-assign, assignment]
    orchestrator._worlds.bounded = deadly_world  # type: ignore[method-assign]
    orchestrator._worlds.lease = Duration(round(plan.get("lease", 0.2) * 1_000_000))


async def until_free(orchestrator: Orchestrator, run_id: str) -> None:
    """Wait until the dead worker's lease ran out."""
    lease = await orchestrator._worlds.opened_leases().holder(run_id)
    if lease is not None:
        await asyncio.sleep(max(0.01, (lease.expires_at - orchestrator.clock.now()) / 1_000_000))
        await until_free(orchestrator, run_id)


async def main(plan: dict[str, Any]) -> None:
    async with Orchestrator() as orchestrator:
        mortal(orchestrator, plan)
        try:
            if "resume" in plan:
                if plan.get("wait"):
                    await until_free(orchestrator, plan["resume"])
                result = await orchestrator.resume(plan["resume"])
            else:
                options = {"prompt": "What is Python?", **plan["run"]}
                result = await orchestrator.run(**options)
            print(result.response)
        except OrchestratorError as error:
            print(f"{error.kind}: {error}")


def played(plan: dict[str, Any]) -> dict[str, Any]:
    """What became of a fork that plays the plan."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(write_end, 1)
            os.environ.update(plan.get("env", {}))
            asyncio.run(main(plan))
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)
    os.close(write_end)
    with os.fdopen(read_end) as said:
        text = said.read()
    return {"code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "said": text.strip()}


def import_everything() -> None:
    """What a first call imports."""
    for module in ("lean_client", "lean_connections"):
        import_module(f"model_orchestrator.infrastructure.providers.{module}")


def serve() -> None:
    """Play the plans of stdin until it ends."""
    import_everything()
    for line in sys.stdin:
        answer = json.dumps(played(json.loads(line)))
        os.write(1, f"{answer}\n".encode())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(json.loads(sys.argv[1])))
    else:
        serve()
