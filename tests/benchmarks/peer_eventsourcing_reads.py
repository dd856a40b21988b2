# mypy: ignore-errors
"""How fast the `eventsourcing` library reads its own log and maps it: events a second, by clock and processor time.

Run by its own Python, where nothing of ours is installed: `.venv/peers/eventsourcing/bin/python FILE [EVENTS]`. SQLite,
aggregates of 8 events with payloads of about 400 bytes, pages of 1,000, one process; the best of three walks.
"""

import os
import random
import sys
import tempfile
import time
from importlib.metadata import version

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

PAGE, OF_ONE = 1000, 8


class Run(Aggregate):
    """A run that calls a model a few times."""

    def __init__(self) -> None:
        self.cost = 0

    @event("ModelCalled")
    def called(self, payload: dict) -> None:
        self.cost += payload["cost_microusd"]


def payload(number: int) -> dict:
    drawn = random.Random(number)
    return {
        "run_id": f"run-{number:08d}",
        "step": number,
        "at": "2026-11-24T13:20:35.123456Z",
        "model": "anthropic/claude-sonnet",
        "provider": "anthropic",
        "prompt_tokens": drawn.randrange(50, 4000),
        "completion_tokens": drawn.randrange(10, 1500),
        "latency_ms": round(drawn.random() * 4000, 3),
        "cost_microusd": drawn.randrange(10, 90000),
        "confidence": round(drawn.random(), 4),
        "escalated": number % 7 == 0,
        "route": {"policy": "cascade", "tier": number % 3, "reason": "confidence below threshold 0.72"},
        "request_sha256": f"{drawn.getrandbits(256):064x}",
    }


def walk(app: Application) -> int:
    last = 0
    while notes := app.recorder.select_notifications(last + 1, PAGE):
        for note in notes:
            app.mapper.to_domain_event(note)
        last = notes[-1].id
    return last


def main(events: int = 40_000) -> None:
    payloads = [payload(number) for number in range(OF_ONE)]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        path = os.path.join(folder, "peer.db")
        app = Application(env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": path})
        runs = [Run() for _ in range(events // OF_ONE)]
        for run in runs:
            for one in payloads[1:]:
                run.called(one)
        app.save(*runs)
        taken = []
        for _ in range(3):
            began, spent = time.perf_counter(), time.process_time()
            walked = walk(app)
            taken.append((time.perf_counter() - began, time.process_time() - spent))
        app.close()
    print(version("eventsourcing"), *(walked / min(some) for some in zip(*taken, strict=True)))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
