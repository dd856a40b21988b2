"""Who asks: the key of a request, or whoever is on this machine while there is no key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...application.key_book import KeyBook, caller
from ...application.world import Caller
from ...domain.api_key import LOCAL, ApiKey
from ...domain.events import KeyScope
from .asgi import Scope, header
from .failure import Refused
from .guard import is_local

OPEN = frozenset(("/healthz", "/readyz", "/openapi.json"))  # tell nothing of anybody
BEARER = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whoever asks. Endpoints find it in scope["state"]["identity"]. `key` None: somebody on this machine."""

    key: ApiKey | None = None

    @property
    def owner(self) -> str:
        """Of its runs: the key's name, or local."""
        return LOCAL if self.key is None else self.key.name

    @property
    def caller(self) -> Caller:
        """As the orchestrator knows it."""
        return caller(self.key)

    @property
    def sees_all(self) -> bool:
        """Whether it may see runs of other owners too."""
        return self.may(KeyScope.ADMIN)

    def may(self, scope: KeyScope) -> bool:
        """Whether it has the scope."""
        return self.key is None or self.key.may(scope)

    def need(self, scope: KeyScope) -> None:
        """Raises Refused with 403 where it has not."""
        if not self.may(scope):
            text = f"this API key is not for that: it lacks the scope {scope}; `keys create --scope` gives it"
            raise Refused(403, "forbidden", text)


NOBODY = Identity()


async def identify(scope: Scope, book: KeyBook, hosts: Sequence[str]) -> Identity:
    """Who asks. Raises KeyRefused for a missing, wrong or revoked key, and Refused for who is not on this machine.

    While no key was ever made, whoever is on this machine may do everything, and whatever key they send is ignored; it
    answers then to names of this machine only, and to `hosts`, since a web page can make any other name lead here.
    """
    if (key := await book.holder(token(scope))) is not None:
        return Identity(key=key)
    if not is_local(scope, hosts):
        text = "no API key protects this service, so it answers on this machine only, by the name localhost"
        raise Refused(403, "forbidden", f"{text}: make a key with `model-orchestrator keys create NAME`")
    return NOBODY


def token(scope: Scope) -> str | None:
    """The token of a request, where OpenAI's or Anthropic's clients put it."""
    said = header(scope, b"authorization")
    if said is not None and said.lower().startswith(BEARER):
        return said[len(BEARER) :].strip()
    return header(scope, b"x-api-key")
