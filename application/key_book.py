"""Who holds an API key, what of the log they may see, and how often they may ask: for who serves requests."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ..domain.api_key import TOKEN_PREFIX, ApiKey, evolve_key, token_hash
from ..domain.errors import KeyRefused
from ..domain.events import KeyEvent, KeyScope
from ..domain.filters import RUN_FIELDS, Compare, Condition, Op
from ..domain.run import Run
from ..domain.units import MILLION, Timestamp
from .limits import Limits, RateLimiter
from .ports import EventStore, RecordedEvent, RunLog
from .world import Caller

KEY_PREFIX = "key-"  # begins the names of their streams
_MAKE = "`model-orchestrator keys create NAME` makes one"


class Keys:
    """Every key that was ever made, folded from events in order of position; those that come again change nothing."""

    def __init__(self, log: RunLog) -> None:
        self.position = 0  # of the latest event of theirs that was read
        self._log = log
        self._by_id: dict[str, ApiKey] = {}

    @property
    def all(self) -> tuple[ApiKey, ...]:
        """In order of their making."""
        return tuple(self._by_id.values())

    def add(self, entries: Sequence[RecordedEvent]) -> None:
        """Fold what is new among the entries."""
        for entry in entries:
            if entry.position > self.position:
                event: KeyEvent = self._log.decode(entry)
                if (key := evolve_key(self._by_id.get(event.id), event, entry.recorded_at)) is not None:
                    self._by_id[event.id] = key
                self.position = entry.position


class KeyBook:
    """Answers for every key of the database as the log says at that moment, whichever process wrote it."""

    def __init__(self, store: EventStore, log: RunLog, limiter: Callable[[], RateLimiter]) -> None:
        self._store = store
        self._limiter = limiter
        self._keys = Keys(log)

    async def authenticate(self, token: str | None) -> ApiKey:
        """The key in force that has the token. Raises KeyRefused, which says what to do and nothing of the token.

        The token's hash is compared with that of every key, each in constant time, whichever it is.
        """
        await self._read_on()
        return self._holder(token)

    async def holder(self, token: str | None) -> ApiKey | None:
        """The same in one reading with `any_keys`: None while no key was ever made, whatever the token."""
        await self._read_on()
        return self._holder(token) if self._keys.all else None

    def _holder(self, token: str | None) -> ApiKey:
        if not token:
            raise KeyRefused(f"an API key is needed: send one as `Authorization: Bearer {TOKEN_PREFIX}...`; {_MAKE}")
        given, found = token_hash(token), None
        for key in self._keys.all:
            if hmac.compare_digest(key.token_hash, given):
                found = key
        if found is None:
            raise KeyRefused(f"this API key is not known here: check that it is whole; {_MAKE}")
        if found.revoked_at is not None:
            raise KeyRefused(f"this API key was revoked on {iso(found.revoked_at)[:10]}: use another; {_MAKE}")
        return found

    async def any_keys(self) -> bool:
        """Whether a key was ever made: from then on one is needed, so that revoking the last one opens nothing."""
        await self._read_on()
        return bool(self._keys.all)

    async def in_force(self) -> tuple[ApiKey, ...]:
        """The keys that open something now, in order of their making."""
        await self._read_on()
        return tuple(key for key in self._keys.all if key.is_in_force)

    async def admit(self, key: ApiKey) -> float | None:
        """Count a request of the key: None, or the seconds after which another may come, where it had its share.

        Exact across all processes of the database; a refused request does not count.
        """
        if key.requests_a_minute is None:
            return None
        return await self._limiter().admit(f"{KEY_PREFIX}{key.id}", Limits(requests=key.requests_a_minute)) or None

    async def _read_on(self) -> None:
        self._keys.add(await self._store.read_family(KEY_PREFIX, after=self._keys.position))


def caller(key: ApiKey | None) -> Caller:
    """Who asks with the key; without one whoever is on the machine."""
    return Caller() if key is None else Caller(owner=key.name, models=key.models)


def visible(key: ApiKey | None) -> tuple[Condition, ...]:
    """What is to be met by the runs that the key may read; without a key, or with an admin's, nothing."""
    if key is None or key.may(KeyScope.ADMIN):
        return ()
    return (Compare(RUN_FIELDS["owner"], Op.EQUAL, key.name),)


def may_see(key: ApiKey | None, run: Run) -> bool:
    """Whether the key may read the run: its own, or any where `visible` asks nothing."""
    return not visible(key) or (key is not None and run.started is not None and run.started.owner == key.name)


def iso(moment: Timestamp) -> str:
    """A moment for people: UTC, in seconds."""
    return datetime.fromtimestamp(moment // MILLION, UTC).isoformat()
