"""What the log, the provider and the clients each say of the same runs, brought together for the checks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from model_orchestrator.application.attempts import recalled
from model_orchestrator.application.ports import Balance, LoggedEvent
from model_orchestrator.application.runs import PAGE, RUN_PREFIX, LoggedRun, load_run
from model_orchestrator.domain.budget import total
from model_orchestrator.domain.events import ModelCalled, RunClaimed
from model_orchestrator.domain.run import Attempt
from model_orchestrator.domain.units import MILLION, Timestamp, Usd
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from tests.stress.audit import Audit, audit
from tests.stress.upstream import Ledger

from .clients import Asked, asked_of
from .provider import Call, calls_of


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that the checks compare."""

    asked: Sequence[Asked]
    calls: Sequence[Call]  # in the order they came to the provider
    runs: Mapping[str, LoggedRun]
    marks: Mapping[str, str]  # by run: what its prompt begins with
    texts: Mapping[str, str]  # by run: the answer
    balances: Sequence[Balance]
    head: int
    event_ids: Sequence[str]  # in order of position
    ahead: int  # seconds by which the hosts' clocks are ahead of the machine's
    money: Audit  # as `make stress` compares the books

    def calls_by_mark(self) -> dict[str, list[Call]]:
        """The provider's calls for each question."""
        found: dict[str, list[Call]] = defaultdict(list)
        for call in self.calls:
            found[call.mark].append(call)
        return found

    def run_of(self, mark: str) -> LoggedRun | None:
        """The run that a question made."""
        return next((self.runs[run] for run, one in self.marks.items() if one == mark), None)

    def of_kind(self, kind: str) -> list[LoggedRun]:
        """The runs of a kind of client."""
        return [self.runs[run] for run, mark in self.marks.items() if mark.startswith(f"{kind}-")]

    def billed(self, runs: Sequence[LoggedRun]) -> Usd:
        """USD that the provider billed for these runs, by its own books."""
        marks = {self.marks[one.run.id] for one in runs}
        return total(call.billed for call in self.calls if call.billed is not None and call.mark in marks)


async def read_books(url: str, folder: Path, limit: Usd, *, ahead: int) -> Books:
    """All of it, once nothing is under way any more; `limit` is the budget of everybody."""
    calls = list(calls_of(folder / "provider.jsonl"))
    ledger = Ledger()
    for call in calls:
        if call.billed is not None:
            ledger.bills[call.request_id], ledger.models[call.request_id] = call.billed, call.model
    config = folder / "hosts.toml"
    async with Orchestrator(Settings.load(config, database_url=url)) as orchestrator:
        store, log = orchestrator.store, orchestrator.log
        money = await audit(store, log, ledger, calls=len(calls), limits={"global": limit})
        runs: dict[str, LoggedRun] = {}
        texts: dict[str, str] = {}
        after = 0
        while page := await store.read_all(after=after, limit=PAGE, types=("RunStarted",), stream_prefix=RUN_PREFIX):
            for entry in page:
                one = runs[entry.stream] = await load_run(log, entry.stream)
                if (answer := await recalled(log, one.run)) is not None:
                    texts[entry.stream] = answer.text
            after = page[-1].position
        balances = await store.balances()
    with psycopg.connect(url) as connection:
        marks: dict[str, str] = dict(connection.execute("SELECT run, key FROM log.idempotency_keys").fetchall())
        ids = [row[0].hex() for row in connection.execute("SELECT event_id FROM log.events ORDER BY position")]
        ((head,),) = connection.execute("SELECT position FROM log.log_head").fetchall()
    asked = asked_of(folder / "clients.jsonl")
    return Books(asked, calls, runs, marks, texts, balances, head, ids, ahead, money)


def day_of(moment: Timestamp) -> str:
    """The day (UTC) of a moment."""
    return datetime.fromtimestamp(moment / MILLION, UTC).date().isoformat()


def started_at(run: LoggedRun) -> Timestamp:
    """When the database recorded the run's start."""
    return run.events[0].envelope.recorded_at


def answered(run: LoggedRun) -> list[tuple[Attempt, ModelCalled]]:
    """The attempts with an answer."""
    return [(one, one.outcome) for one in run.run.attempts if isinstance(one.outcome, ModelCalled)]


def is_late(run: LoggedRun, entry: LoggedEvent) -> bool:
    """Whether an answer was recorded after another worker had taken its run over."""
    event = entry.event
    if not isinstance(event, ModelCalled):
        return False
    before = (one.event for one in run.events if one.envelope.version < entry.envelope.version)
    epochs = [one.epoch for one in before if isinstance(one, RunClaimed)]
    return bool(epochs) and run.run.attempt(event.attempt).started.epoch < max(epochs)


def most_in_a_minute(moments: Sequence[float]) -> int:
    """The most that any 60 seconds hold."""
    moments, first, most = sorted(moments), 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= 60.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def total_of(report: str) -> Usd:
    """The total of real money of a cost report in JSON."""
    return Usd(json.loads(report)["real"]["total"])
