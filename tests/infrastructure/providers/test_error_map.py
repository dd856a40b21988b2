"""One map from failures to classes."""

import json
from dataclasses import dataclass, field
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.errors import ErrorKind, ModelError, ModelRefused, ModelUnavailable, OutcomeUnknown
from model_orchestrator.infrastructure.providers.error_map import model_error, retry_after

NOW = 1_764_000_000.0


@dataclass
class Response:
    headers: dict[str, str] = field(default_factory=dict)


class StatusError(Exception):
    """As both SDKs shape theirs."""

    def __init__(self, status: int, body: object = None, **headers: str) -> None:
        super().__init__("the provider's words")
        self.status_code = status
        self.body = body
        self.response = Response({name.replace("_", "-"): value for name, value in headers.items()})


class APIConnectionError(Exception):
    """As both SDKs name theirs."""


def mapped(error: BaseException, *, sent: bool = True) -> ModelError:
    return model_error(error, sent=sent, now=NOW, secret="sk-secret")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_was_rejected_is_not_worth_a_retry(status: int) -> None:
    """Known unbilled."""
    assert type(mapped(StatusError(status))) is ModelRefused


@pytest.mark.parametrize("status", [408, 409, 425, 499, 500, 502, 503, 504, 520, 599])
def test_what_may_have_run_is_of_unknown_outcome(status: int) -> None:
    """Only 429 and 529 are known unbilled among what may be tried again."""
    assert type(mapped(StatusError(status))) is OutcomeUnknown


@given(st.integers(300, 599))
def test_only_429_and_529_are_unavailable(status: int) -> None:
    """No other reply is tried again for free."""
    assert (type(mapped(StatusError(status))) is ModelUnavailable) == (status in (429, 529))


@pytest.mark.parametrize(
    "body",
    [
        {"code": "context_length_exceeded", "message": "too long"},
        {"error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}},
        {"error": {"message": "input length and `max_tokens` exceed context limit: 1 + 2 > 2"}},
        {"code": 400, "message": "request (14031 tokens) exceeds the available context size (2048 tokens)"},
        {"message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"},
        "Requested tokens (2285) exceed context window of 2048",
    ],
)
def test_a_context_window_is_recognised(body: object) -> None:
    """In the words of OpenAI, Anthropic, llama.cpp, vLLM and llama-cpp-python."""
    error = mapped(StatusError(400, body))
    assert type(error) is ModelRefused
    assert error.error is ErrorKind.CONTEXT_WINDOW


def test_an_overload_that_is_no_529_keeps_its_kind_but_is_unknown() -> None:
    """The kind is for people, the class for money."""
    error = mapped(StatusError(503, {"error": {"type": "overloaded_error"}}))
    assert type(error) is OutcomeUnknown
    assert error.error is ErrorKind.OVERLOADED


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"code": "insufficient_quota"}),
        (429, {"error": {"details": {"error_code": "enforced_spend_limit_reached"}}}),
        (402, {"error": {"type": "billing_error"}}),
        (400, {"error": {"message": "Your credit balance is too low"}}),
    ],
)
def test_an_empty_account_is_refused(status: int, body: object) -> None:
    """Waiting does not help."""
    error = mapped(StatusError(status, body))
    assert type(error) is ModelRefused
    assert error.error is ErrorKind.QUOTA


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": formatdate(NOW + 20, usegmt=True)}, 20.0),
        ({"retry-after": formatdate(NOW - 20, usegmt=True)}, 0.0),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_the_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds or a date; never negative, never endless."""
    assert retry_after(headers, NOW) == seconds


def test_a_failure_before_anything_was_sent_may_be_tried_again() -> None:
    """Whatever it is called."""
    for error in (APIConnectionError("refused"), TimeoutError(), ConnectionRefusedError(), OSError("no network")):
        assert type(mapped(error, sent=False)) is ModelUnavailable


def test_a_call_that_cannot_be_made_is_refused() -> None:
    """A mistake of this side is no reason to try again."""
    assert type(mapped(TypeError("unexpected keyword"), sent=False)) is ModelRefused


@given(
    st.sampled_from([APIConnectionError, TimeoutError, ConnectionResetError, OSError, KeyError, TypeError, Exception])
)
def test_whatever_breaks_after_sending_is_of_unknown_outcome(kind: type[Exception]) -> None:
    """The request may have been billed."""
    assert type(mapped(kind("broken"))) is OutcomeUnknown


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), ErrorKind.TIME_OUT),
        (ConnectionResetError(), ErrorKind.CUT),
        (json.JSONDecodeError("Expecting value", "", 0), ErrorKind.MALFORMED),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), ErrorKind.MALFORMED),
        (KeyError("choices"), ErrorKind.MALFORMED),
    ],
)
def test_the_kind_says_what_broke(error: BaseException, kind: ErrorKind) -> None:
    """For people and reports."""
    assert mapped(error).error is kind


def test_the_cause_behind_an_sdk_error_counts() -> None:
    """The SDKs wrap what the HTTP client raised."""
    wrapped = APIConnectionError("Connection error.")
    wrapped.__cause__ = TimeoutError()
    assert mapped(wrapped).error is ErrorKind.TIME_OUT


def test_no_text_and_no_key_reaches_the_message() -> None:
    """The provider's words are in the detail alone, and the key in neither."""
    error = mapped(StatusError(401, {"message": "Incorrect API key provided: sk-secret"}))
    assert str(error) == "auth"
    assert error.detail is not None
    assert "Incorrect API key" in error.detail
    assert "sk-secret" not in error.detail
