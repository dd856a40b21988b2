"""What the hosts carry, measured on a cluster without faults: requests, the head of the log, and bytes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks.gateway.load import SCRIPT, Case
from tests.benchmarks.gateway.upstream import compiled

from .balancer import balance
from .clocks import Clock
from .cluster import Cluster, cluster
from .network import Network, inside
from .processes import PYTHON_PATH, ROOT, bare_environment, end
from .services import keys, until_ready

SECONDS = 6  # of each load
CLIENTS = 48
CALLERS = 64  # of a process that appends
PROVIDER_PORT = 9000
LAYOUTS = {1: {"h1": 1}, 2: {"h1": 1, "h2": 1}, 4: {"h1": 2, "h2": 2}}  # workers a host
APPENDERS = (1, 2, 4)
TICKS = os.sysconf("SC_CLK_TCK")
_APPENDING = "state = 'active' AND query LIKE '%append_events%'"
_UNDER_WAY = f"""SELECT count(*) FILTER (WHERE {_APPENDING}),
count(*) FILTER (WHERE {_APPENDING} AND wait_event_type = 'Lock'), count(*)
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_SIZES = """SELECT n.nspname || '.' || c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('log', 'views') AND c.relkind = 'r' ORDER BY pg_total_relation_size(c.oid) DESC"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Looks at the server while it worked."""

    looks: int
    appends: int  # under way, all looks together
    waiting: int  # of these, for the head
    connections: int  # at most

    def __str__(self) -> str:
        busy, queue = (self.appends - self.waiting) / max(1, self.looks), self.waiting / max(1, self.looks)
        return f"the head was held {busy:.0%} of the time, {queue:.1f} waited for it, {self.connections} connections"


def measure(net: Network, folder: Path) -> list[str]:
    """Lines of figures."""
    calm = {"latency": 0.0, "faults": 0.0, "seed": "1"}
    with cluster(net, folder, clock=Clock(0, Path()), skewed={}, provider=calm) as one:
        here = f"http://127.0.0.1:{PROVIDER_PORT}"
        one.services.env = {**one.services.env, "OPENAI_BASE_URL": f"{here}/v1", "ANTHROPIC_BASE_URL": here}
        _providers(one, compiled(folder))
        one.tokens = keys(one.services, {"load": ()})
        balance(one.all_, one.folder)
        lines = [_requests(one, workers) for workers in LAYOUTS]
        lines += _sizes(one)
        return lines + [_appends(one, count) for count in APPENDERS]


def _providers(one: Cluster, program: Path) -> None:
    """One on each host's own address, never the bottleneck."""
    for host in LAYOUTS[4]:
        one.all_.start(host, [str(program), "--port", str(PROVIDER_PORT)], name=f"provider-{host}")


def _requests(one: Cluster, workers: int) -> str:
    """Requests a second through the balancer, and what one costs in processor time."""
    layout = LAYOUTS[workers]
    for host, count in layout.items():
        one.services.start(host, workers=count)
    until_ready(list(layout))
    time.sleep(2.0)  # the balancer looks twice a second, and believes the second look
    _wrk(one, 1)
    before = _spent(one, layout)
    requests, errors, seen = _wrk(one, SECONDS)
    after = _spent(one, layout)
    for host in layout:
        end(one.services.running[host])
    service, server = (1000 * (then - now) / max(1, requests) for now, then in zip(before, after, strict=True))
    return (
        f"{workers} workers on {len(layout)} hosts: {requests / SECONDS:,.0f} requests/s, {errors} errors; "
        f"a request takes {service:.2f} ms of their processors and {server:.2f} ms of PostgreSQL's; {seen}; "
        f"load {os.getloadavg()[0]:.1f}"
    )


def _wrk(one: Cluster, seconds: int) -> tuple[int, int, Seen]:
    case = Case(name="hosts", clients=CLIENTS)
    sent = {"BODY": case.body, "HEADERS": f"authorization: Bearer {one.tokens['load']}"}
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
    address = f"{one.net.address('balancer')}/v1/chat/completions"
    with subprocess.Popen(
        inside("clients", [*command, address]), env={**os.environ, **sent}, stdout=subprocess.PIPE, text=True
    ) as running:
        seen = _watched(one, running)
        assert running.stdout is not None
        found = re.search(r"^LOAD (.*)$", running.stdout.read(), re.MULTILINE)
    if found is None:
        raise RuntimeError("wrk said nothing")
    said = json.loads(found[1])
    return int(said["requests"]), int(said["errors"]), seen


def _watched(one: Cluster, *running: subprocess.Popen[Any]) -> Seen:
    """Look at the server until these processes have ended."""
    seen = Seen(0, 0, 0, 0)
    with psycopg.connect(one.local_url, autocommit=True, application_name="looking") as connection:
        while any(process.poll() is None for process in running):
            ((appends, waiting, most),) = connection.execute(_UNDER_WAY.encode()).fetchall()
            seen = Seen(seen.looks + 1, seen.appends + appends, seen.waiting + waiting, max(seen.connections, most))
            time.sleep(0.02)
    return seen


def _appends(one: Cluster, count: int) -> str:
    """Appends a second of so many processes that do nothing else, on the database's own host."""
    before = _spent(one, ())[1]
    words = ["-m", "tests.stress.hosts.appender", one.url, str(SECONDS), str(CALLERS)]
    env = bare_environment() | {"PYTHONPATH": PYTHON_PATH}
    running = [
        subprocess.Popen(inside("db", [sys.executable, *words]), cwd=ROOT, env=env, stdout=subprocess.PIPE)
        for _ in range(count)
    ]
    seen = _watched(one, *running)
    done = sum(int(process.communicate()[0]) for process in running)
    server = 1e6 * (_spent(one, ())[1] - before) / max(1, done)
    return (
        f"{count} processes that only append: {done / SECONDS:,.0f} appends/s of 5 events; "
        f"an append takes {server:.0f} us of PostgreSQL's processors; {seen}; load {os.getloadavg()[0]:.1f}"
    )


def _spent(one: Cluster, hosts: Iterable[str]) -> tuple[float, float]:
    """Seconds of processor time of these hosts' services, and of PostgreSQL."""
    service = sum(_family(one.services.running[host].pid) for host in hosts)
    return service, _family(one.postgres.pid)


def _family(pid: int) -> float:
    """A process, its living children, and those it has waited for."""
    fields = [int(one) for one in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(fields) / TICKS + sum(_own(int(child)) for child in children)


def _own(pid: int) -> float:
    try:
        return sum(int(one) for one in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]) / TICKS
    except (FileNotFoundError, ProcessLookupError):  # it ended just now
        return 0.0


def _sizes(one: Cluster) -> Iterator[str]:
    """Bytes an event and a run, table by table, once the read models are folded."""
    one.services.command("h1", "costs", "report", "--json")
    with psycopg.connect(one.local_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        ((events, runs),) = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE type = 'RunStarted') FROM log.events"
        ).fetchall()
        sizes = connection.execute(_SIZES).fetchall()
    yield f"{events:,} events of {runs:,} runs, {events / runs:.1f} a run; bytes of tables and of their indexes a run:"
    for name, table, indexes in sizes:
        if table + indexes > runs:
            yield f"  {name:<40} {table / runs:8,.0f} {indexes / runs:8,.0f}"
    for schema in ("log", "views"):
        whole = sum(table + indexes for name, table, indexes in sizes if name.startswith(schema))
        yield f"  all of {schema:<33} {whole / runs:8,.0f} a run, {whole / events:,.0f} an event"
