"""One map from what can go wrong in a call, over an SDK or over HTTP alone, to the domain's three classes.

What the money rules need is the class: *unavailable* and *refused* are known to be unbilled, everything else is
unknown once the request may have left. Whether it left is measured on the wire (`sent`), never guessed from a type.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ...domain.errors import ErrorKind, ModelError, ModelRefused, ModelUnavailable, OutcomeUnknown

DETAIL_LIMIT = 20_000  # characters kept of a provider's error body

# What reading a reply of another shape raises; a JSONDecodeError or UnicodeDecodeError is a ValueError.
UNREADABLE = (ValueError, TypeError, AttributeError, LookupError)

# Rejected before the model ran. Source: both vendors' error pages (2026-11-24).
REFUSED = {
    400: ErrorKind.BAD_REQUEST,
    401: ErrorKind.AUTH,
    402: ErrorKind.QUOTA,
    403: ErrorKind.AUTH,
    404: ErrorKind.NOT_FOUND,
    405: ErrorKind.BAD_REQUEST,
    413: ErrorKind.BAD_REQUEST,
    415: ErrorKind.BAD_REQUEST,
    422: ErrorKind.BAD_REQUEST,
    431: ErrorKind.BAD_REQUEST,
}

# Source: OpenAI's code; Anthropic's text; llama.cpp PR 15780 and its texts; vLLM's text (2026-11-24).
_CONTEXT = re.compile(
    r"context_length_exceeded|exceed_context_size|prompt is too long|maximum context length|exceed context limit"
    r"|exceeds? the available context size|context size has been exceeded|exceed(?:s|ed)? (?:the )?context window",
    re.IGNORECASE,
)
# A 429 that waiting does not cure. Source: OpenAI's error codes; Anthropic's error.details.error_code (2026-11-24).
_QUOTA = re.compile(r"insufficient_quota|enforced_spend_limit_reached|credit balance is too low", re.IGNORECASE)


def model_error(error: BaseException, *, sent: bool, now: float, secret: str | None = None) -> ModelError:
    """The domain's error for `error`. `sent`: the request may have left; `now`: Unix seconds, for a dated Retry-After.

    `secret` is removed from the detail: some servers repeat the key they were given.
    """
    if isinstance(error, ModelError):
        return error
    detail = _without(secret, _detail(error))
    if not sent:
        return _unsent_error(error, detail)
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 300:
        return _status_error(error, status, detail, now)
    kind = _kind_on_the_way(error)
    return OutcomeUnknown(kind, detail=detail, provider_request_id=_request_id(error))


def _unsent_error(error: BaseException, detail: str) -> ModelError:
    """No connection: try again. Anything else is the call's own fault, such as an address that is none."""
    names = [type(link).__name__ for link in _chain(error)]
    hopeless = {"LocalProtocolError", "UnsupportedProtocol", "InvalidURL"} & set(names)
    on_the_way = any("Connect" in name or "Timeout" in name for name in names) or isinstance(error, OSError)
    if on_the_way and not hopeless:
        return ModelUnavailable(ErrorKind.CONNECTION, detail=detail)
    return ModelRefused(ErrorKind.BAD_REQUEST, detail=detail)


def _status_error(error: BaseException, status: int, detail: str, now: float) -> ModelError:
    """What a reply with an error status says, and whether it can have been billed."""
    headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", {})
    said: dict[str, Any] = {
        "status": status,
        "retry_after": retry_after(headers, now),
        "detail": detail,
        "provider_request_id": _request_id(error),
    }
    if status in (402, 429) and _QUOTA.search(detail):
        return ModelRefused(ErrorKind.QUOTA, **said)
    if status == 429:
        return ModelUnavailable(ErrorKind.RATE_LIMITED, **said)
    if status == 529:
        return ModelUnavailable(ErrorKind.OVERLOADED, **said)
    if status < 400:  # a redirect, which is not followed: the key would go where nobody said it should
        return ModelRefused(ErrorKind.BAD_REQUEST, **said)
    if status in REFUSED:
        return ModelRefused(_kind_of_text(detail, REFUSED[status]), **said)
    return OutcomeUnknown(_kind_of_text(detail, ErrorKind.TIME_OUT if status == 408 else ErrorKind.SERVER), **said)


def _kind_of_text(detail: str, otherwise: ErrorKind) -> ErrorKind:
    """The kind that the body names more exactly than the status does."""
    if _CONTEXT.search(detail):
        return ErrorKind.CONTEXT_WINDOW
    if "overloaded_error" in detail:
        return ErrorKind.OVERLOADED
    if _QUOTA.search(detail):
        return ErrorKind.QUOTA
    return otherwise


def _kind_on_the_way(error: BaseException) -> ErrorKind:
    """Why no whole answer came back to a request that left."""
    chain = _chain(error)
    if any(isinstance(link, TimeoutError) or "Timeout" in type(link).__name__ for link in chain):
        return ErrorKind.TIME_OUT
    if any(isinstance(link, UNREADABLE) or "ValidationError" in type(link).__name__ for link in chain):
        return ErrorKind.MALFORMED
    if getattr(error, "body", None) is not None:  # an error event inside a stream
        return _kind_of_text(_detail(error), ErrorKind.SERVER)
    return ErrorKind.CUT


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it; the SDKs wrap what the HTTP client raised."""
    links = [error]
    while (cause := links[-1].__cause__) is not None and cause not in links:
        links.append(cause)
    return links


def _detail(error: BaseException) -> str:
    """The provider's text, or the exception's; it goes to contents only."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, (dict, list)):
        return json.dumps(body, ensure_ascii=False, default=str)[:DETAIL_LIMIT]
    if isinstance(body, str):
        return body[:DETAIL_LIMIT]
    return ": ".join(f"{type(link).__name__} {link}".strip() for link in _chain(error))[:DETAIL_LIMIT]


def _without(secret: str | None, text: str) -> str:
    return text.replace(secret, "[key]") if secret else text


def _request_id(error: BaseException) -> str | None:
    headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", {})
    return headers.get("request-id") or headers.get("x-request-id")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date; None where unsaid or unread.

    Source: RFC 9110, section 10.2.3; the header in milliseconds is what OpenAI's SDK reads first.
    """
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        value = headers.get(name, "")
        try:
            seconds = float(value) / unit
        except ValueError:
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except ValueError:
        return None
