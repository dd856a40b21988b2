"""One gateway in one round: started alone on its core, put under every load, stopped."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from .gateways import Gateway, Upstreams
from .load import SLOW, Case, Load, loaded
from .processes import GATEWAY_CORE, cpu_seconds, memory_mb, started

LONE, MANY = Case(name="c1", clients=1), Case(name="c64", clients=64)
WAITING = Case(name="50 ms c64", clients=64, model=SLOW)
STREAMS = Case(name="SSE c16", clients=16, streamed=True)
CASES = (LONE, MANY, WAITING, STREAMS)
WARM_UP, WARM_UP_SECONDS = Case(name="warm-up", clients=16), 2
START = 90.0  # seconds until a gateway is given up


@dataclass(slots=True, kw_only=True)
class Measured:
    """What one round showed of a gateway; what was not measured is missing."""

    start_seconds: float | None = None  # until its first answer
    idle_mb: float | None = None  # once that answer was given
    loaded_mb: float | None = None  # at the end
    loads: dict[str, Load] = field(default_factory=dict)  # by case
    cpu_us: dict[str, float] = field(default_factory=dict)  # of a request, by case


class NotStarted(Exception):
    """A gateway gave no answer."""


def measure(gateway: Gateway, upstreams: Upstreams, scratch: Path, seconds: int) -> Measured:
    """A whole round of it. Raises NotStarted."""
    if gateway.command is None:
        loads = {case.name: loaded(upstreams.of(case.model), case, {}, seconds) for case in CASES}
        return Measured(loads=loads)
    with TemporaryDirectory(dir=scratch) as folder, open(Path(folder) / "output", "w+", encoding="utf-8") as output:
        port = free_port()
        command = gateway.command(Path(folder), port)
        began = time.monotonic()
        with started(command, GATEWAY_CORE, output=output, environment=gateway.environment) as process:
            address = f"http://127.0.0.1:{port}"
            _await_answer(address, gateway, process, Path(folder) / "output")
            found = Measured(start_seconds=time.monotonic() - began, idle_mb=memory_mb(process.pid))
            loaded(address, WARM_UP, gateway.headers(WARM_UP.model), WARM_UP_SECONDS)
            for case in CASES:
                before = cpu_seconds(process.pid)
                load = found.loads[case.name] = loaded(address, case, gateway.headers(case.model), seconds)
                found.cpu_us[case.name] = (cpu_seconds(process.pid) - before) / max(1, load.requests) * 1e6
            found.loaded_mb = memory_mb(process.pid)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def status_of(address: str, body: str, headers: Mapping[str, str]) -> int:
    """Of one request; 0 where nobody listens."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=START)
    try:
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json", **headers})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _await_answer(address: str, gateway: Gateway, process: subprocess.Popen[str], output: Path) -> None:
    ends = time.monotonic() + START
    while (status := status_of(address, LONE.body, gateway.headers(LONE.model))) != 200:
        if process.poll() is not None or time.monotonic() > ends:
            said = output.read_text(encoding="utf-8", errors="replace")[-500:]
            raise NotStarted(f"{gateway.name} does not answer (status {status}, ended {process.poll()}): {said}")
        time.sleep(0.01)
