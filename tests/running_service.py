"""The service on a free port, in a thread of this process."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn

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

    def __init__(self, application: Application, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self._application = application

    @property
    def service(self) -> Service:
        """What the endpoints share; it belongs to the server's thread."""
        assert self._application.service is not None
        return self._application.service

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
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    running = RunningService(application, listening.getsockname()[1])
    assert running.get("/healthz").status == 200
    try:
        yield running
    finally:
        server.should_exit = True
        thread.join(WAIT)
        assert not thread.is_alive(), "the service did not stop"
