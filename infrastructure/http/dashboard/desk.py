"""What every page works with: the service, the templates, the forms' tokens and the sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import HTMLResponse, Response

from ....application.read_models import ReadModels
from ..service import Service
from .sessions import Sessions
from .spans import RECENT, TIMES
from .tokens import BROWSER_COOKIE, Tokens
from .visit import Visit
from .words import FILTERS, address, tag_condition

if TYPE_CHECKING:
    from jinja2 import Environment

T = TypeVar("T")
HERE = Path(__file__).parent
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {"content-security-policy": POLICY, "cache-control": "no-store"}
NAVIGATION = (  # address, name, the scope that sees it
    ("/dashboard", "Overview", "read"),
    ("/dashboard/runs", "Runs", "read"),
    ("/dashboard/costs", "Costs", "read"),
    ("/dashboard/models", "Models", "read"),
    ("/dashboard/policies", "Policies", "read"),
    ("/dashboard/audit", "Audit", "admin"),
    ("/dashboard/playground", "Playground", "run"),
)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates: everything they are given is text unless it is marked, and a name that is missing is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= FILTERS
    made.globals |= {"address": address, "tag_condition": tag_condition, "times": TIMES, "recent": RECENT}
    return made


class Desk:
    """One worker's. The tokens are made at first use: they need the database."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.orchestrator = service.orchestrator
        self._tokens: Tokens | None = None

    async def tokens(self) -> Tokens:
        """Those of the database. Raises StoreError."""
        if self._tokens is None:
            self._tokens = Tokens(await self.orchestrator.store.content_secret())
        return self._tokens

    async def sessions(self) -> Sessions:
        """The logins."""
        return Sessions(self.orchestrator.keys, await self.tokens())

    async def form(self, visit: Visit) -> dict[str, list[str]]:
        """The form of a request. Raises Refused where it is not from one of our pages."""
        return await visit.form(await self.tokens(), self.service.limits.read_timeout)

    async def ask(self, question: Callable[[ReadModels], T]) -> T:
        """The read models' answer, from a thread."""
        return await asyncio.to_thread(question, self.orchestrator.read_models)

    async def page(self, visit: Visit, name: str, *, status: int = 200, **context: Any) -> Response:
        """A page or a part of one, with what all of them need."""
        tokens = await self.tokens()
        shown = {
            "visit": visit,
            "path": visit.request.url.path,
            "csrf": tokens.form(visit.browser),
            "navigation": [one for one in NAVIGATION if visit.may(one[2])],
            **context,
        }
        body = environment().get_template(name).render(shown)
        response = HTMLResponse(body, status_code=status, headers=HEADERS)
        if visit.request.cookies.get(BROWSER_COOKIE) != visit.browser:
            keep(response, visit, BROWSER_COOKIE, visit.browser)
        return response


def keep(response: Response, visit: Visit, name: str, value: str, max_age: int | None = None) -> None:
    """Set a cookie that no script reads, and that no other site's page makes a browser send."""
    secure = visit.request.url.scheme == "https"
    response.set_cookie(
        name, value, max_age=max_age, path="/dashboard", httponly=True, samesite="strict", secure=secure
    )
