"""The peer's saves, as `append_load` measures ours: `peer_eventsourcing_saves.py DATABASE EVENTS SECONDS`, by itself.

It runs in the peer's own environment. DATABASE is a SQLite file, or SOCKET_FOLDER:NAME of a PostgreSQL. The library
has no asynchronous form: each process saves one aggregate after the other.
"""

from __future__ import annotations

import json
import sys
import time

from eventsourcing.application import Application  # type: ignore[import-not-found]
from eventsourcing.domain import Aggregate, event  # type: ignore[import-not-found]

FILLER = "x" * 400


class Run(Aggregate):  # type: ignore[misc]
    """As many events as it is told, with as much text each as ours."""

    @event("Started")  # type: ignore[untyped-decorator]
    def __init__(self, filler: str) -> None:
        self.filler = filler

    @event("Called")  # type: ignore[untyped-decorator]
    def call(self, filler: str) -> None:
        self.filler = filler


def application(database: str) -> Application:
    """The library's application on the database, durable as it is by default."""
    folder, _, name = database.rpartition(":")
    if not folder:
        return Application(env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": database})
    postgres = {"DBNAME": name, "HOST": folder, "PORT": "5432", "USER": "postgres", "PASSWORD": "none"}
    named = {f"POSTGRES_{key}": value for key, value in postgres.items()}
    return Application(env={"PERSISTENCE_MODULE": "eventsourcing.postgres", **named})


def save(app: Application, events: int) -> None:
    """One aggregate with so many events, in one transaction."""
    run = Run(filler=FILLER)
    for _ in range(events - 1):
        run.call(filler=FILLER)
    app.save(run)


def main(database: str, events: str, seconds: str) -> None:
    """Save, and print the figures."""
    app, count, latencies = application(database), int(events), []
    save(app, count)
    print("ready", flush=True)
    sys.stdin.readline()
    began, cpu = time.perf_counter(), time.process_time()
    while (begin := time.perf_counter()) - began < float(seconds):
        save(app, count)
        latencies.append(round(1e6 * (time.perf_counter() - begin)))
    took, busy = time.perf_counter() - began, time.process_time() - cpu
    app.close()
    print(json.dumps({"seconds": took, "cpu_seconds": busy, "latencies": latencies}))


if __name__ == "__main__":
    main(*sys.argv[1:])
