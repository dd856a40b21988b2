"""Who may do and see what: the one place that decides it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import HTTPConnection

from ....application.runs import LoggedRun
from ....domain.events import KeyScope
from ....domain.filters import Compare, Condition, Field, Op
from ..authentication import Identity
from ..failure import Refused

RUN, READ, ADMIN = KeyScope.RUN, KeyScope.READ, KeyScope.ADMIN
KEY_SCOPE = "key:"  # begins the budget scope of one owner


def allowed(connection: HTTPConnection, *scopes: KeyScope) -> Identity:
    """Who asks, if one of the scopes is theirs. Raises Refused with 403."""
    identity: Identity = connection.scope["state"]["identity"]
    if not any(identity.may(scope) for scope in scopes):
        identity.need(scopes[0])
    return identity


def own(identity: Identity, fields: Mapping[str, Field]) -> tuple[Condition, ...]:
    """What rows must meet to be seen."""
    return () if identity.sees_all else (Compare(fields["owner"], Op.EQUAL, identity.owner),)


def seen(identity: Identity, logged: LoggedRun) -> LoggedRun:
    """The run. Raises Refused with 404 where there is none, or it is another's: which of the two is not told."""
    started = logged.run.started
    if started is None or not (identity.sees_all or started.owner == identity.owner):
        raise Refused(404, "run_not_found", f"there is no run {logged.run.id}: GET /runs lists them")
    return logged


def sees_budget(identity: Identity, scope: str) -> bool:
    """Whether a budget concerns who asks: its own key's; others tell what other owners spend."""
    return identity.sees_all or scope == f"{KEY_SCOPE}{identity.owner}"
