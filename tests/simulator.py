"""A loopback server for tests: both vendors' protocols, faults on demand, counted calls."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from model_orchestrator.infrastructure.simulate.faults import Fault
from model_orchestrator.infrastructure.simulate.server import Simulator, SimulatorOptions, serving


class RunningSimulator:
    """The address of a server that runs in a thread of this process, and its control side."""

    def __init__(self, address: str, simulator: Simulator) -> None:
        self.address = address
        self.openai_url = f"{address}/v1"
        self.anthropic_url = address
        self._simulator = simulator

    def fail(self, fault: Fault, *, count: int = 1, model: str | None = None, retry_after: str | None = None) -> None:
        """Let the next `count` calls (of one model) meet `fault`."""
        self.post("/faults", {"fault": fault.value, "count": count, "model": model, "retry_after": retry_after})

    def clear(self) -> None:
        """Forget the faults that did not come."""
        self._simulator.faults.clear()

    def stats(self) -> Any:
        """What `GET /stats` shows."""
        with urllib.request.urlopen(f"{self.address}/stats", timeout=5) as response:
            return json.load(response)

    @property
    def calls(self) -> int:
        """How many calls came in."""
        count: int = self.stats()["calls"]
        return count

    @property
    def open(self) -> int:
        """How many calls are under way."""
        return self._simulator.calls.open

    def post(self, path: str, body: Any) -> Any:
        """The JSON reply to a JSON body. Raises HTTPError."""
        request = urllib.request.Request(f"{self.address}{path}", data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)


@contextmanager
def running_simulator(options: SimulatorOptions | None = None) -> Iterator[RunningSimulator]:
    """A server on a free port while the block runs."""
    simulator = Simulator(options or SimulatorOptions())
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ready = threading.Event()
    addresses: list[str] = []

    async def serve() -> None:
        async with serving(simulator) as address:
            addresses.append(address)
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    assert addresses, "the simulator did not start"
    try:
        yield RunningSimulator(addresses[0], simulator)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """A server of this test's own."""
    with running_simulator() as running:
        yield running
