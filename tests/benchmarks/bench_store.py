"""How fast an event store makes appends durable here: `python -m tests.benchmarks.bench_store [--peers]`.

Each round runs every case once, in processes of its own and on a new database; the middle of the rounds counts. Prints
the machine and what a bare sync of the same disk costs, because every figure is a multiple of that. With `--peers` the
`eventsourcing` library takes turns with ours, from the environment that `make bench ARGS=--peers` installs; without,
the ratio is to what it did on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .append_load import Load, measured
from .gateway.gateways import PEERS, environment, postgres_databases

SECONDS = 1.5
PEER_SCRIPT = Path(__file__).parent / "peer_eventsourcing_saves.py"
# Saves a second of eventsourcing 9.5 on 2 quiet cores, where it is not measured in the same run (2026-11-24).
NOTED = {("SQLite", 1, 1): 3374.0, ("PostgreSQL", 1, 1): 2101.0, ("PostgreSQL", 8, 1): 2114.0}


@dataclass(frozen=True, slots=True)
class Case:
    """So many callers in each of so many processes, each append so many events."""

    database: str
    processes: int
    callers: int
    events: int
    aim: int | None = None  # appends a second

    @property
    def title(self) -> str:
        """Its name in the table."""
        many = f"{self.processes} processes x {self.callers}" if self.processes > 1 else f"{self.callers} callers"
        return f"{self.database}, {self.events}-event, {'alone' if many == '1 callers' else many}"

    @property
    def peer(self) -> Peer:
        """What the peer does best instead. It has no use for a second SQLite writer."""
        alone = self.database == "SQLite" or self.callers == self.processes == 1
        return self.database, 1 if alone else 8, self.events


CASES = (
    Case("SQLite", 1, 1, 1),
    Case("SQLite", 1, 64, 1, 12_000),
    Case("SQLite", 8, 8, 1),
    Case("PostgreSQL", 1, 1, 1, 1_500),
    Case("PostgreSQL", 1, 64, 1, 12_000),
    Case("PostgreSQL", 8, 8, 1, 8_000),
    Case("SQLite", 1, 1, 4),
    Case("SQLite", 1, 64, 4),
    Case("SQLite", 8, 8, 4),
    Case("PostgreSQL", 1, 1, 4),
    Case("PostgreSQL", 1, 64, 4),
    Case("PostgreSQL", 8, 8, 4),
)

Peer = tuple[str, int, int]  # database, processes, events
Found = dict[Case, list[Load]]  # of each round
Peers = dict[Peer, list[Load]]


def probe_disk(folder: Path) -> None:
    """4 KB written and synced, over and over: the floor of any durable commit."""
    latencies: list[float] = []
    descriptor = os.open(folder / "probe", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(descriptor, bytes(4096 * 256))
    os.fsync(descriptor)
    sync = getattr(os, "fdatasync", os.fsync)
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        begin = time.perf_counter()
        os.pwrite(descriptor, bytes(4096), 4096 * (len(latencies) % 256))
        sync(descriptor)
        latencies.append(time.perf_counter() - begin)
    os.close(descriptor)
    rate = len(latencies) / (time.perf_counter() - began)
    half, most, worst = (1000 * percentile(latencies, share) for share in (0.5, 0.99, 1))
    print(f"disk: write 4 KB + fdatasync {rate:,.0f}/s, p50 {half:.2f} p99 {most:.2f} worst {worst:.2f} ms", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not pass."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(cases: Sequence[Case], rounds: int, peers: bool, folder: Path) -> tuple[Found, Peers]:
    """The rounds of every case, and the peer's saves a second of its own."""
    ours: Found = defaultdict(list)
    theirs: Peers = defaultdict(list)
    with postgres_databases() as new_postgres:
        for number in range(1, rounds + 1):
            for case in cases:
                ours[case].append(_append(case, _new_database(case.database, new_postgres, folder)))
                print(f"round {number}, {case.title}: {ours[case][-1].rate:,.0f}/s; load {_load()}", flush=True)
            for peer in dict.fromkeys(case.peer for case in cases) if peers else ():
                theirs[peer].append(_save(peer, _new_database(peer[0], new_postgres, folder)))
                print(
                    f"round {number}, eventsourcing {peer}: {theirs[peer][-1].rate:,.0f}/s; load {_load()}", flush=True
                )
    return ours, theirs


def _new_database(kind: str, new_postgres: Callable[[Path], str], folder: Path) -> str:
    if kind == "PostgreSQL":
        return new_postgres(folder)
    return f"sqlite:///{tempfile.mkdtemp(dir=folder)}/log.db"


def _append(case: Case, url: str) -> Load:
    words = [url, str(case.callers), str(case.events), str(SECONDS)]
    command = [sys.executable, "-m", "tests.benchmarks.append_load", *words]
    return measured(command, case.processes, environment())


def _save(peer: Peer, url: str) -> Load:
    _, processes, events = peer
    python = str(PEERS / "eventsourcing" / "bin" / "python")
    command = [python, "-P", str(PEER_SCRIPT), _plain(url), str(events), str(SECONDS)]
    return measured(command, processes, environment())


def _plain(url: str) -> str:
    """The database as the peer's program takes it."""
    if url.startswith("sqlite:"):
        return f"{url.removeprefix('sqlite:///')}.peer"
    name, _, folder = url.partition("@/")[2].partition("?host=")
    return f"{folder}:{name}"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def table(ours: Found, theirs: Peers) -> str:
    """Markdown: the middle of the rounds."""
    lines = [
        "| appends | aim | a second | p50 ms | p99 ms | CPU us | eventsourcing saves/s | times |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for case, loads in ours.items():
        rate = statistics.median(load.rate for load in loads)
        half, most = (statistics.median(load.percentile_ms(share) for load in loads) for share in (0.5, 0.99))
        cpu = statistics.median(load.cpu_us for load in loads)
        peer = statistics.median(load.rate for load in theirs[case.peer]) if theirs else NOTED.get(case.peer)
        beside = f"{peer:,.0f} | {rate / peer:.1f}" if peer else "|"
        aim = f"{case.aim:,}" if case.aim else ""
        lines.append(f"| {case.title} | {aim} | {rate:,.0f} | {half:.2f} | {most:.2f} | {cpu:.0f} | {beside} |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the machine, each case as it ends, and the table."""
    from .gateway.__main__ import machine

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_store", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="the eventsourcing library too, as `make` installs it")
    parser.add_argument("--only", default="", help="cases whose title has this in it")
    given = parser.parse_args(arguments)
    cases = [case for case in CASES if given.only in case.title]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as scratch:
        print(machine(), flush=True)
        probe_disk(Path(scratch))
        ours, theirs = measure(cases, given.rounds, given.peers, Path(scratch))
        probe_disk(Path(scratch))
    print(f"\nMedians of {given.rounds} rounds of {SECONDS} s; load {_load()}\n\n{table(ours, theirs)}")


if __name__ == "__main__":
    main(sys.argv[1:])
