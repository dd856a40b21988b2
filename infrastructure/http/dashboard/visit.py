"""One request of a page: who asks, for what, and the form it sends."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from ....domain.filters import Compare, Condition, Field, Kind, Op
from ..authentication import Identity
from ..body import read_body
from ..failure import Refused
from .tokens import Tokens

OWNER = Field("owner", Kind.TEXT)
FORM_LIMIT = 4_000_000  # bytes
FIELDS_LIMIT = 200
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor's request."""

    request: Request
    identity: Identity
    browser: str  # the id in its cookie
    is_signed_in: bool  # by a login, which can be ended

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
    def owned(self) -> tuple[Condition, ...]:
        """The condition on what the visitor may see: nothing for who sees all."""
        return () if self.identity.sees_all else (Compare(OWNER, Op.EQUAL, self.identity.owner),)

    def sees(self, owner: str | None) -> bool:
        """Whether a run of that owner is the visitor's to see."""
        return self.identity.sees_all or owner == self.identity.owner

    def may(self, scope: str) -> bool:
        """Whether the visitor has the scope: read, run or admin."""
        return scope in self.identity.scopes or self.identity.sees_all

    def need(self, scope: str) -> None:
        """Raises Refused without the scope."""
        if not self.may(scope):
            raise Refused(403, "forbidden", f"this key may not do that: it needs the scope {scope}")

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
