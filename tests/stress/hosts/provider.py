"""The provider that all hosts ask, a program of its own: `python -m tests.stress.hosts.provider JOURNAL PLAN`.

It is the simulated one, with faults, and it keeps books: a line of JSON for each call that came in and for each that it
billed, flushed before the answer leaves. PLAN is JSON: `host`, `port`, `latency`, `faults`, `seed`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TextIO

from aiohttp import web

from model_orchestrator.domain.pricing import Usage, cost
from model_orchestrator.domain.units import Usd, plain
from model_orchestrator.infrastructure.simulate.calls import CallHandler
from model_orchestrator.infrastructure.simulate.protocol import Protocol
from model_orchestrator.infrastructure.simulate.server import Simulator, SimulatorOptions, serving
from tests.stress.upstream import MODELS, rates

MARK = re.compile(r"\[(\w+-[\w-]+)\]")  # what a prompt begins with; each question of a client has its own


@dataclass(frozen=True, slots=True)
class Call:
    """What the provider knows of a call."""

    at: float  # seconds since 1970, by the provider's clock
    request_id: str
    mark: str
    model: str  # our name
    billed: Usd | None


class Journal:
    """The books while they are written."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def came(self, request_id: str, mark: str, model: str) -> None:
        """A call came in."""
        self._write({"id": request_id, "at": time.time(), "mark": mark, "model": model})

    def billed(self, request_id: str, model: str, usage: Usage) -> None:
        """A call was billed."""
        card = MODELS[model].price
        assert card is not None, "the seed's models have prices"
        self._write({"id": request_id, "billed": plain(cost(usage, card))})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


class _Watched(CallHandler):
    """Notes each call before it is handled."""

    def __init__(self, journal: Journal, simulator: Simulator, options: SimulatorOptions) -> None:
        super().__init__(
            simulator.stats, simulator.faults, latency=options.latency, hold=options.hold, as_real=options.as_real,
            watch=journal.billed,
        )  # fmt: skip
        self._journal = journal

    async def handle(self, request: web.Request, protocol: Protocol) -> web.StreamResponse:
        body = await request.read()
        found = MARK.search(body.decode(errors="replace"))
        model = MODELS.get(json.loads(body)["model"])
        name = f"req_{self._count + 1:08x}"  # as the handler is about to name it: nothing else runs in between
        self._journal.came(name, found[1] if found else "", model.name if model else "unknown")
        return await super().handle(request, protocol)


def calls_of(journal: Path) -> Iterator[Call]:
    """Every call of the books, in the order they came."""
    calls: dict[str, Call] = {}
    for line in journal.read_text().splitlines():
        one = json.loads(line)
        if "billed" in one:
            calls[one["id"]] = replace(calls[one["id"]], billed=Usd(one["billed"]))
        else:
            calls[one["id"]] = Call(one["at"], one["id"], one["mark"], one["model"], None)
    yield from calls.values()


async def main(journal: Path, plan: dict[str, Any]) -> None:
    with journal.open("a") as file:
        books = Journal(file)
        options = SimulatorOptions(
            latency=plan["latency"], seed=Random(plan["seed"]).getrandbits(32), rates=rates(plan["faults"]),
            as_real=True, hold=2.0,
        )  # fmt: skip
        simulator = Simulator(options)
        simulator.calls = _Watched(books, simulator, options)
        async with serving(simulator, host=plan["host"], port=plan["port"]):
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
