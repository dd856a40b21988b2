"""The processes that serve: one, or several that share a socket. uvicorn runs them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from ...domain.errors import InvalidRequest
from ..settings import Settings
from .connection import LimitedProtocol

BACKLOG = 2048
KEEP_ALIVE = 75  # seconds: longer than the pools of the official SDKs keep a connection
AFTER_GRACE = 5  # seconds to record and close what did not end in time


def serve(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    host: str,
    port: int,
    workers: int,
    ready: Callable[[str], None],
) -> None:
    """Serve until the process is asked to stop. `environment` is what makes workers read these settings.

    `ready` gets the address once connections are taken. Raises InvalidRequest where it cannot listen.
    """
    os.environ.update(environment)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        "model_orchestrator.infrastructure.http.app:create",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=round(settings.service.grace) + AFTER_GRACE,
    )
    listening = _listen(host, port)
    with listening:
        ready(_address(listening))
        if workers > 1:
            _Workers(config, sockets=[listening]).run()
            return
        for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again once it has stopped in good order
            signal.signal(number, lambda number, frame: sys.exit(0))
        uvicorn.Server(config).run(sockets=[listening])


class _Workers(Multiprocess):
    """The processes that share the socket; it is closed with theirs, so that none who comes late waits in vain."""

    def terminate_all(self) -> None:
        """They are to stop: nothing is taken from now on."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on. Raises InvalidRequest."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise InvalidRequest(f"cannot listen on {host} port {port}: {error.strerror or error}") from None
    listening.set_inheritable(True)
    return listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
