"""The addresses of the dashboard, and what stands around every page: who visits, and what a failure looks like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ....domain.errors import OrchestratorError
from ..authentication import NOBODY
from ..failure import Refused, failure_of
from ..service import Service
from .assets import asset
from .audit import AuditPage
from .costs import CostsPage
from .desk import Desk
from .live import LiveFeed
from .login import LoginPage
from .models import ModelsPage
from .overview import OverviewPage
from .paths import HOME
from .playground import PlaygroundPage
from .policies import PoliciesPage
from .run import RunPage
from .runs import RunsPage
from .tokens import BROWSER_COOKIE, SESSION_COOKIE
from .visit import Visit

Answer = Callable[[Visit], Awaitable[Response]]


def dashboard_routes(service: Service) -> list[Route]:
    """The routes over one worker's service."""
    desk = Desk(service)
    door = _Door(desk)
    overview, runs, run, costs = OverviewPage(desk), RunsPage(desk), RunPage(desk), CostsPage(desk)
    policies, audit, playground, login = PoliciesPage(desk), AuditPage(desk), PlaygroundPage(desk), LoginPage(desk)
    get: dict[str, Answer] = {
        "": overview.show,
        "/saved": overview.saved,
        "/live": LiveFeed(desk).stream,
        "/runs": runs.show,
        "/runs/{run}": run.show,
        "/costs": costs.show,
        "/costs.csv": costs.csv,
        "/models": ModelsPage(desk).show,
        "/policies": policies.show,
        "/audit": audit.show,
        "/audit/verification": audit.result,
        "/playground": playground.show,
    }
    post: dict[str, Answer] = {
        "/runs/{run}/feedback": run.rate,
        "/policies/backtest": policies.play,
        "/audit/verification": audit.verify,
        "/playground/plan": playground.plan,
        "/playground/run": playground.run,
    }
    return [
        Route("/", _home),
        Route(f"{HOME}/assets/{{name}}", asset),
        *(Route(HOME + path, door.opens(answer), methods=["GET"]) for path, answer in get.items()),
        *(Route(HOME + path, door.opens(answer), methods=["POST"]) for path, answer in post.items()),
        Route(f"{HOME}/login", door.opens(login.show, to_strangers=True), methods=["GET"]),
        Route(f"{HOME}/login", door.opens(login.enter, to_strangers=True), methods=["POST"]),
        Route(f"{HOME}/logout", door.opens(login.leave, to_strangers=True), methods=["POST"]),
        Route(f"{HOME}/{{rest:path}}", door.opens(_nothing), methods=["GET", "POST"]),
    ]


async def _home(request: Request) -> Response:
    return RedirectResponse(HOME, 307)


async def _nothing(visit: Visit) -> Response:
    raise Refused(404, "not_found", "there is no such page")


class _Door:
    """Lets visitors in whose session says who they are, and shows every failure as a page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def opens(self, answer: Answer, *, to_strangers: bool = False) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a page."""

        async def endpoint(request: Request) -> Response:
            visit = await self._visit(request)
            if visit is None:
                if not to_strangers:
                    return _to_login(request)
                visit = await self._stranger(request)
            elif not to_strangers and not visit.may("read") and not visit.may("run"):
                return await self._failed(visit, Refused(403, "forbidden", "this key may not look: it needs read"))
            try:
                return await answer(visit)
            except OrchestratorError as error:
                return await self._failed(visit, error)

        return endpoint

    async def _visit(self, request: Request) -> Visit | None:
        """Who it is; None for who has to log in."""
        tokens, sessions = await self._desk.tokens(), await self._desk.sessions()
        browser = tokens.browser(request.cookies.get(BROWSER_COOKIE))
        if not await sessions.is_needed():
            return Visit(request, NOBODY, browser)
        found = await sessions.identity(request.cookies.get(SESSION_COOKIE))
        return None if found is None else Visit(request, found, browser, is_signed_in=True)

    async def _stranger(self, request: Request) -> Visit:
        browser = (await self._desk.tokens()).browser(request.cookies.get(BROWSER_COOKIE))
        return Visit(request, NOBODY, browser, is_stranger=True)

    async def _failed(self, visit: Visit, error: OrchestratorError) -> Response:
        failure = failure_of(error)
        name = "problem.html" if visit.is_partial else "error.html"
        return await self._desk.page(visit, name, status=failure.status, failure=failure, problem=failure.message)


def _to_login(request: Request) -> Response:
    """For htmx a header: a redirect would put the login into a part of the page."""
    if request.headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"hx-redirect": f"{HOME}/login"})
    return RedirectResponse(f"{HOME}/login", 303)
