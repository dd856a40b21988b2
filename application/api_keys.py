"""API keys: made, listed and revoked as events.

A name is an owner; its keys come one after the other in the stream `key-NAME`, so that a revoked key's successor goes
on with the runs and budgets of the name, and no two keys of a name are in force at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..domain.api_key import ApiKey, key_name_of, token_hash
from ..domain.catalogue import ModelName
from ..domain.errors import InvalidRequest
from ..domain.events import KeyCreated, KeyEvent, KeyRevoked, KeyScope
from ..domain.periods import PERIODS
from ..domain.units import Usd
from .budgets import period_of
from .key_book import KEY_PREFIX, Keys, caller, iso
from .ports import Append, Appended, EventStore, RunLog, StreamAppend
from .run_options import max_cost_of
from .world import Caller

USUAL_SCOPES = (KeyScope.RUN, KeyScope.READ)
MOST_A_MINUTE = 1_000_000
_HINT = "`model-orchestrator keys list` shows those in force"


async def create_key(
    store: EventStore,
    log: RunLog,
    *,
    id: str,
    token: str,
    name: str,
    scopes: Sequence[KeyScope] = USUAL_SCOPES,
    models: Sequence[ModelName] | None = None,
    requests_a_minute: int | None = None,
) -> ApiKey:
    """Put a key in force; only the hash of its token is kept. Raises InvalidRequest, also where the name has one."""
    event = KeyCreated(
        id=id,
        name=key_name_of(name),
        token_hash=token_hash(token),
        scopes=tuple(scope for scope in KeyScope if scope in scopes),
        models=None if models is None else tuple(dict.fromkeys(models)),
        requests_a_minute=requests_a_minute,
    )
    while True:  # until nobody else was first
        history, version = await _history(store, log, name)
        check_free(history)
        if await _append(store, log, event, name, version=version):
            return next(one for one in await keys_of(store, log, name) if one.id == id)


async def revoke_key(store: EventStore, log: RunLog, name_or_id: str, *, by: str) -> ApiKey:
    """Take a key out of force, at once and for good. Raises InvalidRequest where there is none."""
    while True:
        key = await _meant(store, log, name_or_id)
        history, version = await _history(store, log, key.name)
        if key not in history:  # somebody revoked it since
            continue
        if await _append(store, log, KeyRevoked(id=key.id, by=by), key.name, version=version):
            return next(one for one in await keys_of(store, log, key.name) if one.id == key.id)


async def list_keys(store: EventStore, log: RunLog) -> tuple[ApiKey, ...]:
    """Every key that was ever made, in order."""
    keys = Keys(log)
    keys.add(await store.read_family(KEY_PREFIX))
    return keys.all


async def keys_of(store: EventStore, log: RunLog, name: str) -> tuple[ApiKey, ...]:
    """The keys that a name had, in order; all but the last are revoked."""
    return (await _history(store, log, name))[0]


async def caller_of(store: EventStore, log: RunLog, owner: str) -> Caller:
    """Who owns a run, with the models that the last key of that name allows."""
    keys = await keys_of(store, log, owner)
    return caller(keys[-1]) if keys else Caller(owner=owner)


def check_free(history: Sequence[ApiKey]) -> None:
    """Raises InvalidRequest where one of a name's keys is in force."""
    if history and history[-1].is_in_force:
        name = history[-1].name
        raise InvalidRequest(f"there is a key {name} already: take another name, or `keys revoke {name}` first")


def no_key(name_or_id: str) -> InvalidRequest:
    """The error for a key that never was."""
    return InvalidRequest(f"there is no key {name_or_id[:64]!r}: {_HINT}")


def scopes_of(text: str) -> tuple[KeyScope, ...]:
    """The scopes of `run,read`. Raises InvalidRequest."""
    words = [word.strip() for word in text.split(",")]
    if not all(word in list(KeyScope) for word in words):
        raise InvalidRequest(f"scope {text[:64]!r}: expected one or more of {', '.join(KeyScope)}, with commas between")
    return tuple(scope for scope in KeyScope if scope in words)


def rate_of(requests: int | None) -> int | None:
    """Requests a minute. Raises InvalidRequest."""
    if requests is not None and not 1 <= requests <= MOST_A_MINUTE:
        raise InvalidRequest(f"{requests} requests a minute are not possible: expected 1 to {MOST_A_MINUTE:,}")
    return requests


def budget_of(text: str) -> tuple[Usd, str]:
    """Amount and period of `5/day`. Raises InvalidRequest."""
    amount, _, period = text.partition("/")
    try:
        limit = max_cost_of({"max_cost": amount.strip().removeprefix("$")}, None)
        if limit and period:
            return limit, period_of(period.strip())
    except InvalidRequest:
        pass
    raise InvalidRequest(
        f"budget {text[:64]!r}: expected US dollars above 0 and a period ({', '.join(PERIODS)}), such as 5/day"
    )


def key_dict(key: ApiKey) -> dict[str, Any]:
    """A key for JSON; moments are UTC. What its token is nobody can say."""
    return {
        "name": key.name,
        "id": key.id,
        "scopes": [scope.value for scope in key.scopes],
        "models": None if key.models is None else list(key.models),
        "requests_a_minute": key.requests_a_minute,
        "created_at": iso(key.created_at),
        "revoked_at": None if key.revoked_at is None else iso(key.revoked_at),
    }


async def _meant(store: EventStore, log: RunLog, name_or_id: str) -> ApiKey:
    """The key in force of that name, else of that id. Raises InvalidRequest where there is none."""
    keys = await list_keys(store, log)
    named = [key for key in keys if key.name == name_or_id and key.is_in_force]
    by_id = [key for key in keys if key.id == name_or_id.removeprefix(KEY_PREFIX)]
    found = next(iter((*named, *by_id)), None)
    if found is not None and found.is_in_force:
        return found
    gone = found or next((key for key in reversed(keys) if key.name == name_or_id), None)
    if gone is not None:
        raise InvalidRequest(f"the key {gone.name} ({gone.id}) is revoked already: {_HINT}")
    raise no_key(name_or_id)


async def _append(store: EventStore, log: RunLog, event: KeyEvent, name: str, *, version: int) -> bool:
    """The event at the end of the name's stream; False where somebody else was first."""
    stream = KEY_PREFIX + name
    appended = StreamAppend(stream, version, log.new_events(stream, [event]))
    return isinstance(await store.append(Append(streams=(appended,))), Appended)


async def _history(store: EventStore, log: RunLog, name: str) -> tuple[tuple[ApiKey, ...], int]:
    """The keys of a name, in order, and the version of its stream."""
    keys, entries = Keys(log), await store.read_stream(KEY_PREFIX + name)
    keys.add(entries)
    return keys.all, len(entries)
