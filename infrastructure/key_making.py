"""Making an API key: its token is drawn here, handed out once, and kept nowhere."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import uuid_utils

from ..application.api_keys import USUAL_SCOPES, check_free, create_key, keys_of
from ..domain.api_key import TOKEN_PREFIX, ApiKey, key_name_of
from ..domain.budget import key_scope
from ..domain.catalogue import ModelName
from ..domain.events import KeyScope
from ..domain.units import Usd

if TYPE_CHECKING:
    from .bootstrap import Orchestrator

RANDOM_BYTES = 32


async def make_key(
    orchestrator: Orchestrator,
    name: str,
    *,
    scopes: Sequence[KeyScope] = USUAL_SCOPES,
    models: Sequence[ModelName] | None = None,
    requests_a_minute: int | None = None,
    budget: tuple[Usd, str] | None = None,
) -> tuple[ApiKey, str]:
    """A key in force, and its token; `budget` is an amount and its period. Raises InvalidRequest.

    The budget is set first: there is no moment in which the key could ask without it.
    """
    store, log = orchestrator.store, orchestrator.log
    check_free(await keys_of(store, log, key_name_of(name)))
    if budget is not None:
        limit, period = budget
        await orchestrator.set_budget(key_scope(name), limit, period=period)
    token = TOKEN_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    key = await create_key(
        store,
        log,
        id=str(uuid_utils.uuid7()),
        token=token,
        name=name,
        scopes=scopes,
        models=models,
        requests_a_minute=requests_a_minute,
    )
    return key, token
