"""The ASGI application of one worker process: the hot path first, then everything else."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from ...domain.errors import OrchestratorError
from ..settings import Settings
from .access_log import CLIENT, AccessLog
from .anthropic_wire import AnthropicWire
from .api.errors import NativeErrors
from .asgi import JSON, ASGIApp, Message, Receive, Scope, Send, break_off, respond
from .authentication import NOBODY, OPEN, identify
from .completions import UNEXPECTED, Completions, fail
from .dashboard.paths import is_page
from .failure import Failure
from .guard import Guard
from .openai_wire import OpenAIWire
from .request_body import ClientLeft
from .service import Service
from .wire import ErrorShape

if TYPE_CHECKING:
    from starlette.routing import Router


GARBAGE = 20_000  # new objects before the young are looked through, some 10 requests; Python says 700


class Application:
    """Serves one worker. Its service is made when the server starts, inside the event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.service
        self.service: Service | None = None
        self._answering: dict[str, ASGIApp] = {}
        self._rest: Router | None = None
        self._guard = Guard(settings.service.allowed_origins)
        self._served: ASGIApp = self._serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._served(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; whatever goes wrong is answered in the protocol's own words."""
        has_begun, more = False, self._guard.headers(scope)

        async def answer(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message["headers"] = [*message["headers"], *more]
            await send(message)

        wire = self._wire(scope["path"])
        try:
            if self._guard.is_preflight(scope):
                await respond(answer, 204, b"", ())
                return
            self._guard.check(scope)
            await self._route(scope, receive, answer)
        except OrchestratorError as error:
            assert self.service is not None, "the server has started"
            failure = self.service.failure(error)
            await (break_off(scope) if has_begun else fail(answer, wire, failure))
        except HTTPException as error:  # the router's, of a method that an address does not have
            refused = Failure(
                status=error.status_code,
                kind="method",
                message=f"{scope['method']} is not possible here: GET /openapi.json lists what is",
            )
            allow = [(name.lower().encode(), one.encode()) for name, one in (error.headers or {}).items()]
            await respond(answer, refused.status, wire.error(refused), [JSON, *allow])
        except ClientLeft:
            return
        except Exception as error:
            self._tell(error, scope)  # and not the server, which would log its text
            await (break_off(scope) if has_begun else fail(answer, wire, UNEXPECTED))

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # lets the router raise instead of answering itself
        assert self.service is not None, "the server has started"
        identity = NOBODY
        keys = self.service.orchestrator.keys
        is_open = scope["path"] in OPEN or (is_page(scope["path"]) and await keys.any_keys())  # pages have a login
        if not is_open:
            identity = await identify(scope, keys, self.limits.allowed_hosts)
        scope["state"]["identity"], scope["state"][CLIENT] = identity, identity.owner
        if (endpoint := self._answering.get(scope["path"])) is not None:
            if scope["method"] != "POST":
                raise HTTPException(405, headers={"allow": "POST"})
            await endpoint(scope, receive, send)
            return
        assert self._rest is not None, "the server has started"
        await self._rest(scope, receive, send)

    def _wire(self, path: str) -> ErrorShape:
        if path.startswith("/v1/"):
            return ANTHROPIC if path.startswith("/v1/messages") else OPENAI
        return NATIVE

    def _tell(self, error: Exception, scope: Scope) -> None:
        """Log a defect: its kind and its place, never its text, which may hold a prompt."""
        if self.service is None:
            return
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
        self.service.orchestrator.logging.trouble(
            "ServiceFailed", error=type(error).__name__, place=place, path=scope["path"]
        )

    # ---- the life of the worker ----

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start, wait for the server's end, and close."""
        await receive()
        try:
            self._start()
        except OrchestratorError as error:
            print(f"model-orchestrator: {error}", file=sys.stderr)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        assert self.service is not None
        await self.service.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    def _start(self) -> None:
        from .routes import router

        self.service = Service(self.settings)
        self._answering = {
            "/v1/chat/completions": Completions(self.service, OPENAI),
            "/v1/messages": Completions(self.service, ANTHROPIC),
        }
        self._rest = router(self.service)
        if self.service.orchestrator.logging.tells_requests:
            self._served = AccessLog(self._serve, self.service.orchestrator.logging.served)
        self.service.fold_ahead()
        _on_stop(asyncio.get_running_loop(), self.service.stop)


OPENAI = OpenAIWire()
ANTHROPIC = AnthropicWire()
NATIVE = NativeErrors()


def create() -> Application:
    """The application of a worker, from the settings that its process sees."""
    application = Application(Settings.load())
    gc.freeze()  # what is loaded stays; looking for garbage took a tenth of a request's time
    gc.set_threshold(GARBAGE)
    return application


def _on_stop(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    """Call `then` as soon as the process is asked to stop, before the server waits for its connections."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before: Any = signal.getsignal(number)

        def stop(number: int, frame: FrameType | None, before: Any = before) -> None:
            loop.call_soon_threadsafe(then)
            if callable(before):
                before(number, frame)

        signal.signal(number, stop)
