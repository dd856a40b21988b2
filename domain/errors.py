"""The errors a caller can meet.

OrchestratorError
├── InvalidRequest        the caller's words are off: a value, a model, a setting (exit 2)
├── ConfigurationError    a setting, its file and what was expected (exit 2)
├── StoreError            the event store cannot serve
│   ├── StoreUnavailable  it cannot be opened or reached, or is full; nothing was written
│   ├── StoreCorrupted    what stands in it is not what was written
│   ├── StoreTooNew       written by a newer release
│   ├── ProjectionStopped a read model stands still before an event it cannot fold
│   └── EventIdReused     an event id came again with other content
├── KeyRefused            an API key that is missing, unknown or revoked
├── RunNotFound           no run has that name, or several do
├── RunFailure            a run ended without an answer; the log says why (exit 1)
└── ModelError            one call to a model did not succeed
    ├── ModelUnavailable  it may succeed when tried again
    ├── ModelRefused      it will not succeed when tried again
    └── OutcomeUnknown    the call left, and no whole answer came back: it may be billed
"""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """Why a call or a run failed; the word events, JSON output and reports use."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIME_OUT = "time_out"
    CONNECTION = "connection"
    CUT = "cut"  # the connection or the stream ended before the answer was whole
    CONTEXT_WINDOW = "context_window"
    AUTH = "auth"
    QUOTA = "quota"  # the account has no credit left, or reached its spending limit: waiting does not help
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"  # the provider knows no such model
    SERVER = "server"
    MALFORMED = "malformed"  # the reply is not what the protocol says
    NO_CANDIDATE = "no_candidate"  # no usable model can answer this request
    BUDGET = "budget"  # what it could cost does not fit
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    CRASH = "crash"  # the worker was gone before the answer came
    BREAKER = "breaker"  # not asked: it failed too often lately
    CONTENT = "content"  # the run cannot go on: its request or an answer was not stored, or was erased
    TAKEN_OVER = "taken_over"  # another worker has the run; it goes on there


class OrchestratorError(Exception):
    """Anything this package raises on purpose; its text says what to do."""

    kind = "error"


class InvalidRequest(OrchestratorError):
    """The caller's words are off; nothing was done."""

    kind = "invalid_request"


class ConfigurationError(OrchestratorError):
    """A setting is off; the text names its key, its source and what was expected."""

    kind = "configuration"


class StoreError(OrchestratorError):
    """The event store cannot serve."""

    kind = "store"


class StoreUnavailable(StoreError):
    """The database cannot be opened, reached or written; nothing was written."""

    kind = "store_unavailable"


class StoreCorrupted(StoreError):
    """The database does not hold what was written to it."""

    kind = "store_corrupted"


class StoreTooNew(StoreError):
    """A newer release wrote this database."""

    kind = "store_too_new"


class ProjectionStopped(StoreError):
    """A read model stands still before an event it cannot fold; the log itself is as it was."""

    kind = "projection_stopped"


class EventIdReused(StoreError):
    """An event id came again with other content, or a batch is partly known."""

    kind = "event_id_reused"


class KeyRefused(OrchestratorError):
    """The API key is missing, unknown or revoked; the text never holds a token."""

    kind = "key_refused"


class RunNotFound(OrchestratorError):
    """No run has that name, or several begin with it."""

    kind = "run_not_found"


class RunFailure(OrchestratorError):
    """A run ended, or would end, without an answer. `run_id` names the log that says why; None: nothing was run."""

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        run_id: str | None = None,
        details: dict[str, str | None] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind.value
        self.run_id = run_id
        self.details = details or {}


class ModelError(OrchestratorError):
    """One call to a model did not succeed. `status` is HTTP's; `detail` is the provider's text, for contents only."""

    def __init__(
        self,
        error: ErrorKind,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        detail: str | None = None,
        provider_request_id: str | None = None,
    ) -> None:
        super().__init__(error.value)
        self.error = error
        self.kind = error.value
        self.status = status
        self.retry_after = retry_after  # seconds, where the provider said so
        self.detail = detail
        self.provider_request_id = provider_request_id


class ModelUnavailable(ModelError):
    """Not billed, and it may succeed when tried again: a refused connection, 429, 529."""


class ModelRefused(ModelError):
    """Not billed, and it will not succeed when tried again: the provider rejected the request before running it."""


class OutcomeUnknown(ModelError):
    """The call left and no whole answer came back; whether it is billed is unknown."""
