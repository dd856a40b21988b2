"""The composition root: settings in, a working Orchestrator out. Built by hand, imported lazily."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import uuid_utils

from ..application.answer_cache import caching_of, earlier_answer
from ..application.decisions import assess, with_forecast
from ..application.departure import Departure
from ..application.failures import failure_of, no_plan
from ..application.feedback import compared, feedback_value, give_feedback, graded
from ..application.idempotency import check_same_request, claim_of, finished_run
from ..application.orchestrator import Finished, RunLoop
from ..application.passing_on import PassingOn
from ..application.ports import DeltaSink, EventStore
from ..application.recorded_texts import texts_of
from ..application.refusals import standing
from ..application.result import OrchestrationResult, result_of
from ..application.resume import (
    LeftAlone,
    command_to_resume,
    has_its_texts,
    left_alone,
    mark_crashed,
    settle_assumed,
    survey,
)
from ..application.run_options import (
    RunOptions,
    cache_ttl_of,
    checked_options,
    idempotency_key_of,
    label_of,
    max_cost_of,
    request_of,
    settings_of,
    strategy_of,
    subject_of,
    tags_of,
    timeout_of,
)
from ..application.runs import load_run
from ..application.session import KeyIsTaken
from ..application.world import Caller, StartRun, World, dataset_of
from ..domain import fast_replace, routing
from ..domain.api_key import LOCAL
from ..domain.catalogue import Catalogue
from ..domain.errors import ErrorKind, InvalidRequest, RunFailure, RunNotFound, StoreTooNew
from ..domain.events import AnsweredFromCache, FeedbackGiven, OnUnknown, RoutingDecided, RunRescored
from ..domain.request import Request, prompt_request
from ..domain.run import RunStatus
from ..domain.units import MILLION, Duration, Usd, fraction
from .alerts import Alerts
from .clock import SystemClock
from .database_url import masked
from .logging import RunLogging
from .plan import Plan
from .policies import PolicyInForce
from .run_log import StoredRunLog
from .settings import Settings
from .worlds import OnWait, Worlds

FOLLOWING = 0.1  # seconds between two looks at a run that another process works on

if TYPE_CHECKING:
    from ..application.budget_reports import Budget
    from ..application.key_book import KeyBook
    from ..application.privacy import Privacy
    from ..application.replay_report import Checked
    from .read_models.stored import StoredReadModels


class Orchestrator:
    """Answers prompts, and keeps the store and the connections open between them.

    Use it as `async with Orchestrator(settings) as orchestrator:`; without settings they are loaded as the CLI does.
    `on_wait` is told the model and the seconds where a call waits a second or more for a rate limit.
    Raises ConfigurationError for a bad setting, StoreError where the database cannot be used.
    """

    def __init__(self, settings: Settings | None = None, *, on_wait: OnWait | None = None) -> None:
        self.settings = settings or Settings.load()
        self._clock = SystemClock()
        self._store: EventStore | None = None
        self._read_models: StoredReadModels | None = None
        self._keys: KeyBook | None = None
        self.clock = self._clock
        self._worlds = Worlds(self.settings, worker=f"{socket.gethostname()}:{os.getpid()}", on_wait=on_wait)
        self.alerts = Alerts(self._worlds.logging, self._clock, self.settings.webhook_url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections and the store."""
        await self._worlds.aclose()
        if self._store is not None:
            await self._store.aclose()

    @property
    def store(self) -> EventStore:
        """The event store, opened at first use."""
        if self._store is None:
            from .store.opening import open_store

            self._store = open_store(self.settings.database_url, content_keys=self.settings.content_keys())
        return self._store

    def has_database(self) -> bool:
        """Whether there is something to read; who only reads does not create a missing file."""
        from .store.opening import is_there

        return is_there(self.settings.database_url)

    @property
    def read_models(self) -> StoredReadModels:
        """The read models of the store, opened at first use."""
        if self._read_models is None:
            from .read_models.stored import StoredReadModels

            self._read_models = StoredReadModels(self.settings.database_url, store=self.store)
        return self._read_models

    def expect_runs(self) -> None:
        """For who only reads: a missing file is not created. Raises RunNotFound."""
        if not self.has_database():
            where = masked(self.settings.database_url)
            raise RunNotFound(f'there is no run yet: start one, as in `model-orchestrator run "hello"` ({where})')

    @property
    def log(self) -> StoredRunLog:
        """The run log over the store."""
        return self.log_by(LOCAL)

    def log_by(self, actor: str) -> StoredRunLog:
        """The run log for who acts: the owner of a key, or local."""
        return StoredRunLog(self.store, self._clock, actor=actor)

    @property
    def keys(self) -> KeyBook:
        """Who holds an API key, and how often they may ask."""
        if self._keys is None:
            from ..application.key_book import KeyBook

            self._keys = KeyBook(self.store, self.log, self._worlds.opened_limiter)
        return self._keys

    def privacy(self) -> Privacy:
        """The erasures of the database."""
        from ..application.privacy import Privacy

        worker = f"{socket.gethostname()}:{os.getpid()}:erasing"
        return Privacy(self.store, self.log, self._worlds.opened_leases(), worker)

    async def run(
        self,
        prompt: str | Request | None = None,
        *,
        on_delta: DeltaSink | None = None,
        caller: Caller | None = None,
        departure: Departure | None = None,
        run_id: str | None = None,
        **options: Unpack[RunOptions],
    ) -> OrchestrationResult:
        """Answer a prompt, or a whole request. With `on_delta`, pieces of the answer are passed on as they arrive.

        The run is the `caller`'s, with what only they see of earlier ones; without one it is `local`'s. Once
        `departure` knows that they left, no call is started any more, and what is under way is recorded. `run_id` is a
        new run's id, made elsewhere.

        With `expect` the answers are compared with it: that is feedback, and the result's metadata `as_expected`. What
        a data set answers, it grades: that is feedback too, and the metadata `grade`, 0 to 1.
        Raises InvalidRequest before anything is done, RunFailure where the run ended without an answer, and what
        `on_delta` raised, once the answer is recorded.
        """
        expected = checked_options({"expect": options.pop("expect", None)}).get("expect")
        result = await self._run(prompt, on_delta, caller, departure, run_id, options)
        if (dataset := dataset_of(self.provider_name(options.get("provider")))) is not None:
            result = await self._grade(result, request_of(prompt, options), dataset)
        if expected is None:
            return result
        return await self._compare(result, request_of(prompt, options).prompt, expected)

    async def _run(
        self,
        prompt: str | Request | None,
        on_delta: DeltaSink | None,
        caller: Caller | None,
        departure: Departure | None,
        run_id: str | None,
        options: RunOptions,
    ) -> OrchestrationResult:
        if on_delta is not None and options.get("on_unknown") is None:
            options["on_unknown"] = "fail"  # what was shown cannot be taken back
        command, world = self.prepare(prompt, caller=caller, **options)
        if run_id is not None:
            command = fast_replace.replace(command, run_id=run_id)
        self._worlds.check(command, world)
        log, started_at = self.log_by(command.owner), self._clock.now()
        sink = None if on_delta is None else PassingOn(on_delta)
        claim = await claim_of(log, command, world.provider)
        known = None if claim is None else await self.store.idempotency(claim.owner, claim.key)
        if claim is not None and known is not None:
            check_same_request(known.run, is_same=known.fingerprint == claim.fingerprint)
            return await self._first_run(known.run, command, sink)
        models = tuple(call.model for call in _decided(command, world).plan) if command.cache_ttl else ()
        command = fast_replace.replace(
            command, claim=claim, caching=await caching_of(log, command, world.provider, models)
        )
        earlier = await earlier_answer(self.store, log, command, started_at) if command.caching else None
        budgets = [(scope, period) for scope, period, _ in await self.store.budgets()]
        world = self._worlds.bounded(world, budgets)
        try:
            finished = await self._to_its_end(command, world, log, sink, departure, earlier)
        except KeyIsTaken as error:
            check_same_request(error.taken.run, is_same=error.taken.same_request)
            return await self._first_run(error.taken.run, command, sink)
        await self.alerts.after(finished.run, log, finished.started_at)
        return await self._result(finished, sink)

    async def _to_its_end(
        self,
        command: StartRun,
        world: World,
        log: StoredRunLog,
        sink: PassingOn | None,
        departure: Departure | None,
        earlier: AnsweredFromCache | None,
    ) -> Finished:
        try:
            introduce = await self._worlds.introduction(world, log, command.run_id)
            world = fast_replace.replace(world, introduce=introduce)
            return await RunLoop(command, world, log, self._clock, sink, departure=departure).run(earlier)
        finally:
            self._worlds.end_introduction(command.run_id)

    async def feedback(
        self, run_id: str, value: float | str, *, by: str = "local", note: str | None = None
    ) -> list[FeedbackGiven]:
        """Say how good a run's answer was: good, bad or 0 to 1. What was recorded; nothing where `by` said so last.

        Raises InvalidRequest for another value, and for a run without an answer.
        """
        said = FeedbackGiven(value=feedback_value(str(value)), by=label_of("by", by), attempt=None, note=None)
        keeps = self.settings.store_content
        return await give_feedback(self.log, run_id, [said], note=note, keeps_texts=keeps)

    async def replay(self, run_id: str, *, scores: bool = True) -> Checked:
        """Decide a run again from its recorded events; with `scores`, compute its scores anew from its texts."""
        from .replaying import Recorded

        return (await Recorded(self.log).checked([run_id], scores=scores))[0]

    async def rescore(
        self, run_id: str, scorer: str, *, by: str = "local", max_cost: Decimal | str | float | None = None
    ) -> list[RunRescored]:
        """Have a run's answers scored by another scorer; the new scores. `max_cost` is the most a judge may cost, USD.

        Raises InvalidRequest for a scorer that there is not, and for a judge without a limit.
        """
        from .rescoring import Rescoring

        limit = max_cost_of({"max_cost": max_cost}, None)
        scoring = await Rescoring.of(self, scorer, by=label_of("by", by), max_cost=limit)
        return [event async for done in scoring.runs([run_id]) for event in done.new]

    async def _compare(self, result: OrchestrationResult, question: str, expected: str) -> OrchestrationResult:
        """Record as feedback whether the run's answers are the one expected."""
        run = (await load_run(self.log, result.run_id)).run
        (texts,) = await texts_of(self.log, [run])
        said = compared(run, texts, result.response, expected, question)
        await give_feedback(self.log, run.id, said)
        return replace(result, metadata=result.metadata | {"as_expected": bool(said[-1].value)})

    async def _grade(self, result: OrchestrationResult, request: Request, dataset: str) -> OrchestrationResult:
        """Record as feedback how the data set grades the run's answers, unless it has another answer by now."""
        run = (await load_run(self.log, result.run_id)).run
        row = await self._worlds.recorded_row(dataset, request)
        outcome = row.outcomes.get(run.model or "") if row else None
        if row is None or outcome is None or outcome.text != result.response:
            return result
        said = graded(run, row)
        await give_feedback(self.log, run.id, said)
        grade = next((fraction(one.value) for one in said if one.attempt is None), None)
        return result if grade is None else replace(result, metadata=result.metadata | {"grade": grade})

    async def _first_run(self, run_id: str, command: StartRun, sink: PassingOn | None) -> OrchestrationResult:
        """What became of the run that has the command's key: waits for it, and takes it over where its worker is gone.

        Raises RunFailure where it has no answer, or not in the command's time.
        """
        log, began = self.log, self._clock.monotonic()
        while (await load_run(log, run_id)).run.status is RunStatus.RUNNING:
            if command.timeout is not None and self._clock.monotonic() - began > command.timeout * MILLION:
                text = f"{run_id} has the same idempotency key and is still under way: ask again later"
                raise RunFailure(text, kind=ErrorKind.DEADLINE, run_id=run_id)
            try:
                await self.resume(run_id)
            except LeftAlone:
                await asyncio.sleep(FOLLOWING)
            except RunFailure:
                break
        finished = await finished_run(log, run_id)
        if sink is not None and finished.answer is not None:
            sink(finished.answer.text)
        return await self._result(finished, sink, is_repeat=True)

    async def resume(self, run_id: str, *, on_unknown: str | None = None) -> OrchestrationResult:
        """Go on with a run whose process is gone, with its own settings and the settings' timeout anew.

        Raises InvalidRequest where the run is not to be resumed: it has ended, a living process has it, or its models
        cannot be called now. Raises RunFailure where it ended without an answer.
        """
        from ..application.api_keys import caller_of

        log = self.log
        run = (await load_run(log, run_id)).run
        if run.started is None or run.status is not RunStatus.RUNNING:
            raise LeftAlone(f"{run_id} is not under way: it is {run.status.value}")
        budgets = [(scope, period) for scope, period, _ in await self.store.budgets()]
        world = self._worlds.bounded(await self._worlds.world_of(run, log), budgets)
        if run.routing is None:  # what is planned already was allowed when it was
            world = world.open_to(await caller_of(self.store, log, run.started.owner))
        assert world.leases is not None
        if why := await left_alone(world.leases, run_id, self._clock.now()):
            raise LeftAlone(why)
        request = await log.request(run.started.request) if run.started.request else None
        whole = request is not None and await has_its_texts(log, run)
        command = command_to_resume(run, request or prompt_request(""), timeout=self.settings.timeout)
        loop = RunLoop(command, world, log, self._clock, epoch=run.epoch + 1)
        finished = await loop.resume(
            on_unknown=None if on_unknown is None else OnUnknown(on_unknown),
            failure=None if whole else ErrorKind.CONTENT,
        )
        if finished is None:
            raise LeftAlone(f"{run_id} is left alone: another process was first to resume it")
        await self.alerts.after_each([run_id], log)
        return await self._result(finished)

    async def resume_all(self, *, on_unknown: str | None = None) -> list[dict[str, Any]]:
        """Resume every run whose process is gone, one after the other, and settle what has been lost for long.

        One entry a run that was under way: `run_id`, `status` (completed, failed, left_alone) and a `message`.
        """
        found = await survey(self.store)
        done: list[dict[str, Any]] = []
        for run_id in found.running:
            status, message = "completed", ""
            try:
                await self.resume(run_id, on_unknown=on_unknown)
            except (InvalidRequest, StoreTooNew) as error:  # the latter: only a newer release can go on with it
                status, message = "left_alone", str(error)
            except RunFailure as error:
                status, message = "failed", str(error)
            done.append({"run_id": run_id, "status": status, "message": message})
        leases = self._worlds.opened_leases()
        for run_id in [one for one in found.open_attempts if one not in found.running]:
            with suppress(StoreTooNew):
                await mark_crashed(self.log, leases, run_id)
        lost_for = Duration(round(self.settings.settle_lost_after * 3600 * MILLION))
        settled = await settle_assumed(self.store, self.log, self._clock, by="local", lost_for=lost_for)
        await self.alerts.after_each({one.run.id: None for one in settled}, self.log)
        return done

    async def _result(
        self, finished: Finished, sink: PassingOn | None = None, *, is_repeat: bool = False
    ) -> OrchestrationResult:
        """What a caller gets. Raises RunFailure where there is no answer, and what the caller's sink raised."""
        run = finished.run
        if run.status is not RunStatus.COMPLETED or finished.answer is None:
            raise failure_of(run, await standing(self.store, run, self._clock.now()))
        if sink is not None and sink.error is not None:
            raise sink.error
        return result_of(
            run,
            finished.answer,
            started_at=finished.started_at,
            latency=finished.latency,
            justification=finished.justification,
            is_repeat=is_repeat,
        )

    async def set_budget(
        self, scope: str, limit: Usd, *, period: str = "month", alerts: tuple[int, ...] | None = None
    ) -> Budget:
        """Define or change a budget, and tell of the marks that are passed already. Raises InvalidRequest."""
        from ..application.budget_reports import show_budgets
        from ..application.budgets import set_budget

        store, log = self.store, self.log
        await set_budget(store, log, self._clock, scope=scope, period=period, limit=limit, alerts=alerts)
        await self.alerts.look(log, {(scope, period)}, ())
        return (await show_budgets(store, log, scope, period))[0]

    def plan(
        self, prompt: str | Request | None = None, *, caller: Caller | None = None, **options: Unpack[RunOptions]
    ) -> Plan:
        """What a run would do: nothing is sent, nothing is stored.

        Raises InvalidRequest, and RunFailure where no usable model can answer.
        """
        command, world = self.prepare(prompt, caller=caller, **options)
        self._worlds.check(command, world)
        decision = _decided(command, world)
        if not decision.plan:
            raise no_plan(decision, command.settings, command.max_cost)
        return Plan(
            provider=world.provider, assessment=assess(command.request), routing=decision, max_cost=command.max_cost
        )

    async def first_run_notice(self) -> str | None:
        """Where texts are stored and how not to; None once the database holds a run."""
        if not self.settings.store_content or await self.store.head():
            return None
        return (
            f"prompts and answers are stored in {masked(self.settings.database_url)}; "
            "to keep them out, set MODEL_ORCHESTRATOR_STORE_CONTENT=false"
        )

    def policy(self, asked: str | None = None, name: str | None = None) -> PolicyInForce:
        """The policy for a provider, the settings' where none is named: chains, panels, choices and weights."""
        return self._worlds.policy(asked, name)

    @property
    def logging(self) -> RunLogging:
        """Where log lines go."""
        return self._worlds.logging

    def catalogue(self, asked: str | None = None) -> Catalogue:
        """The models of a provider, the settings' where none is named."""
        return self._worlds.catalogue(self.provider_name(asked))

    def provider_name(self, asked: str | None = None) -> str:
        """Who would answer: live, simulated or recorded:NAME. Raises InvalidRequest."""
        return self._worlds.provider(asked)[0]

    def provider_notice(self, asked: str | None) -> str | None:
        """What a user should be told about who answers, where they did not choose."""
        return self._worlds.provider(asked)[1]

    def prepare(
        self, prompt: str | Request | None = None, *, caller: Caller | None = None, **options: Unpack[RunOptions]
    ) -> tuple[StartRun, World]:
        """The command of a run and the models it would see; nothing is opened. Raises InvalidRequest."""
        caller = caller or Caller()
        settings, given = self.settings, checked_options(options)
        longest = self._worlds.longest_answer(given.get("provider"))
        given.setdefault("max_tokens", settings.max_output_tokens if longest is None else longest)
        given.setdefault("max_attempts", settings.max_attempts)
        given.setdefault("on_unknown", settings.on_unknown)
        provider = given.get("provider")
        policy = self._worlds.policy(provider, given.get("policy"))
        strategy_settings = settings_of(given, policy.policy)
        scorer = self._worlds.scorer(policy).model if strategy_settings.scorer else None
        command = StartRun(
            run_id=f"run-{uuid_utils.uuid7()}",
            request=request_of(prompt, given),
            strategy=strategy_of(given),
            settings=replace(strategy_settings, scorer=scorer.version) if scorer else strategy_settings,
            category=label_of("category", given.get("category") or settings.category),
            tags=tags_of(given),
            owner=caller.owner,
            subject=subject_of(given),
            max_cost=max_cost_of(given, settings.max_cost),
            timeout=timeout_of(given, settings.timeout),
            keep_content=settings.store_content and given.get("store_content") is not False,
            idempotency_key=idempotency_key_of(given),
            cache_ttl=None if strategy_settings.explore else cache_ttl_of(given, settings.cache),
        )
        chosen = command.settings
        self._worlds.check_chain(provider, chosen.chain, policy.policy)
        named = [name for name in (chosen.model, *chosen.chain, *chosen.members, chosen.judge) if name]
        world = self._worlds.world(provider, models=named, policy=policy, scorer=scorer)
        return command, world.open_to(caller)


def _decided(command: StartRun, world: World) -> RoutingDecided:
    """The plan as it is where no budget stands in the way, and nothing is explored."""
    inputs = routing.RoutingInputs(
        request=command.request,
        assessment=assess(command.request),
        usable=world.usable,
        unusable=world.unusable,
        strategy=command.strategy,
        settings=command.settings,
        policy=world.policy,
        max_cost=command.max_cost,
    )
    return routing.decide(with_forecast(inputs, world.router))
