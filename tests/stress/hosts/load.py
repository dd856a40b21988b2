"""The load with its faults: clients, readers and the timeline, and what everybody's books say afterwards."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from model_orchestrator.application.leasing import LEASE
from model_orchestrator.domain.budget import NOTHING, total
from model_orchestrator.domain.run import Attempt
from model_orchestrator.domain.units import MILLION, Usd, plain
from tests.stress.worker import SONNET

from .books import Books, answered, day_of, read_books, started_at, total_of
from .checks import Row, rows, taken_over
from .clocks import SKEW, Clock
from .cluster import Cluster, cluster
from .network import Network
from .processes import end
from .readers import seen_of
from .timeline import MIDNIGHT, SECONDS, SKEWED, Timeline

NUMBERS = {"steady": 14, "twins": 2, "poor": 2, "daily": 2, "limited": 5, "hasty": 4}  # of clients
WORTH = Usd("1000")  # the budget of everybody, never reached
LIMITS = {"poor": Usd("0.001"), "daily": Usd("0.02")}
PATIENCE = 100.0  # seconds that a client goes on asking: more than a lease
RESUME = ("runs", "resume", "--all", "--json")
CATCH_UP = 30.0  # seconds that a reader has to come to the log's end
START = 15.0  # seconds until the load begins, about
KEYS = {
    **dict.fromkeys(("steady", "twins", "daily", "limited"), ()),
    "poor": ("--budget", f"{plain(LIMITS['poor'])}/total"),
    "hasty": ("--rpm", "60"),
    "reader": ("--scope", "read,admin"),
}


def load(net: Network, folder: Path, seed: str) -> list[Row]:
    """One round on an empty database; the rows of its table."""
    clock = Clock.with_midnight_in(START + MIDNIGHT, folder)
    provider = {"latency": 0.15, "faults": 0.05, "seed": seed}
    with cluster(net, folder, clock=clock, skewed={SKEWED: SKEW}, provider=provider) as one:
        command = one.services.command
        one.serve(KEYS)
        command("clients", "budgets", "set", "global", plain(WORTH), "--period", "total")
        command("clients", "budgets", "set", f"model:{SONNET}", plain(LIMITS["daily"]), "--period", "day")
        readers = {kind: _reader(one, kind) for kind in ("store", "stream")}
        unwell = _play(one, seed)
        _resume(one)
        books = asyncio.run(read_books(one.local_url, one.folder, WORTH, ahead=clock.ahead))
        seen = {f"a reader of the {kind}": _read_by(one, kind, reader, books) for kind, reader in readers.items()}
        return [*rows(books, LIMITS), taken_over(books, unwell), *_days(one, books), *_log(one, books, seen)]


def _reader(one: Cluster, kind: str) -> subprocess.Popen[bytes]:
    plan = json.dumps({"url": one.url, "token": one.tokens["reader"]})
    report = str(one.folder / f"{kind}.seen")
    return one.all_.python("clients", "tests.stress.hosts.readers", kind, report, plan, name=f"reader-{kind}")


def _play(one: Cluster, seed: str) -> dict[str, list[tuple[float, float]]]:
    """The clients' time, with what happens to the hosts; by host, when it was unwell."""
    plan = {"seconds": SECONDS, "patience": PATIENCE, "seed": seed, "tokens": one.tokens, "numbers": NUMBERS}
    clients = one.all_.python(
        "clients", "tests.stress.hosts.clients", str(one.folder / "clients.jsonl"), json.dumps(plan),
        name="clients",
    )  # fmt: skip
    timeline = Timeline(one.net, one.services, one.postgres)
    timeline.play()
    if (code := clients.wait(SECONDS + PATIENCE)) != 0:
        raise RuntimeError(f"the clients ended with {code}: {one.all_.said('clients')[-2000:]}")
    return timeline.unwell()


def _resume(one: Cluster) -> None:
    """`runs resume --all` on a host, until no lease of a dead worker is left."""
    deadline = time.monotonic() + 2 * LEASE / MILLION
    while any(found["status"] == "left_alone" for found in json.loads(one.services.command("h1", *RESUME))):
        if time.monotonic() > deadline:
            break  # the table says what is left
        time.sleep(1.0)


def _read_by(one: Cluster, kind: str, reader: subprocess.Popen[bytes], books: Books) -> Sequence[tuple[int, str]]:
    """What the reader has seen, once it is at the log's end or has had its time."""
    report, deadline = one.folder / f"{kind}.seen", time.monotonic() + CATCH_UP
    while len(seen := seen_of(report)) < books.head and time.monotonic() < deadline:
        time.sleep(0.2)
    end(reader)
    return seen


def _log(one: Cluster, books: Books, seen: Mapping[str, Sequence[tuple[int, str]]]) -> Iterator[Row]:
    """The log has every position once, verifies, and live readers saw just that."""
    found = json.loads(one.services.tried("h3", "audit", "verify", "--json").stdout)
    wrong = len(found["problems"])
    whole = len(books.event_ids) == books.head == found["events"]
    yield Row("the log is gapless and verifies", f"{books.head:,} positions, {wrong} problems", whole and not wrong)
    expected = list(enumerate(books.event_ids, start=1))
    for name, entries in seen.items():
        missed = len(set(expected) - set(entries))
        again = len(entries) - len(set(entries))
        counted = f"{len(entries):,} seen, {missed} missed, {again} seen twice"
        yield Row(f"{name} sees each position once, in order", counted, list(entries) == expected)


def _days(one: Cluster, books: Books) -> Iterator[Row]:
    """Each day's report is what the provider billed for the answers of the runs that the database began on it."""
    bills = {call.request_id: call.billed for call in books.calls if call.billed is not None}
    expected: dict[str, Usd] = {}
    ahead = 0
    for run in books.runs.values():
        day = day_of(started_at(run))
        ahead += day_of(run.events[0].envelope.occurred_at) != day
        mine = [_price(attempt, bills.get(call.provider_request_id or "", NOTHING)) for attempt, call in answered(run)]
        expected[day] = total((expected.get(day, NOTHING), *mine))
    reported = {
        day: total_of(one.services.command(SKEWED, "costs", "report", "--since", day, "--until", day, "--json"))
        for day in expected
    }
    counted = ", ".join(
        f"${plain(amount)} of ${plain(expected[day])} on {day}" for day, amount in sorted(reported.items())
    )
    yield Row(
        "spend lands on the right day",
        f"{counted}; {ahead} runs began on a host that was a day ahead",
        reported == expected and len(expected) == 2 and ahead > 0,
    )


def _price(attempt: Attempt, bill: Usd) -> Usd:
    """What the provider billed, or the bound at which an answer settles that did not say what it used."""
    cost = attempt.cost
    return cost.amount if cost is not None and cost.estimated and cost.amount is not None else bill
