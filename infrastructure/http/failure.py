"""What a request that was not served is answered: one status and one message for every protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...domain.errors import (
    ConfigurationError,
    ErrorKind,
    InvalidRequest,
    KeyRefused,
    OrchestratorError,
    RunFailure,
    RunNotFound,
    StoreError,
)

STATUS = {  # of a run that ended without an answer
    ErrorKind.BUDGET: 402,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.BREAKER: 503,
    ErrorKind.CANCELLED: 503,
    ErrorKind.TAKEN_OVER: 503,
    ErrorKind.CRASH: 503,
    ErrorKind.TIME_OUT: 408,
    ErrorKind.DEADLINE: 408,
    ErrorKind.CONTEXT_WINDOW: 400,
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.NO_CANDIDATE: 400,
    ErrorKind.CONTENT: 409,
}
STORE_FAILED = "the database cannot be used now: ask again in a moment; the service's log says why"  # and where it is
STOPPING = "stopping"  # the kind of a refusal: the worker takes no run any more
UPSTREAM_FAILED = 502  # every other kind: what a provider did


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An answer that is an error. `kind` is ours, such as budget; `details` its figures as text."""

    status: int
    kind: str
    message: str  # says what to do; never a word of a prompt, an answer or a key
    run_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    retry_after: int | None = None  # seconds; of 429 and 503


class Refused(OrchestratorError):
    """The service answers so before anything is run."""

    def __init__(
        self, status: int, kind: str, message: str, *, retry_after: int | None = None, run_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.failure = Failure(status=status, kind=kind, message=message, retry_after=retry_after, run_id=run_id)


def failure_of(error: OrchestratorError) -> Failure:
    """The failure that an error of ours is answered with."""
    if isinstance(error, Refused):
        return error.failure
    if isinstance(error, KeyRefused):
        return Failure(status=401, kind=error.kind, message=str(error))
    if isinstance(error, RunFailure):
        status = STATUS.get(ErrorKind(error.kind), UPSTREAM_FAILED)
        return Failure(
            status=status,
            kind=error.kind,
            message=str(error),
            run_id=error.run_id,
            details=error.details,
            retry_after=_retry_after(status, error),
        )
    if isinstance(error, StoreError):
        return Failure(status=503, kind=error.kind, message=STORE_FAILED, retry_after=1)
    status = 404 if isinstance(error, RunNotFound) else 500 if isinstance(error, ConfigurationError) else 400
    return Failure(status=status, kind=error.kind if status != 400 else InvalidRequest.kind, message=str(error))


def is_open(error: OrchestratorError) -> bool:
    """Whether the run may go on elsewhere: the same request with the same key then gets what becomes of it."""
    stopping = isinstance(error, Refused) and error.failure.kind == STOPPING
    return stopping or isinstance(error, StoreError) or error.kind == ErrorKind.TAKEN_OVER


def _retry_after(status: int, error: RunFailure) -> int | None:
    """Seconds after which it is worth trying again: as the provider said, where it did."""
    if status not in (429, 503):
        return None
    said = error.details.get("retry_after")
    return max(1, round(float(said))) if said is not None else 1
