"""One request of a page: who asks, for what, and the form it sends."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from ....domain.events import KeyScope
from ....domain.filters import RUN_FIELDS, Compare, Condition, Op
from ..authentication import Identity
from ..failure import Refused
from ..request_body import read_body
from .tokens import Tokens

FORM_LIMIT = 4_000_000  # bytes
FIELDS_LIMIT = 200
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor's request."""

    request: Request
    identity: Identity
    browser: str  # the id in its cookie
    is_signed_in: bool = False  # by a login, which can be ended
    is_stranger: bool = False  # has to log in, and may nothing before

    def asked(self, name: str, default: str = "") -> str:
        """A parameter of the address, without spaces around it."""
        return self.request.query_params.get(name, default).strip()

    def listed(self, name: str) -> list[str]:
        """Every value of a parameter that is not empty, once."""
        return list(dict.fromkeys(one.strip() for one in self.request.query_params.getlist(name) if one.strip()))

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks, for a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def sees_all(self) -> bool:
        """Whether the visitor may see everybody's runs."""
        return self.may("admin")

    @property
    def owned(self) -> tuple[Condition, ...]:
        """The condition on what the visitor may see: nothing for who sees all."""
        return () if self.sees_all else (Compare(RUN_FIELDS["owner"], Op.EQUAL, self.identity.owner),)

    def sees(self, owner: str | None) -> bool:
        """Whether a run of that owner is the visitor's to see."""
        return self.sees_all or (owner == self.identity.owner and not self.is_stranger)

    def may(self, scope: str) -> bool:
        """Whether the visitor has the scope: read, run or admin."""
        return not self.is_stranger and self.identity.may(KeyScope(scope))

    def need(self, scope: str) -> None:
        """Raises Refused without the scope."""
        if self.is_stranger:
            raise Refused(403, "forbidden", "log in first")
        self.identity.need(KeyScope(scope))

    async def form(self, tokens: Tokens, timeout: float) -> dict[str, list[str]]:
        """The form's fields. Raises Refused where it is not from one of our pages."""
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != FORM_TYPE:
            raise Refused(415, "media_type", f"a form is sent as {FORM_TYPE}")
        body = await read_body(self.request.scope, self.request.receive, limit=FORM_LIMIT, timeout=timeout)
        fields: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_LIMIT)
        except ValueError:
            raise Refused(400, "invalid_request", "the form is not UTF-8, or has too many fields") from None
        for name, value in pairs:
            fields.setdefault(name, []).append(value)
        if not tokens.is_form(self.browser, fields.get("csrf", [""])[0]):
            raise Refused(403, "forbidden", "this form is not from a page of this browser: load the page again")
        return fields


def first(fields: dict[str, list[str]], name: str) -> str:
    """A field's first value, without spaces around it; empty where there is none."""
    return fields.get(name, [""])[0].strip()
