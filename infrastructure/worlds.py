"""The models a run can see: the catalogue, who is usable, and a client for each address."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from .. import __version__
from ..application.leasing import LEASE
from ..application.limits import Breakers, Limits, RateLimiter
from ..application.ports import Append, Content, Expected, LeaseStore, ModelClient, StreamAppend
from ..application.world import StartRun, World, dataset_of
from ..domain.catalogue import Catalogue, ModelConfig, ModelName, ModelProvider
from ..domain.dataset import Example
from ..domain.errors import InvalidRequest
from ..domain.events import Exclusion, ExclusionReason, PriceListPublished, RunEvent
from ..domain.exclusions import exclusion_text
from ..domain.fast_replace import replace
from ..domain.policy import Policy
from ..domain.request import Request
from ..domain.run import Run
from ..domain.scorers import AnswerScorer
from ..domain.units import Timestamp
from .availability import Availability, access, account, availability
from .catalogues import catalogue_from_json, catalogue_hash, catalogue_json, find_model, is_known_model, load_catalogue
from .logging import RunLogging
from .policies import PolicyInForce, policy_in_force
from .policy import policy_from_json, policy_json, unknown_chain
from .run_log import StoredRunLog
from .settings import Settings, resolve_provider
from .telemetry.observer import RunTelemetry
from .weights_store import Weights, scorer_weights, stored_router, stored_scorer

if TYPE_CHECKING:
    from .recorded import RecordedSets

T = TypeVar("T")
OnWait = Callable[[ModelName, float], None]  # a call waits so many seconds for the model's rate limit


class Worlds:
    """Makes the world of a run from the settings, once for each provider asked for."""

    def __init__(self, settings: Settings, *, worker: str, on_wait: OnWait | None = None) -> None:
        self._settings = settings
        self._worker = worker
        self._on_wait = on_wait
        self.logging = RunLogging(settings.log_level, settings.log_format)
        self._telemetry = RunTelemetry(self.logging, __version__)
        self._unasked: tuple[str, str | None] | None = None  # the provider where nobody asks for one
        self._catalogues: dict[str, Catalogue] = {}
        self._policies: dict[tuple[str, str], PolicyInForce] = {}
        self._scorer: Weights[AnswerScorer] | None = None  # the shipped one
        self._hashes: dict[int, tuple[object, str]] = {}
        self._available: dict[tuple[str, date], Availability] = {}
        self._accounts: dict[tuple[ModelProvider, str | None, str | None], str] = {}  # by how a model is reached
        self._introduced: set[str] = set()  # hashes the database is known to hold
        self._introducing: dict[str, asyncio.Future[None]] = {}  # the runs that bring them
        self._clients: dict[tuple[str, str, str], ModelClient] = {}
        self.lease = LEASE
        self._sets: RecordedSets | None = None
        self._leases: LeaseStore | None = None
        self._limiter: RateLimiter | None = None
        self._breakers: Breakers | None = None

    def provider(self, asked: str | None) -> tuple[str, str | None]:
        """Who answers, and what to say where nobody chose."""
        if asked:
            return resolve_provider(self._settings, asked)
        if self._unasked is None:
            self._unasked = resolve_provider(self._settings, None)
        return self._unasked

    def catalogue(self, provider: str) -> Catalogue:
        """The models there are for this provider."""
        if provider not in self._catalogues:
            self._catalogues[provider] = load_catalogue(self._settings, provider)
        return self._catalogues[provider]

    def policy(self, asked: str | None, name: str | None = None) -> PolicyInForce:
        """The policy for this provider's catalogue, the settings' where none is named.

        Raises ConfigurationError where the user's part of it is off, InvalidRequest for an unknown one.
        """
        catalogue, name = self.catalogue(self.provider(asked)[0]), name or self._settings.policy
        key = catalogue.name, name
        if key not in self._policies:
            self._policies[key] = policy_in_force(self._settings, catalogue, name)
        return self._policies[key]

    def scorer(self, policy: PolicyInForce) -> Weights[AnswerScorer]:
        """The learned scorer of a run: the policy's, else the shipped one."""
        if policy.scorer is not None:
            return policy.scorer
        if self._scorer is None:
            self._scorer = scorer_weights(None)
        return self._scorer

    def check_chain(self, asked: str | None, chain: Sequence[ModelName], policy: Policy) -> None:
        """A chain of one name may be a misspelt chain. Raises InvalidRequest with the nearest chain or model."""
        if len(chain) == 1 and not is_known_model(chain[0]):
            catalogue = self.catalogue(self.provider(asked)[0])
            if catalogue.get(chain[0]) is None:
                raise InvalidRequest(unknown_chain(chain[0], policy, catalogue))

    def world(
        self,
        asked: str | None,
        *,
        models: Sequence[ModelName] = (),
        policy: PolicyInForce | None = None,
        scorer: AnswerScorer | None = None,
    ) -> World:
        """The world as the settings make it, under their policy where no other is given.

        Raises InvalidRequest for a named model that is unknown, or retired.
        """
        provider, _ = self.provider(asked)
        catalogue = self.catalogue(provider)
        policy = policy or self.policy(asked)
        usable, unusable = self._availability(catalogue, provider)
        for model in models:
            if (name := dataset_of(provider)) is not None:
                self._opened_sets().check_model(name, model)
            find_model(catalogue, model, excluded=unusable)
        if asked in list(ModelProvider):
            unusable = tuple(_not_asked(catalogue, one, str(asked)) for one in unusable)
        return World(
            provider=provider,
            catalogue=catalogue,
            catalogue_hash=self._hash_of(catalogue, catalogue_hash),
            policy=policy.policy,
            policy_hash=self._hash_of(policy.policy, _policy_hash),
            usable=usable,
            unusable=unusable,
            client_for=self._clients_of(provider),
            worker=self._worker,
            observe=self._observe,
            draw=random.random,
            router=policy.router.model if policy.router else None,
            scorer=scorer,
        )

    def _availability(self, catalogue: Catalogue, provider: str) -> Availability:
        """Who is usable today, worked out once a day."""
        day = provider, datetime.now(UTC).date()
        if day not in self._available:
            self._available = {**self._available, day: availability(catalogue, self._settings, provider, today=day[1])}
        return self._available[day]

    def _hash_of(self, one: T, hashed: Callable[[T], str]) -> str:
        """The hash of a catalogue or a policy, computed once an object."""
        known = self._hashes.get(id(one))
        if known is None or known[0] is not one:
            known = self._hashes[id(one)] = (one, hashed(one))
        return known[1]

    def longest_answer(self, asked: str | None) -> int | None:
        """Output tokens of the longest answer that a data set can give; None where another provider is asked."""
        provider = self.provider(asked)[0]
        return max(one.max_tokens for one in self.catalogue(provider).models) if dataset_of(provider) else None

    def check(self, command: StartRun, world: World) -> None:
        """Raises InvalidRequest where a data set is asked for what it does not have."""
        if (name := dataset_of(world.provider)) is not None:
            self._opened_sets().check(name, command)

    async def introduction(self, world: World, log: StoredRunLog, run_id: str) -> Append | None:
        """Catalogue, policy and weights as contents, where the database does not hold them yet.

        One run brings them, with its first append; others of its loop wait until it has, or `end_introduction` is told.
        """
        texts: dict[str, Callable[[], str]] = {
            "catalogue-" + world.catalogue_hash: lambda: catalogue_json(world.catalogue),
            "policy-" + world.policy_hash: lambda: policy_json(world.policy),
            **self._weights(world),
        }
        loop = asyncio.get_running_loop()
        while missing := {ref: text for ref, text in texts.items() if ref not in self._introduced}:
            others = [one for one in self._introducing.values() if one.get_loop() is loop]
            if not others:
                break
            await asyncio.wait(others)
        if not missing:
            return None
        self._introducing[run_id] = loop.create_future()
        stored = await log.store.contents(list(missing))
        self._introduced.update(ref for ref in missing if ref in stored)
        new = [(ref, text()) for ref, text in missing.items() if ref not in stored]
        if not new:
            self.end_introduction(run_id)
            return None
        contents = tuple(Content(ref=ref, stream="catalogue", subject=None, salt=b"", body=body) for ref, body in new)
        published = PriceListPublished(catalogue=world.catalogue_hash, name=world.catalogue.name)
        events = log.new_events("catalogue", [published])
        return Append(streams=(StreamAppend("catalogue", Expected.ANY, events),), contents=contents)

    def end_introduction(self, run_id: str) -> None:
        """What the run was to bring is durable, or will not be."""
        if (waited_for := self._introducing.pop(run_id, None)) is not None and not waited_for.done():
            waited_for.set_result(None)

    def _weights(self, world: World) -> dict[str, Callable[[], str]]:
        """The texts of the weights that the world uses, by reference."""
        known: list[Weights[Any] | None] = [self._scorer]
        known += [one for policy in self._policies.values() for one in (policy.router, policy.scorer)]
        used = (world.router, world.scorer)
        mine = [one for one in known if one is not None and any(one.model is model for model in used)]
        return {one.ref: partial(str, one.text) for one in mine}

    async def world_of(self, run: Run, log: StoredRunLog) -> World:
        """The world that a run was started in: its own catalogue, and who is usable today.

        Raises InvalidRequest where that cannot be had: a model of its plan cannot be called, or its policy is another.
        """
        started = run.started
        assert started is not None, "only a started run has a world"
        world = self.world(started.settings.provider or started.provider)
        if world.policy_hash != started.policy:
            policy = await _stored_policy(started.policy, log)
            if policy is None and run.routing is None:
                raise InvalidRequest(
                    f"{run.id} was started with another policy, and has no plan yet: cancel it, ask again"
                )
            world = replace(world, policy=policy or world.policy, policy_hash=started.policy)
        world = await self._with_weights(world, run, log)
        if world.catalogue_hash != started.catalogue:
            ref = "catalogue-" + started.catalogue
            stored = await log.store.contents([ref])
            if ref not in stored:
                raise InvalidRequest(f"{run.id} was started with another catalogue, which the database does not hold")
            catalogue = catalogue_from_json(stored[ref].body)
            usable, unusable = availability(catalogue, self._settings, started.provider)
            world = replace(
                world, catalogue=catalogue, catalogue_hash=started.catalogue, usable=usable, unusable=unusable
            )
        usable_names = {model.name for model in world.usable}
        missing = [call.model for call in (run.routing.plan if run.routing else ()) if call.model not in usable_names]
        if missing:
            reasons = "; ".join(f"{one.model}: {exclusion_text(one)}" for one in world.unusable if one.model in missing)
            raise InvalidRequest(f"{run.id} cannot be resumed now: {reasons or ', '.join(missing)}")
        return world

    async def _with_weights(self, world: World, run: Run, log: StoredRunLog) -> World:
        """The world with the weights that the run was started with, as the database keeps them.

        Raises InvalidRequest where it does not hold them.
        """
        assert run.started is not None, "only a started run has a world"
        router, scorer = None, None
        if world.policy.router is not None and run.routing is None:
            router = await stored_router(log.store, world.policy.router)
            if router is None:
                raise InvalidRequest(f"{run.id} needs the weights {world.policy.router}, which the database lacks")
        if run.started.settings.scorer is not None:
            scorer = await stored_scorer(log.store, run.started.settings.scorer)
            if scorer is None:
                raise InvalidRequest(
                    f"{run.id} needs the weights {run.started.settings.scorer}: the database lacks them"
                )
        return replace(world, router=router.model if router else None, scorer=scorer.model if scorer else None)

    def opened_leases(self) -> LeaseStore:
        """The leases of the database."""
        if self._leases is None:
            from .store.opening import open_leases

            self._leases = open_leases(self._settings.database_url)
        return self._leases

    def opened_limiter(self) -> RateLimiter:
        """The rate limiter of the database."""
        if self._limiter is None:
            from .limits.opening import open_rate_limiter

            self._limiter = open_rate_limiter(self._settings.database_url)
        return self._limiter

    def bounded(self, world: World, budgets: Sequence[tuple[str, str]]) -> World:
        """The world with what bounds its calls: budgets, leases, and for live calls limits and breakers."""
        bounded = replace(world, budgets=tuple(budgets), leases=self.opened_leases(), lease=self.lease)
        if world.provider != "live":
            return bounded
        if self._breakers is None:
            from .limits.opening import open_breakers

            self._breakers = open_breakers(self._settings.database_url)
        return replace(
            bounded,
            limiter=self.opened_limiter(),
            breakers=self._breakers,
            limits_of=_limits_of,
            on_wait=self._waiting,
            account_of=self._account,
        )

    def _account(self, model: ModelConfig) -> str:
        reached = model.provider, model.base_url, model.api_key_env
        if reached not in self._accounts:
            self._accounts[reached] = account(model, self._settings)
        return self._accounts[reached]

    def _observe(self, run_id: str, event: RunEvent, at: Timestamp) -> None:
        if self._introducing:
            self.end_introduction(run_id)
        self.logging.observe(run_id, event)
        self._telemetry.observe(run_id, event, at)

    def _waiting(self, run_id: str, model: ModelName, seconds: float) -> None:
        self.logging.waiting(run_id, model, seconds)
        if self._on_wait is not None:
            self._on_wait(model, seconds)

    async def aclose(self) -> None:
        """Close every client's connections, and the books; send what telemetry is left."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()
        if self._sets is not None:
            self._sets.close()
        for books in (self._limiter, self._breakers, self._leases):
            if books is not None:
                await books.aclose()
        await self._telemetry.aclose()

    def _clients_of(self, provider: str) -> Callable[[ModelConfig], ModelClient]:
        if (name := dataset_of(provider)) is not None:
            return partial(self._recorded, name)
        return self._simulated if provider == "simulated" else self._live

    def _simulated(self, model: ModelConfig) -> ModelClient:
        from .providers.simulated import SimulatedClient

        return self._clients.setdefault(("simulated", "", ""), SimulatedClient())

    def _recorded(self, name: str, model: ModelConfig) -> ModelClient:
        from .providers.recorded import RecordedClient

        find = partial(self._opened_sets().example, name)
        return self._clients.setdefault(("recorded", name, ""), RecordedClient(find))

    async def recorded_row(self, dataset: str, request: Request) -> Example | None:
        """The row of the set that answers the request."""
        from .providers.recorded import single_prompt

        prompt = single_prompt(request)
        return None if prompt is None else await asyncio.to_thread(self._opened_sets().example, dataset, prompt)

    def _opened_sets(self) -> RecordedSets:
        if self._sets is None:
            from .recorded import RecordedSets

            self._sets = RecordedSets(self._settings.database_url)
        return self._sets

    def _live(self, model: ModelConfig) -> ModelClient:
        reached = access(model, self._settings)
        key = reached.api_key.reveal() if reached.api_key else None
        place = (model.provider.value, reached.base_url, key or "")
        if place not in self._clients:
            self._clients[place] = _new_client(model.provider, key, reached.base_url, self._settings.transport)
        return self._clients[place]


async def _stored_policy(digest: str, log: StoredRunLog) -> Policy | None:
    """The policy that a run was started with; None where this release cannot decide by it."""
    ref = "policy-" + digest
    stored = await log.store.contents([ref])
    if ref not in stored:
        return None
    policy = policy_from_json(stored[ref].body)
    return policy if policy_json(policy) == stored[ref].body else None


def _policy_hash(policy: Policy) -> str:
    return hashlib.sha256(policy_json(policy).encode()).hexdigest()


def _limits_of(model: ModelConfig) -> Limits:
    """What its provider takes of a model in a minute."""
    return Limits(requests=model.rate_limit_rpm, tokens=model.rate_limit_tpm)


def _not_asked(catalogue: Catalogue, exclusion: Exclusion, vendor: str) -> Exclusion:
    """Of a vendor that was not asked it does not matter what its models lack."""
    model = catalogue.get(exclusion.model)
    if model is None or model.provider.value == vendor:
        return exclusion
    return Exclusion(model=exclusion.model, reason=ExclusionReason.PROVIDER, limit=vendor)


def _new_client(provider: ModelProvider, key: str | None, base_url: str, transport: str) -> ModelClient:
    match provider, transport:
        case ModelProvider.ANTHROPIC, "sdk":
            from .providers.anthropic_client import AnthropicClient

            return AnthropicClient(key, base_url)
        case ModelProvider.OPENAI, "sdk":
            from .providers.openai_client import OpenAIClient

            return OpenAIClient(key, base_url)
        case ModelProvider.ANTHROPIC, _:
            from .providers.lean_client import LeanAnthropicClient

            return LeanAnthropicClient(key, base_url)
        case _:
            from .providers.lean_client import LeanOpenAIClient

            return LeanOpenAIClient(key, base_url)
