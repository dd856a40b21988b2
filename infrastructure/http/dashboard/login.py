"""Logging in with an API key, and out."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from ....domain.errors import KeyRefused
from .desk import Desk, keep
from .tokens import SESSION, SESSION_COOKIE
from .visit import Visit, first


class LoginPage:
    """`/dashboard/login` and `/dashboard/logout`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> Response:
        """The form."""
        return await self._desk.page(visit, "login.html", problem="")

    async def enter(self, visit: Visit) -> Response:
        """Open a session: its cookie holds the key's id, never the key."""
        fields = await self._desk.form(visit)
        try:
            session = await (await self._desk.sessions()).open(first(fields, "key"))
        except KeyRefused as error:
            return await self._desk.page(visit, "login.html", status=401, problem=str(error))
        response = RedirectResponse("/dashboard", 303)
        keep(response, visit, SESSION_COOKIE, session, SESSION)
        return response

    async def leave(self, visit: Visit) -> Response:
        """End the session."""
        await self._desk.form(visit)
        response = RedirectResponse("/dashboard/login", 303)
        response.delete_cookie(SESSION_COOKIE, path="/dashboard", httponly=True, samesite="strict")
        return response
