"""What happens to the hosts while clients ask, in order of time."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from model_orchestrator.application.leasing import LEASE
from model_orchestrator.domain.units import MILLION
from model_orchestrator.infrastructure.store.postgres_writer import PATIENCE

from .network import Network
from .postgres import HostedPostgres
from .processes import kill, send
from .services import Services

SECONDS = 135.0  # of the load
MIDNIGHT = 76.0  # seconds after its beginning, while one host stands still
SKEWED = "h2"  # whose clock is wrong
SLACK = 8.0  # seconds, of a machine that has other work


@dataclass(slots=True)
class Timeline:
    """Does it; `done` says when, in seconds since 1970 by the machine's clock."""

    net: Network
    services: Services
    postgres: HostedPostgres
    done: dict[str, float] = field(default_factory=dict)

    def play(self) -> None:
        """All of it; returns when the last step is done."""
        steps: tuple[tuple[float, str, Callable[[], None]], ...] = (
            (8, "h1 is cut off", lambda: self.net.cut("h1")),
            (20, "h2 is killed", lambda: kill(self.services.running["h2"])),
            (23, "h2 starts again", lambda: self.services.start("h2")),
            (48, "h1 is healed", lambda: self.net.heal("h1")),
            (62, "h3 stands still", lambda: send(self.services.running["h3"], signal.SIGSTOP)),
            (84, "a worker of h1 is killed", self._kill_a_worker),
            (100, "h3 wakes", lambda: send(self.services.running["h3"], signal.SIGCONT)),
            (108, "PostgreSQL is restarted", self._restart),
            (120, "PostgreSQL is killed", self._crash),
        )
        began = time.monotonic()
        for at, name, do in steps:
            time.sleep(max(0.0, began + at - time.monotonic()))
            self.done[name] = time.time()
            do()
            print(f"{at:5.0f} s  {name}", file=sys.stderr, flush=True)

    def unwell(self) -> dict[str, list[tuple[float, float]]]:
        """By host, when its runs may be taken from it: from an event until the leases of before it are over.

        By the machine's clock. Without its database every host is unwell, and appends go on trying for a while.
        """
        lease, patience = LEASE / MILLION + SLACK, PATIENCE + SLACK
        anywhere = (self.done["PostgreSQL is restarted"], self.done["PostgreSQL is killed"] + patience + lease)
        at = self.done
        return {
            "h1": [
                (at["h1 is cut off"], at["h1 is healed"] + lease),
                (at["a worker of h1 is killed"], at["a worker of h1 is killed"] + lease),
                anywhere,
            ],
            "h2": [(at["h2 is killed"], at["h2 starts again"] + lease), anywhere],
            "h3": [(at["h3 stands still"], at["h3 wakes"] + lease), anywhere],
        }

    def _kill_a_worker(self) -> None:
        """Its parent starts another."""
        os.kill(self.services.workers("h1")[-1], signal.SIGKILL)

    def _restart(self) -> None:
        self.postgres.stop()
        self.postgres.start()

    def _crash(self) -> None:
        self.postgres.crash()
        self.postgres.start()
