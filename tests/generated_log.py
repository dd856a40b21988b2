"""Logs of any size for tests: seeded, truthful, spread over time, with the sums that are true of them.

    log = write_log("sqlite:////tmp/x.db", runs=1000, seed=7)
    log.total(lambda one: (one.category, one.model))  # exact Decimals by category and model

Every append goes through the product's append rules, hashes and chain; only the clock is the generator's, which no
database lets a caller set. So the log is built here, commit by commit in order of time, and its rows are copied into an
empty database, the same rows whichever it is. `write_log` does a run in about half a millisecond.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import hmac
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from model_orchestrator.application.ports import (
    Append,
    Appended,
    BalanceChange,
    BalanceHold,
    BalanceSettle,
    BudgetLimit,
    Content,
    Expected,
    NewEvent,
    StreamAppend,
)
from model_orchestrator.application.world import StartRun, World
from model_orchestrator.domain.catalogue import Catalogue, ModelCapability, ModelConfig, ModelProvider
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    AttemptStarted,
    BudgetDefined,
    ContentRef,
    Method,
    Money,
    OnUnknown,
    RoutingDecided,
    RunCompleted,
    RunFailed,
    StrategySettings,
)
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.request import Request
from model_orchestrator.domain.run import RunStatus
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import MILLION, Probability, Timestamp, Usd, picodollars
from model_orchestrator.infrastructure.content_codec import manifest_json, message_json
from model_orchestrator.infrastructure.event_codec import encode
from model_orchestrator.infrastructure.store.append_rules import Prepared, apply
from model_orchestrator.infrastructure.store.opening import open_store
from tests.generated_rows import GrowingLog, LogCopy
from tests.generated_runs import Commit, SeededLog, SimulatedRun, request_of

END = datetime(2026, 11, 24, 12, tzinfo=UTC)  # both changes of the clocks of 2026 lie in the 400 days before
LOCAL = ModelConfig(  # nobody knows what it costs
    "local-llama", ModelProvider.OPENAI, capabilities=(ModelCapability.BASIC,), base_url="http://127.0.0.1:11434/v1"
)
CATALOGUE = Catalogue("generated", (*SEED.models, LOCAL))
PROMPTS = (
    "What is Python?",
    "What is 6 times 7? Give the number only.",
    "Summarize this paragraph in one sentence: the log is the truth, everything else is a view of it.",
    "Review this function for bugs: def add(a, b): return a - b",
    "Write a Python function that adds two numbers.",
    "Design a distributed system that stores events for a million users, and explain the trade-offs.",
    "Compare the architecture of REST and GraphQL APIs for a large organisation, step by step.",
    "Research how caching changes what language models cost; analyze three sources and prove your claim.",
)
CATEGORIES = ("orchestration", "chat", "research", "code review", "support/äöü", "batch")
TAGS: tuple[dict[str, str], ...] = ({}, {"team": "core"}, {"team": "web", "customer": "ACME, Inc."}, {"env": "test"})
STRATEGIES = ("cheapest", "cheapest", "fallback", "fallback", "ensemble", "auto")
PROVIDERS = ("live", "live", "live", "simulated", "recorded:bench")
MAX_COSTS = (*[None] * 12, Usd("0.05"), Usd("0.002"), Usd("0.0000001"))
SETTINGS: dict[str, tuple[StrategySettings, ...]] = {
    "cheapest": (
        StrategySettings(),
        StrategySettings(on_unknown=OnUnknown.FAIL),
        StrategySettings(model="gpt-4o"),
        StrategySettings(model="local-llama"),
        StrategySettings(provider="anthropic"),
    ),
    "fallback": (
        StrategySettings(),
        StrategySettings(chain_name="fast"),
        StrategySettings(verify_agreement=True),
        StrategySettings(chain=("claude-haiku-3.5", "gpt-4")),
    ),
    "ensemble": (
        StrategySettings(),
        StrategySettings(full_panel=True),
        StrategySettings(method=Method.VOTE),
        StrategySettings(members=("gpt-4o-mini", "claude-haiku-3.5", "gpt-4o"), method=Method.JUDGE),
    ),
    "auto": (StrategySettings(),),
}
BUDGETS = (("global", "month"), ("category:chat", "day"), ("model:gpt-4o", "total"))
PLENTY = Usd("1000000")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueAttempt:
    """What is true of one paid call after everything that was ever recorded of it."""

    run: str
    attempt: int
    started_at: datetime  # UTC, as recorded
    category: str
    tags: dict[str, str]
    strategy: str  # as asked
    model: str
    provider: str
    money: Money
    status: str  # answered, failed, lost
    amount: Decimal | None  # USD; None: not known, or no price


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueRun:
    """What is true of a run after everything that was ever recorded of it."""

    run: str
    started_at: datetime  # UTC, as recorded
    status: RunStatus
    strategy: str  # as asked
    category: str
    tags: dict[str, str]
    money: Money
    cost: Decimal | None  # USD; None: a part of it is not known
    confidence: Probability | None  # of the answer; None where there is none
    error: ErrorKind | None
    escalations: int


@dataclass
class TrueLog:
    """A written log: its runs and their attempts, in order of starting."""

    runs: list[TrueRun] = field(default_factory=list)
    attempts: list[TrueAttempt] = field(default_factory=list)
    events: int = 0

    def total(self, key: Callable[[TrueAttempt], Hashable]) -> dict[Hashable, Decimal]:
        """Known USD by key, exact; an attempt of unknown cost adds nothing, but its key is there."""
        totals: dict[Hashable, Decimal] = defaultdict(Decimal)
        for one in self.attempts:
            totals[key(one)] += one.amount or 0
        return dict(totals)


def write_log(
    url: str,
    *,
    runs: int,
    seed: int = 0,
    days: int = 400,
    end: datetime = END,
    texts: bool = False,
    budgets: bool = True,
) -> TrueLog:
    """Fill the empty database at `url` with so many runs, begun in the `days` before `end`.

    With `texts` requests and answers are stored too; else the runs are those of --no-content.
    """
    truth = TrueLog()
    secret = asyncio.run(_prepare(url))
    maker = _Maker(random.Random(seed), secret, texts, budgets, truth)
    copy, log = LogCopy.to(url), GrowingLog()
    for at, append in _in_order(maker, runs, days, end):
        log.recorded_at = max(log.head.recorded_at, at)
        outcome = apply(log, Prepared.of(append))
        assert isinstance(outcome, Appended), outcome
        assert not append.balances or outcome.recorded_at == at
        if len(log.rows) > 20_000:
            copy.events(log)
    truth.events = log.head.position
    copy.finish(log)
    return truth


def _in_order(maker: _Maker, runs: int, days: int, end: datetime) -> Iterator[tuple[Timestamp, Append]]:
    """The commits of all runs, which overlap, in order of time."""
    span = days * 24 * 3600 * MILLION
    first = round(end.timestamp()) * MILLION - span
    moments = sorted(maker.rng.randrange(span) for _ in range(runs))
    yield from maker.budget_commits(Timestamp(first))
    coming: list[tuple[int, int, Append]] = []
    tie = 0
    for moment in moments:
        while coming and coming[0][0] <= first + moment:
            yield Timestamp(coming[0][0]), heapq.heappop(coming)[2]
        for at, append in maker.run_commits(Timestamp(first + moment)):
            tie += 1
            heapq.heappush(coming, (at, tie, append))
    while coming:
        yield Timestamp(coming[0][0]), heapq.heappop(coming)[2]


class _Maker:
    """Draws runs, and puts their events into envelopes."""

    def __init__(self, rng: random.Random, secret: bytes, texts: bool, budgets: bool, truth: TrueLog) -> None:
        self.rng = rng
        self._secret = secret
        self._texts = texts
        self._budgets = BUDGETS if budgets else ()
        self._truth = truth
        self._now = Timestamp(0)
        self._log = SeededLog(rng, self._reference)
        self._worlds = {provider: _world(provider, self._budgets) for provider in PROVIDERS}

    def budget_commits(self, at: Timestamp) -> Iterator[tuple[Timestamp, Append]]:
        for scope, period in self._budgets:
            event = BudgetDefined(scope=scope, period=period, limit=PLENTY, opening=(), alerts=(50, 80, 100))
            stream = f"budget-{scope}-{period}"
            part = StreamAppend(stream, 0, self._envelopes(stream, at, (event,), None))
            limit = BudgetLimit(scope=scope, period=period, limit=picodollars(PLENTY))
            yield at, Append(streams=(part,), balances=(limit,))

    def run_commits(self, at: Timestamp) -> Iterator[tuple[Timestamp, Append]]:
        rng = self.rng
        self._now = at
        strategy, prompt = rng.choice(STRATEGIES), rng.choice(PROMPTS)
        settings = rng.choice(SETTINGS[strategy])
        world = self._worlds[rng.choice(PROVIDERS)]
        unlimited = settings.model == LOCAL.name
        if unlimited:  # what has no price cannot run under a budget
            world = replace(world, budgets=())
        command = StartRun(
            run_id=f"run-{_uuid_text(_uuid7(rng, at))}",
            request=request_of(prompt),
            strategy=strategy,
            settings=settings,
            category=rng.choice(CATEGORIES),
            tags=rng.choice(TAGS),
            owner=rng.choice(("local", "local", "key-1")),
            subject=rng.choice((None, "subject-1", "subject-2")) if self._texts else None,
            max_cost=None if unlimited else rng.choice(MAX_COSTS),
            keep_content=self._texts,
        )
        simulated = SimulatedRun(rng, world, command, at, self._log, self._keep_request, prompt)
        commits = simulated.play()
        self._learn(simulated, commits)
        cause: str | None = None
        for commit in commits:
            envelopes = self._envelopes(command.run_id, commit.at, commit.events, cause)
            cause = _uuid_text(envelopes[-1].event_id)
            part = StreamAppend(command.run_id, commit.version or Expected.NONE, envelopes)
            yield (
                commit.at,
                Append(streams=(part,), contents=commit.contents, balances=_balances(commit, world.money)),
            )

    def _learn(self, simulated: SimulatedRun, commits: Sequence[Commit]) -> None:
        run, command = simulated.run, simulated.command
        begun = {one.attempt: c.at for c in commits for one in c.events if isinstance(one, AttemptStarted)}
        ended = run.ended
        self._truth.runs.append(
            TrueRun(
                run=run.id,
                started_at=_moment(commits[0].at),
                status=run.status,
                strategy=command.strategy,
                category=command.category,
                tags=command.tags,
                money=simulated.world.money,
                cost=run.cost,
                confidence=ended.confidence if isinstance(ended, RunCompleted) else None,
                error=ended.kind if isinstance(ended, RunFailed) else None,
                escalations=len(run.escalations),
            )
        )
        for one in run.attempts:
            self._truth.attempts.append(
                TrueAttempt(
                    run=run.id,
                    attempt=one.number,
                    started_at=_moment(begun[one.number]),
                    category=command.category,
                    tags=command.tags,
                    strategy=command.strategy,
                    model=one.model,
                    provider=one.started.provider,
                    money=simulated.world.money,
                    status=one.status.value,
                    amount=one.spent,
                )
            )

    # ---- texts and envelopes, drawn from the seed ----

    def _reference(self, text: str) -> tuple[ContentRef, bytes]:
        salt = self.rng.randbytes(16)
        digest = hashlib.sha256(salt + text.encode()).hexdigest()
        return ContentRef(f"c-{_uuid_text(_uuid7(self.rng, self._now))}", digest), salt

    def _keep_request(self, run_id: str, request: Request, subject: str | None) -> tuple[ContentRef, list[Content]]:
        messages = []
        for message in request.messages:
            body = message_json(message)
            digest = hmac.digest(self._secret, f"{subject or ''}\0{body}".encode(), "sha256").hex()[:40]
            messages.append(Content(ref=f"m-{digest}", stream=run_id, subject=subject, salt=b"", body=body))
        manifest = manifest_json([one.ref for one in messages], request.parameters)
        reference, kept = self._log.keep_text(run_id, manifest, subject)
        return reference, kept + messages

    def _envelopes(self, stream: str, at: Timestamp, events: Sequence[Any], cause: str | None) -> tuple[NewEvent, ...]:
        made = []
        for event in events:
            name, schema_version, payload = encode(event)
            event_id = _uuid7(self.rng, at)
            made.append(
                NewEvent(
                    event_id=event_id,
                    type=name,
                    schema_version=schema_version,
                    occurred_at=at,
                    causation_id=cause,
                    correlation_id=stream,
                    actor="local",
                    payload=payload,
                )
            )
            cause = _uuid_text(event_id)
        return tuple(made)


async def _prepare(url: str) -> bytes:
    """Creates the tables where there are none; the database's secret."""
    store = open_store(url)
    try:
        assert await store.head() == 0, "the log is not empty"
        return await store.content_secret()
    finally:
        await store.aclose()


def _world(provider: str, budgets: tuple[tuple[str, str], ...]) -> World:
    return World(
        provider=provider,
        catalogue=CATALOGUE,
        catalogue_hash="generated",
        policy=SEED_POLICY,
        policy_hash="seed",
        usable=CATALOGUE.models,
        unusable=(),
        client_for=lambda model: pytest.fail("nobody is asked"),
        worker="generated:1",
        observe=lambda run_id, event, at: None,
        draw=lambda: 0.0,
        budgets=budgets,
    )


def _balances(commit: Commit, money: Money) -> tuple[BalanceChange, ...]:
    """The holds and settlements of the events, as a run's session has them."""
    changes: list[BalanceChange] = []
    for event in commit.events:
        for hold in event.holds if isinstance(event, RoutingDecided) else getattr(event, "hold", ()):
            amount = picodollars(hold.amount)
            changes.append(BalanceHold(scope=hold.scope, period=hold.period, money=money, amount=amount))
        for one in (*getattr(event, "settles", ()), *getattr(event, "released", ())):
            changes.append(
                BalanceSettle(
                    scope=one.scope,
                    period=one.period,
                    money=money,
                    held_at=commit.recorded_at[one.held_by],
                    held=picodollars(one.held),
                    spent=picodollars(one.spent),
                )
            )
    return tuple(changes)


def _uuid7(rng: random.Random, at: Timestamp) -> bytes:
    """A UUIDv7 of that moment."""
    number = (at // 1000) << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    return number.to_bytes(16, "big")


def _uuid_text(uuid: bytes) -> str:
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _moment(at: Timestamp) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
