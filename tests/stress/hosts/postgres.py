"""PostgreSQL on a host of its own, with the wheel's binaries: stopped, killed and started as the program likes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
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

    def __init__(self, folder: Path, all_: Processes, env: Mapping[str, str]) -> None:
        self._data, self._socket = folder / "data", folder / "socket"
        self._processes = all_
        self._env = env
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
        """Start it, and wait until it answers."""
        owner = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        settings = {
            "listen_addresses": ADDRESSES["db"],
            "unix_socket_directories": str(self._socket),
            "max_connections": str(SEATS),
            "timezone": "UTC",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*owner, str(self._bin / "postgres"), "-D", str(self._data), *options]
        self._server = self._processes.start("db", command, name="postgres", env=self._env, cwd=self._socket)
        deadline = time.monotonic() + WAIT
        while True:
            try:
                psycopg.connect(self.local_url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise
                time.sleep(0.05)

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
def hosted_postgres(folder: Path, all_: Processes, env: Mapping[str, str]) -> Iterator[HostedPostgres]:
    """A running server while the block runs."""
    server = HostedPostgres(folder, all_, env)
    server.start()
    try:
        yield server
    finally:
        server.stop()
