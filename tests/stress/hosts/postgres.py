"""PostgreSQL on a host of its own, with the wheel's binaries: stopped, killed and started as the program likes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from model_orchestrator.infrastructure.store import database
from tests.postgres import start_server

from .network import ADDRESSES
from .processes import Processes, kill

USER = "pgserver"  # the account that the wheel makes: PostgreSQL does not run as root
SEATS = 300  # connections: those that PostgreSQL allows by itself (100) are too few for six workers under load
WAIT = 60.0  # seconds


class HostedPostgres:
    """The server, and its addresses from the hosts and (by its socket) from here."""

    def __init__(self, folder: Path, all_: Processes, clock: Sequence[str]) -> None:
        self._data, self._socket = folder / "data", folder / "socket"
        self._processes = all_
        self._clock = clock
        self._bin = self._initialise(folder)
        self._server: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> str:
        """As a host reaches the database."""
        return f"postgresql://postgres@{ADDRESSES['db']}:5432/{name}"

    def local_url(self, name: str) -> str:
        """As this process does, whatever happens to the network."""
        return f"postgresql://postgres@/{name}?host={self._socket}"

    def create(self, name: str) -> None:
        """An empty database with this release's schema."""
        with psycopg.connect(self.local_url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        database.upgrade(self.local_url(name))

    def start(self) -> None:
        """Start it, again where it gives up at once, and wait until it answers.

        It does so while processes of one that was killed are still about to notice.
        """
        deadline = time.monotonic() + WAIT
        while True:
            if self._server is None or self._server.poll() is not None:
                self._server = self._started()
            try:
                psycopg.connect(self.local_url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _started(self) -> subprocess.Popen[bytes]:
        owner = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        settings = {
            "listen_addresses": ADDRESSES["db"],
            "unix_socket_directories": str(self._socket),
            "max_connections": str(SEATS),
            "timezone": "UTC",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*owner, *self._clock, str(self._bin / "postgres"), "-D", str(self._data), *options]
        return self._processes.start("db", command, name="postgres", cwd=self._socket)

    @property
    def pid(self) -> int:
        """Of the server, the parent of its processes."""
        assert self._server is not None
        return self._server.pid

    def stop(self) -> None:
        """In good order, without waiting for clients ("fast")."""
        assert self._server is not None
        self._server.send_signal(signal.SIGINT)
        self._server.wait(WAIT)

    def crash(self) -> None:
        """With kill -9, all of it."""
        assert self._server is not None
        kill(self._server)

    def _initialise(self, folder: Path) -> Path:
        """The wheel makes the account, the cluster and the permissions; the binaries' folder."""
        folder.chmod(0o755)
        server = start_server(self._data, cleanup_mode="stop")
        binaries = Path(server.bin_path)
        server.cleanup()
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.203.77.0/24 trust\n")
        self._socket.mkdir()
        subprocess.run(["chown", USER, str(self._socket)], check=True)
        return binaries


@contextmanager
def hosted_postgres(folder: Path, all_: Processes, clock: Sequence[str]) -> Iterator[HostedPostgres]:
    """A running server while the block runs."""
    server = HostedPostgres(folder, all_, clock)
    server.start()
    try:
        yield server
    finally:
        server.stop()
