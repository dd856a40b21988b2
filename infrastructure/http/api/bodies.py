"""Bodies of the native API: msgspec reads them, and a field that is not known is refused with the nearest."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request as HTTPRequest

from ....domain.errors import InvalidRequest
from ..body import decoded
from ..guard import check_json
from ..request_body import read_body
from ..service import Service

T = TypeVar("T", bound=Struct)
Label = Annotated[str, Meta(min_length=1, max_length=64)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Money = str | int | float  # USD
RUN = r"^run-[0-9A-Za-z-]{1,60}$"
_UNKNOWN = re.compile(r"((?:.*\.)?)([\w.-]+): it is unknown here", re.DOTALL)


class Message(Struct, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Meta(min_length=1)]


class Tool(Struct, forbid_unknown_fields=True):
    """A function the model may call; `parameters` is a JSON schema."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool = False


class ResponseFormat(Struct, forbid_unknown_fields=True):
    """Any JSON object, or one that keeps `json_schema`."""

    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")] = "answer"
    json_schema: dict[str, Any] | None = None
    strict: bool = True


class NewRun(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A prompt or messages, and the options of the run; what is left out is as the settings say."""

    prompt: Annotated[str, Meta(min_length=1)] | None = None
    messages: Annotated[list[Message], Meta(min_length=1)] | None = None
    wait: bool = True  # false: answered with 202 as soon as the run is recorded
    strategy: Literal["cheapest", "fallback", "ensemble", "auto"] | None = None
    model: Name | None = None
    provider: Name | None = None  # live, simulated, anthropic, openai or recorded:NAME
    max_cost: Money | None = None  # USD
    category: Label | None = None
    tags: dict[str, str] | None = None
    subject: Label | None = None
    store_content: bool | None = None
    system: Annotated[str, Meta(min_length=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    stop: str | list[str] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    timeout: Annotated[float, Meta(gt=0, le=86_400)] | None = None  # seconds
    chain: Name | list[Name] | None = None
    threshold: Share | None = None
    start: Literal["first", "capable"] | None = None
    verify: Literal["agreement"] | None = None
    models: list[Name] | None = None
    method: Literal["vote", "score", "judge", "fuse"] | None = None
    full_panel: bool | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=10)] | None = None
    on_unknown: Literal["retry", "fail"] | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    cache: bool | str | None = None  # 90s, 10m, 24h, 7d, off; true: a day
    scorer: Name | None = None
    policy: Name | None = None
    explore: Share | None = None
    expect: Annotated[str, Meta(min_length=1)] | None = None


class NewFeedback(Struct, forbid_unknown_fields=True):
    """How good a run's answer was."""

    run_id: Annotated[str, Meta(pattern=RUN)]
    value: Literal["good", "bad"] | Share
    by: Label | None = None
    note: Annotated[str, Meta(min_length=1)] | None = None


class NewBudget(Struct, forbid_unknown_fields=True):
    """What a scope may spend in each period; `alerts` are per cents, those there are unless given."""

    limit: Money  # USD above 0
    alerts: Annotated[list[Annotated[int, Meta(ge=1, le=1000)]], Meta(max_length=20)] | None = None


async def read(service: Service, request: HTTPRequest, kind: type[T]) -> T:
    """The body. Raises Refused for one that is too large, too slow or no JSON, InvalidRequest for what it says."""
    check_json(request.scope)
    limits = service.limits
    body = await read_body(request.scope, request.receive, limit=limits.max_body, timeout=limits.read_timeout)
    try:
        return decoded(msgspec.json.Decoder(kind), body, ())
    except InvalidRequest as error:
        raise InvalidRequest(_with_nearest(str(error), kind)) from None


def _with_nearest(said: str, kind: type[Struct]) -> str:
    """The complaint; of an unknown field with the one that may have been meant."""
    found = _UNKNOWN.match(said)
    if found is None or found[1]:
        return said
    near = get_close_matches(found[2], kind.__struct_fields__, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(kind.__struct_fields__)}"
    return f"unknown field {found[2]!r}: {hint}"


def is_run(text: str) -> bool:
    """Whether it could be a run's id."""
    return re.fullmatch(RUN.strip("^$"), text) is not None
