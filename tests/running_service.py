"""The service on a free port, in a thread of this process."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn
from starlette.routing import BaseRoute

from model_orchestrator.infrastructure.http.app import Application
from model_orchestrator.infrastructure.http.connection import LimitedProtocol
from model_orchestrator.infrastructure.http.service import Service
from model_orchestrator.infrastructure.settings import Settings

WAIT = 30.0  # seconds until a test that waits in vain fails


class Reply(NamedTuple):
    """A whole response."""

    status: int
    headers: Mapping[str, str]  # by names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RunningService:
    """Its address, and requests to it."""

    def __init__(self, application: Application, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop  # of the server's thread
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self._application = application

    @property
    def service(self) -> Service:
        """What the endpoints share; it belongs to the server's thread."""
        assert self._application.service is not None
        return self._application.service

    def routes(self) -> tuple[Sequence[str], Sequence[BaseRoute]]:
        """The addresses that answer, and every other route."""
        assert self._application._rest is not None
        return list(self._application._answering), self._application._rest.routes

    def ask_to_stop(self) -> None:
        """As a signal does, before the server itself ends."""
        self._loop.call_soon_threadsafe(self.service.stop)

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, named, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        """A JSON body."""
        sent = {"content-type": "application/json", **{name.replace("_", "-"): one for name, one in headers.items()}}
        return self.request("POST", path, json.dumps(body).encode(), sent)


@contextmanager
def running_service(settings: Settings) -> Iterator[RunningService]:
    """A service with these settings while the block runs."""
    application = Application(settings)
    config = uvicorn.Config(
        application, http=LimitedProtocol, ws="none", lifespan="on", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_serve, args=(loop, server.serve([listening])), daemon=True)
    thread.start()
    running = RunningService(application, listening.getsockname()[1], loop)
    assert running.get("/healthz").status == 200
    try:
        yield running
    finally:
        server.should_exit = True
        thread.join(WAIT)
        assert not thread.is_alive(), "the service did not stop"


def _serve(loop: asyncio.AbstractEventLoop, serving: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(serving)
