"""What a user needs to know when something does not work: keys, reach, models, database, versions."""

from __future__ import annotations

import asyncio
import platform
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from .. import __version__
from ..domain.errors import OrchestratorError
from .availability import access, availability
from .breaker_states import breaker_dict, breaker_states, breaker_text
from .catalogues import load_catalogue
from .database_url import masked
from .policies import policy_in_force
from .policy import policy_of
from .settings import KEY_VARIABLES, Settings, resolve_provider

REACH_TIMEOUT = 3.0  # seconds to connect


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` None: nothing wrong, but worth knowing."""

    name: str
    ok: bool | None
    says: str
    breaker: dict[str, str | int | None] | None = None  # of a model whose breaker is not closed


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Every finding, in the order a user would look. Connects to the providers' addresses, sends nothing."""
    yield Finding(
        "version", True, f"{__version__} on Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
    yield Finding("settings", True, str(settings.file) if settings.file else "no file; environment and defaults")
    for variable in KEY_VARIABLES.values():
        known = variable in settings.keys
        yield Finding(f"key {variable}", True if known else None, "set" if known else "not set")
    provider, notice = resolve_provider(settings, None)
    catalogue = load_catalogue(settings, provider)
    policy = policy_in_force(settings, catalogue, settings.policy).policy
    if policy != policy_of(catalogue.name):
        yield Finding("policy", True, f"{policy.version}; {len(policy.chains)} chains, default {policy.default_chain}")
    usable, _ = availability(catalogue, settings, provider)
    count = f"{len(usable)} of {len(catalogue.models)} usable in catalogue {catalogue.name}, {provider}"
    yield Finding("models", bool(usable), f"{count}; {notice}" if notice else count)
    for model, state in (await breaker_states(settings, usable)).items():
        yield Finding(f"breaker {model}", None, breaker_text(state), breaker_dict(state))
    if provider == "live":
        for address in sorted({access(model, settings).base_url for model in usable}):
            yield await _reach(address)
    yield await _database(settings)


async def _reach(address: str) -> Finding:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(REACH_TIMEOUT):
            _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.close()
    except (OSError, TimeoutError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no answer"
        return Finding(f"reach {parts.hostname}:{port}", False, f"{reason}: check the network and the base_url")
    return Finding(f"reach {parts.hostname}:{port}", True, "connects")


async def _database(settings: Settings) -> Finding:
    from .store.opening import open_store

    where = masked(settings.database_url)
    try:
        store = open_store(settings.database_url)
        try:
            head = await store.head()
        finally:
            await store.aclose()
    except OrchestratorError as error:
        return Finding("database", False, f"{where}: {error}")
    return Finding("database", True, f"{where}: {head} events")
