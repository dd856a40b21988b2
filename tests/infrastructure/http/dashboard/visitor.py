"""A browser without a screen: it keeps cookies, sends forms, and reads pages of the application in this process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.routing import Router

from model_orchestrator.domain.events import KeyScope
from model_orchestrator.domain.units import MILLION, Timestamp
from model_orchestrator.infrastructure.clock import SystemClock
from model_orchestrator.infrastructure.http.dashboard.routes import dashboard_routes
from model_orchestrator.infrastructure.http.service import Service
from model_orchestrator.infrastructure.key_making import make_key
from model_orchestrator.infrastructure.settings import Settings
from tests.generated_log import END

FORM = "application/x-www-form-urlencoded"
VOID = {"meta", "link", "input", "img", "br", "rect", "line", "path", "circle"}


class EndOfTheLog(SystemClock):
    """Pages are read at the moment that generated logs end."""

    def now(self) -> Timestamp:
        return Timestamp(round(END.timestamp()) * MILLION)


class Page(HTMLParser):
    """An answer, and the elements that a browser would make of it."""

    def __init__(self, status: int, headers: list[tuple[str, str]], text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.status, self.headers, self.text = status, headers, text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""  # what is shown, without markup
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data

    def header(self, name: str) -> str:
        return next((value for known, value in self.headers if known == name), "")

    def links(self, start: str) -> list[str]:
        """The addresses that links lead to."""
        found = [attributes.get("href") or "" for tag, attributes in self.elements if tag == "a"]
        return [one for one in found if one.startswith(start)]

    @property
    def csrf(self) -> str:
        """The token of its forms."""
        found = re.search(r'name="csrf" value="(\w+)"', self.text)
        assert found, "the page has a form"
        return found[1]


class Visitor:
    """One browser."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []
        self._app = Router(dashboard_routes(service), redirect_slashes=False)

    async def log_in(self, *, name: str, scopes: tuple[KeyScope, ...] = (KeyScope.READ, KeyScope.RUN)) -> Page:
        """With a new key of that name."""
        _, token = await make_key(self.service.orchestrator, name, scopes=scopes)
        return await self.enter(token)

    async def enter(self, token: str) -> Page:
        """With a key."""
        page = await self.get("/dashboard/login")
        return await self.post("/dashboard/login", {"csrf": page.csrf, "key": token})

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        return await self.send("GET", path, headers or {})

    async def post(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Page:
        body = urlencode(fields).encode()
        return await self.send("POST", path, {"content-type": FORM, **(headers or {})}, body)

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Page:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        parts = urlsplit(path)
        sent = {"host": "127.0.0.1", **({"cookie": cookies} if cookies else {}), **headers}
        scope = {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        status, answered, pieces = 0, list[tuple[str, str]](), list[bytes]()
        is_read = False

        async def receive() -> dict[str, Any]:
            nonlocal is_read
            if is_read:
                await asyncio.Event().wait()
            is_read = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                answered = [(name.decode(), value.decode()) for name, value in message["headers"]]
            else:
                pieces.append(message.get("body", b""))

        await self._app(scope, receive, send)
        self._keep(answered)
        return Page(status, answered, b"".join(pieces).decode())

    def _keep(self, headers: list[tuple[str, str]]) -> None:
        for name, value in headers:
            if name == "set-cookie":
                self.set_cookies.append(value)
                for key, morsel in SimpleCookie(value).items():
                    self.cookies[key] = morsel.value
                    if morsel["max-age"] == "0":
                        del self.cookies[key]


@asynccontextmanager
async def visiting(url: str) -> AsyncIterator[Visitor]:
    """A visitor of a service over the database at `url`, which answers by simulation."""
    service = Service(Settings.load(None, database_url=url, provider="simulated"))
    service.orchestrator.clock = EndOfTheLog()
    try:
        yield Visitor(service)
    finally:
        await service.aclose()
