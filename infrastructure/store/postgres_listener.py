"""Rings when PostgreSQL says that the log grew. A hint only: whoever waits also looks again after a while."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable

import psycopg

from ...domain.errors import StoreError
from .postgres_connection import Connection, connect

PAUSE = 1.0  # seconds before a lost connection is opened again
_CHANNEL = "model_orchestrator"


class Listener:
    """A thread with a connection that listens; started by the first who waits."""

    def __init__(self, url: str, ring: Callable[[], None]) -> None:
        self._url = url
        self._ring = ring
        self._start_empty()

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._door: socket.socket | None = None

    def start(self) -> None:
        """Listen from now on, if not already."""
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._door, inside = socket.socketpair()
                self._thread = threading.Thread(
                    target=self._listen, args=(inside,), name="event-store-listener", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Stop the thread and wait for its end."""
        with self._lock:
            self._closed.set()
            thread, door = self._thread, self._door
        if thread is not None and door is not None:
            door.close()
            thread.join()

    def after_fork_in_child(self) -> None:
        """The parent's thread and connection stayed with the parent."""
        self._start_empty()

    def _listen(self, inside: socket.socket) -> None:
        with inside:
            while not self._closed.is_set():
                try:
                    with connect(self._url) as connection:
                        connection.execute(f"LISTEN {_CHANNEL}")
                        self._ring()  # for what came while nobody listened
                        self._wait_and_ring(connection, inside)
                except (StoreError, psycopg.Error):
                    self._closed.wait(PAUSE)

    def _wait_and_ring(self, connection: Connection, inside: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(inside, selectors.EVENT_READ)
            while not self._closed.is_set():
                selector.select()
                connection.pgconn.consume_input()
                heard = False
                while connection.pgconn.notifies() is not None:
                    heard = True
                if heard:
                    self._ring()
