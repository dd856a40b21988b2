"""A rolling deploy: a release with one more event type replaces this one, host by host, then `db finalize`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from .checks import Row, clients_hear
from .clients import asked_of
from .clocks import Clock
from .cluster import DATABASE, Cluster, cluster
from .network import HOSTS, Network, inside
from .next_release import NEW, next_release
from .processes import PYTHON_PATH, end
from .services import until_ready

BESIDE = 3.0  # seconds that old and new hosts serve side by side, and of load after the last step
SECONDS = 600.0  # that the clients would ask if nobody ended them
PATIENCE = 60.0
OLD = HOSTS[0]  # on which a worker of the old release comes back too late


@dataclass(slots=True)
class Deploy:
    """The cluster, and where the next release is."""

    one: Cluster
    folder: Path
    path: str

    def replace(self, host: str) -> None:
        """End the old service of a host in good order, and start the new one."""
        end(self.one.services.running[host])
        self.one.services.start(host, path=self.path, cwd=self.folder)
        until_ready([host])

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One of the new release's commands, by the role that owns the tables."""
        owner = self.one.postgres.url(DATABASE)
        return self.one.services.tried("clients", *words, "--database", owner, path=self.path, cwd=self.folder)

    def count(self, type_: str, after: int = 0) -> int:
        """Events of a type behind a position."""
        return int(self.rows("SELECT count(*) FROM log.events WHERE type = %s AND position > %s", type_, after)[0][0])

    def head(self) -> int:
        """The last position."""
        return int(self.rows("SELECT position FROM log.log_head")[0][0])

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Of the database."""
        with psycopg.connect(self.one.local_url) as connection:
            return connection.execute(query.encode(), values).fetchall()


def deploy(net: Network, folder: Path, seed: str) -> list[Row]:
    """On an empty database; its rows of the table."""
    provider = {"latency": 0.05, "faults": 0.05, "seed": seed}
    with cluster(net, folder, clock=Clock(0, folder), skewed={}, provider=provider) as one:
        one.serve({"steady": ()})
        work = Deploy(one, folder / "next", os.pathsep.join((next_release(folder / "next"), PYTHON_PATH)))
        report, tokens = folder / "clients.jsonl", one.tokens
        plan = {"seconds": SECONDS, "patience": PATIENCE, "seed": seed, "tokens": tokens, "numbers": {"steady": 8}}
        words = ("tests.stress.hosts.clients", str(report), json.dumps(plan))
        clients = one.all_.python("clients", *words, name="clients")
        found = list(_rolled(work))
        if (code := end(clients)) != 0:
            raise RuntimeError(f"the clients ended with {code}: {one.all_.said('clients')[-2000:]}")
        return [*found, *clients_hear(asked_of(report)), _straggler(work), _verified(work)]


def _rolled(work: Deploy) -> Iterator[Row]:
    """Host by host, then for good."""
    start = work.head()
    time.sleep(BESIDE)
    work.replace(HOSTS[0])
    time.sleep(BESIDE)
    refused = work.command("db", "finalize")
    for host in HOSTS[1:]:
        work.replace(host)
    time.sleep(BESIDE)
    runs, new = work.count("RunStarted", start), work.count(NEW)
    yield Row(
        "old and new workers write what both can read",
        f"{runs:,} runs until all hosts were new, {new} events of the new type",
        runs > 0 and new == 0,
    )
    said = refused.stderr.strip().splitlines()[-1:] or [""]
    waits = refused.returncode != 0 and "older release are connected" in said[0]
    yield Row("`db finalize` waits for the old workers", f"exit {refused.returncode}, {said[0][:110]}...", waits)
    done, final = work.command("db", "finalize"), work.head()
    time.sleep(BESIDE + BESIDE)
    runs, new = work.count("RunStarted", final), work.count(NEW, final)
    yield Row(
        "from then on the new type is written, without a restart",
        f"{done.stderr.strip()[-40:]}; {new:,} in {runs:,} runs",
        done.returncode == 0 and new > 0,
    )


def _straggler(work: Deploy) -> Row:
    """A worker of the old release that comes back: it serves, and refuses only the streams that it cannot fold."""
    one = work.one
    end(one.services.running[OLD])
    one.services.start(OLD)
    until_ready([OLD])
    ((theirs,),) = work.rows("SELECT stream FROM log.events WHERE type = %s ORDER BY position DESC LIMIT 1", NEW)
    ((ours,),) = work.rows("SELECT stream FROM log.events WHERE type = 'RunStarted' ORDER BY position LIMIT 1")
    codes = {
        "an old run": one.services.tried(OLD, "runs", "show", str(ours)).returncode,
        "a new run": one.services.tried(OLD, "runs", "show", str(theirs)).returncode,
        "resuming all": one.services.tried(OLD, "runs", "resume", "--all").returncode,
    }
    statuses = [_status(work, number) for number in range(5)]
    return Row(
        "an old worker refuses only streams that it cannot fold",
        ", ".join(f"{what}: exit {code}" for what, code in codes.items()) + f"; new requests: {statuses}",
        list(codes.values()) == [0, 1, 0] and 200 in statuses,
    )


def _status(work: Deploy, number: int) -> int:
    """Of a request to the old worker."""
    prompt = f"[straggler-{number}] What is 3 * 4?"
    body = {"model": "gpt-4o-mini", "max_tokens": 60, "messages": [{"role": "user", "content": prompt}]}
    headers = (f"authorization: Bearer {work.one.tokens['steady']}", "content-type: application/json")
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "60", "-d", json.dumps(body)]
    words += [word for header in headers for word in ("-H", header)]
    command = inside("clients", [*words, f"{work.one.net.address(OLD)}/v1/chat/completions"])
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _verified(work: Deploy) -> Row:
    done = work.command("audit", "verify", "--json")
    wrong = json.loads(done.stdout)["problems"] if done.stdout else [done.stderr]
    return Row("the log verifies with what both wrote", f"{work.head():,} positions, {len(wrong)} problems", not wrong)
