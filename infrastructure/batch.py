"""Many prompts from a file: bounded concurrency, results in the file's order, and no line paid twice."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..application.batch_lines import BatchLine
from ..application.result import OrchestrationResult
from ..application.runs import load_run
from ..application.world import money_of
from ..domain.budget import total
from ..domain.errors import InvalidRequest, RunFailure
from ..domain.events import Money
from ..domain.run import RunStatus
from ..domain.units import Usd, plain
from .bootstrap import Orchestrator

AHEAD = 8  # lines begun or done beyond the first unfinished one, a place of concurrency


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of a line."""

    line: BatchLine
    status: str  # completed, failed or invalid
    result: OrchestrationResult | None = None
    error: dict[str, Any] | None = None
    cost: Usd | None = None  # USD; None where it is unknown
    money: Money = Money.REAL

    def to_dict(self) -> dict[str, Any]:
        """A line of the output: `error` null where there is an answer, the answer's fields null where there is none."""
        result = self.result
        return {
            "line": self.line.number,
            "id": self.line.id,
            "status": self.status,
            "response": result.response if result else None,
            "model_used": result.model_used if result else None,
            "strategy": result.strategy if result else None,
            "confidence": result.confidence if result else None,
            "cost": None if self.cost is None else plain(self.cost),
            "run_id": result.run_id if result else (self.error or {}).get("run_id"),
            "repeat": bool(result and result.metadata["repeat"]),
            "cached": bool(result and result.metadata["cached"]),
            "as_expected": result.metadata.get("as_expected") if result else None,
            "grade": result.metadata.get("grade") if result else None,
            "error": self.error,
        }


@dataclass(slots=True)
class BatchSummary:
    """The counts of a batch; `spent` is USD known to be spent now, by kind of money."""

    statuses: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    cached: int = 0
    spent: dict[Money, Usd] = field(default_factory=lambda: dict.fromkeys(Money, Usd(0)))
    unknown_costs: int = 0
    labelled: int = 0  # answers that a data set graded, or that were compared with one expected
    right: float = 0  # their grades, in all

    def add(self, done: LineResult) -> None:
        """Count a line."""
        self.statuses[done.status] += 1
        result = done.result
        if result is not None:
            self.models[result.model_used] += 1
            self.cached += bool(result.metadata["cached"])
            label = result.metadata.get("grade", result.metadata.get("as_expected"))
            self.labelled += label is not None
            self.right += float(label or 0)
            if result.metadata["repeat"]:
                self.repeats += 1
                return
        if done.status != "invalid" and done.cost is None:
            self.unknown_costs += 1
        else:
            self.spent[done.money] = total((self.spent[done.money], done.cost))

    @property
    def accuracy(self) -> float | None:
        """The mean label, 0 to 1; None where no answer has one."""
        return self.right / self.labelled if self.labelled else None

    @property
    def lines(self) -> int:
        """How many lines are done."""
        return sum(self.statuses.values())

    def to_dict(self) -> dict[str, Any]:
        """For JSON; amounts as decimal strings."""
        return {
            "lines": self.lines,
            **{status: self.statuses[status] for status in ("completed", "failed", "invalid")},
            "repeats": self.repeats,
            "cached": self.cached,
            "cost": plain(self.spent[Money.REAL]),
            "simulated_cost": plain(self.spent[Money.SIMULATED]),
            "recorded_cost": plain(self.spent[Money.RECORDED]),
            "unknown_costs": self.unknown_costs,
            "labelled": self.labelled,
            "accuracy": self.accuracy,
            "models": dict(self.models.most_common()),
        }


class Batch:
    """One batch. Its `name` and a line's words are the line's idempotency key, so that who asks again pays nothing."""

    def __init__(self, orchestrator: Orchestrator, name: str, defaults: dict[str, Any], *, concurrency: int) -> None:
        self._orchestrator = orchestrator
        self._name = name
        self._defaults = defaults
        self._places = asyncio.Semaphore(concurrency)
        self._window = concurrency * AHEAD
        self._seen: Counter[str] = Counter()  # how often the same line came already
        self.is_stopping = False

    async def results(self, lines: Iterable[BatchLine]) -> AsyncGenerator[LineResult, None]:
        """The lines' results in order. Once `is_stopping`, no further line begins and those under way are finished."""
        under_way: deque[asyncio.Task[LineResult]] = deque()
        try:
            for line in self._wanted(lines):
                await self._places.acquire()
                if self.is_stopping:
                    break
                under_way.append(asyncio.create_task(self._placed(line, self._base_key(line))))
                while under_way and (under_way[0].done() or len(under_way) >= self._window):
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            if under_way:
                await asyncio.wait(under_way)

    def _wanted(self, lines: Iterable[BatchLine]) -> Iterator[BatchLine]:
        return itertools.takewhile(lambda line: not self.is_stopping, lines)

    async def _placed(self, line: BatchLine, base_key: str) -> LineResult:
        try:
            return await self._run(line, base_key)
        finally:
            self._places.release()

    async def _run(self, line: BatchLine, base_key: str) -> LineResult:
        if line.error is not None:
            return _invalid(line, line.error)
        options = {**self._defaults, **line.options}
        options.pop("id", None)
        options["tags"] = {**(options.get("tags") or {}), "batch": self._name}  # a cap on the batch holds every line
        try:
            if "idempotency_key" not in options:
                options["idempotency_key"] = await self._key(base_key)
            result = await self._orchestrator.run(options.pop("prompt", None), **options)
        except InvalidRequest as error:
            return _invalid(line, str(error))
        except RunFailure as error:
            details = {"kind": error.kind, "message": str(error), "run_id": error.run_id}
            money = money_of(self._orchestrator.provider_name(options.get("provider")))
            cost = await self._cost_of(error.run_id)
            return LineResult(line, "failed", error=details, cost=cost, money=money)
        money = Money(result.metadata["money"])
        return LineResult(line, "completed", result=result, cost=_usd(result.cost), money=money)

    def _base_key(self, line: BatchLine) -> str:
        """The batch, a digest of what is asked, and which of equal lines it is."""
        options = {**self._defaults, **line.options}
        options.pop("expect", None)  # a right answer that is put right asks nobody anew
        provider = self._orchestrator.provider_name(options.get("provider"))
        words = json.dumps([provider, options], sort_keys=True, default=str)
        digest = hashlib.sha256(words.encode(errors="replace")).hexdigest()[:32]
        self._seen[digest] += 1
        return f"batch:{self._name}:{digest}:{self._seen[digest]}"

    async def _key(self, base: str) -> str:
        """The key of the line's first run that is not known to have failed: a failed line is asked anew."""
        for tries in itertools.count(1):
            key = f"{base}:{tries}"
            claim = await self._orchestrator.store.idempotency("local", key)
            if claim is None:
                return key
            run = (await load_run(self._orchestrator.log, claim.run)).run
            if run.status not in (RunStatus.FAILED, RunStatus.CANCELLED):
                return key
        raise AssertionError("counting does not end")

    async def _cost_of(self, run_id: str | None) -> Usd | None:
        """What a run without an answer cost."""
        return Usd(0) if run_id is None else (await load_run(self._orchestrator.log, run_id)).run.cost


def _invalid(line: BatchLine, why: str) -> LineResult:
    error = {"kind": "invalid_request", "message": f"line {line.number}: {why}", "run_id": None}
    return LineResult(line, "invalid", error=error, cost=Usd(0))


def _usd(amount: Decimal | None) -> Usd | None:
    return None if amount is None else Usd(plain(amount))
