"""Stands between a client and PostgreSQL's socket, and can lose an answer on its way back."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from pathlib import Path


class CutProxy:
    """Forwards connections made to `folder` to the server's socket in `server`; use it as a context manager.

    lose_next_answer: the next bytes from the server are dropped and that connection is closed, once.
    refuse: new connections are closed at once.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self.lose_next_answer = False
        self.refuse = False
        self.folder = folder
        self._server = server / ".s.PGSQL.5432"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> CutProxy:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refuse:
                    client.close()
                    continue
                thread = threading.Thread(target=self._forward, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _forward(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server, selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            server.connect(str(self._server))
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if key.fileobj is server and self.lose_next_answer:
                        self.lose_next_answer = False
                        return
                    if not data:
                        return
                    key.data.sendall(data)
