"""The models a run can see: the catalogue, who is usable, and a client for each address."""

from __future__ import annotations

import hashlib
from functools import cached_property

from ..application.orchestrator import World
from ..application.ports import Append, Content, Expected, ModelClient, StreamAppend
from ..domain.catalogue import Catalogue, ModelConfig, ModelName, ModelProvider
from ..domain.errors import InvalidRequest
from ..domain.events import Exclusion, ExclusionReason, PriceListPublished
from .availability import access, availability
from .catalogues import catalogue_hash, catalogue_json, find_model, load_catalogue
from .logging import RunLogging
from .policy import policy_json
from .run_log import StoredRunLog
from .settings import Settings, resolve_provider


class Worlds:
    """Makes the world of a run from the settings, once for each provider asked for."""

    def __init__(self, settings: Settings, *, worker: str) -> None:
        self._settings = settings
        self._worker = worker
        self._logging = RunLogging(settings.log_level, settings.log_format)
        self._catalogues: dict[str, Catalogue] = {}
        self._introduced: set[str] = set()  # hashes the database is known to hold
        self._clients: dict[tuple[str, str, str], ModelClient] = {}

    def provider(self, asked: str | None) -> tuple[str, str | None]:
        """Who answers, and what to say where nobody chose."""
        return resolve_provider(self._settings, asked)

    def catalogue(self, provider: str) -> Catalogue:
        """The models there are for this provider."""
        if provider not in self._catalogues:
            self._catalogues[provider] = load_catalogue(self._settings, provider)
        return self._catalogues[provider]

    def world(self, asked: str | None, *, model: ModelName | None) -> World:
        """The world as the settings make it. Raises InvalidRequest for a model that is unknown, or retired."""
        provider, _ = self.provider(asked)
        if provider not in ("live", "simulated"):
            raise InvalidRequest(f"provider {provider!r}: this release has no recorded answers to play")
        catalogue = self.catalogue(provider)
        if model is not None:
            find_model(catalogue, model, settings=self._settings, provider=provider)
        usable, unusable = availability(catalogue, self._settings, provider)
        if asked in list(ModelProvider):
            unusable = tuple(_not_asked(catalogue, one, str(asked)) for one in unusable)
        return World(
            provider=provider,
            catalogue=catalogue,
            catalogue_hash=catalogue_hash(catalogue),
            policy_hash=self._policy_hash,
            usable=usable,
            unusable=unusable,
            client_for=self._simulated if provider == "simulated" else self._live,
            worker=self._worker,
            observe=self._logging.observe,
        )

    async def introduction(self, world: World, log: StoredRunLog) -> Append | None:
        """Catalogue and policy as contents under their hashes, where the database does not hold them yet."""
        texts = {
            world.catalogue_hash: ("catalogue-" + world.catalogue_hash, catalogue_json(world.catalogue)),
            world.policy_hash: ("policy-" + world.policy_hash, policy_json()),
        }
        missing = {digest: text for digest, text in texts.items() if digest not in self._introduced}
        if not missing:
            return None
        stored = await log.store.contents([ref for ref, _ in missing.values()])
        self._introduced.update(digest for digest, (ref, _) in missing.items() if ref in stored)
        new = [(ref, body) for ref, body in missing.values() if ref not in stored]
        if not new:
            return None
        contents = tuple(Content(ref=ref, stream="catalogue", subject=None, salt=b"", body=body) for ref, body in new)
        published = PriceListPublished(catalogue=world.catalogue_hash, name=world.catalogue.name)
        events = log.new_events("catalogue", [published])
        return Append(streams=(StreamAppend("catalogue", Expected.ANY, events),), contents=contents)

    async def aclose(self) -> None:
        """Close every client's connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    @cached_property
    def _policy_hash(self) -> str:
        return hashlib.sha256(policy_json().encode()).hexdigest()

    def _simulated(self, model: ModelConfig) -> ModelClient:
        from .providers.simulated import SimulatedClient

        return self._clients.setdefault(("simulated", "", ""), SimulatedClient())

    def _live(self, model: ModelConfig) -> ModelClient:
        reached = access(model, self._settings)
        key = reached.api_key.reveal() if reached.api_key else None
        place = (model.provider.value, reached.base_url, key or "")
        if place not in self._clients:
            self._clients[place] = _new_client(model.provider, key, reached.base_url)
        return self._clients[place]


def _not_asked(catalogue: Catalogue, exclusion: Exclusion, vendor: str) -> Exclusion:
    """Of a vendor that was not asked it does not matter what its models lack."""
    model = catalogue.get(exclusion.model)
    if model is None or model.provider.value == vendor:
        return exclusion
    return Exclusion(model=exclusion.model, reason=ExclusionReason.PROVIDER, limit=vendor)


def _new_client(provider: ModelProvider, key: str | None, base_url: str) -> ModelClient:
    match provider:
        case ModelProvider.ANTHROPIC:
            from .providers.anthropic_client import AnthropicClient

            return AnthropicClient(key, base_url)
        case ModelProvider.OPENAI:
            from .providers.openai_client import OpenAIClient

            return OpenAIClient(key, base_url)
