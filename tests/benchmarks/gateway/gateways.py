"""Who is measured: nobody in between, the service on both databases, and peers that were installed."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from model_orchestrator.infrastructure.store import database
from tests.postgres import PostgresServer, socket_dir, start_server

from .load import FAST, SLOW

DIRECT, SQLITE, POSTGRES = "direct", "ours, SQLite", "ours, PostgreSQL"
ROOT = Path(__file__).parents[3]
PEERS = ROOT / ".venv" / "peers"  # where `make bench-gateway ARGS=--peers` installs them
KEY = "sk-local"
UNLIMITED = "rpm = 10_000_000\n"  # the most that can be said: a call still books its place, but never waits for it


class Upstreams(NamedTuple):
    """The addresses of the provider that answers at once, and of the one that takes its time."""

    fast: str
    slow: str

    def of(self, model: str) -> str:
        return self.slow if model == SLOW else self.fast


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A program between the load and the upstreams."""

    name: str
    command: Callable[[Path, int], list[str]] | None = None  # for an empty folder and a port; None: nothing to start
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Callable[[str], Mapping[str, str]] = lambda model: {"authorization": f"Bearer {KEY}"}


def direct() -> Gateway:
    """The load reaches the upstream itself: what is added is measured against it."""
    return Gateway(name=DIRECT)


def ours(name: str, upstreams: Upstreams, new_database: Callable[[Path], str]) -> Gateway:
    """The service with one worker, on a new database each time it is started."""

    def command(folder: Path, port: int) -> list[str]:
        settings = write_settings(folder, upstreams)
        served = [sys.executable, "-m", "model_orchestrator", "serve", "--workers", "1", "--port", str(port)]
        return [*served, "--config", str(settings), "--database", new_database(folder)]

    return Gateway(name=name, command=command, environment=environment())


def write_settings(folder: Path, upstreams: Upstreams) -> Path:
    """A settings file that sends both models to the upstreams."""
    file = folder / "bench.toml"
    models = "".join(f'[models.{name}]\nbase_url = "{upstreams.of(name)}/v1"\n{UNLIMITED}' for name in (FAST, SLOW))
    file.write_text(f'provider = "live"\ncatalogue = "seed"\nlog_level = "error"\n{models}')
    return file


def environment() -> dict[str, str]:
    """This process's, without what would change the settings or keep byte code from being written."""
    dropped = ("MODEL_ORCHESTRATOR_", "PYTHONDONTWRITEBYTECODE", "OPENAI_", "ANTHROPIC_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def sqlite_file(folder: Path) -> str:
    return f"sqlite:///{folder / 'log.db'}"


@contextmanager
def postgres_databases() -> Iterator[Callable[[Path], str]]:
    """What makes a new database on a server that runs while the block does, on the core of this program."""
    with tempfile.TemporaryDirectory(prefix="bench-pg-") as folder:
        server = start_server(Path(folder) / "data")
        try:
            databases = PostgresServer(socket_dir(server), f"bench_{os.getpid()}")

            def new(_: Path) -> str:
                url = databases.create("template0")
                database.upgrade(url)
                return url

            yield new
        finally:
            server.cleanup()


def litellm(upstreams: Upstreams) -> Gateway:
    """LiteLLM's proxy with one worker and without a database: nothing is durable."""

    def command(folder: Path, port: int) -> list[str]:
        file = folder / "litellm.json"  # YAML reads JSON
        named = [
            {"model_name": name, "litellm_params": {
                "model": f"openai/{name}", "api_base": f"{upstreams.of(name)}/v1", "api_key": "sk-upstream"}}
            for name in (FAST, SLOW)
        ]  # fmt: skip
        limits = {"num_retries": 0, "request_timeout": 30, "telemetry": False, "callbacks": []}
        settings = {"model_list": named, "litellm_settings": limits, "general_settings": {"master_key": KEY}}
        file.write_text(json.dumps(settings))
        program = str(PEERS / "litellm" / "bin" / "litellm")
        return [program, "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]

    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
    lean = {"DISABLE_ADMIN_UI": "True", "NO_PROXY": "127.0.0.1"}
    return Gateway(name="LiteLLM", command=command, environment=environment() | quiet | lean)


def portkey(upstreams: Upstreams) -> Gateway:
    """Portkey's gateway on Node, which keeps nothing; a header chooses the upstream."""

    def command(_: Path, port: int) -> list[str]:
        program = PEERS / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
        return ["node", str(program), f"--port={port}", "--headless"]

    def headers(model: str) -> dict[str, str]:
        host = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{upstreams.of(model)}/v1"}
        return {"authorization": f"Bearer {KEY}", **host}

    trusted = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"}
    return Gateway(name="Portkey", command=command, environment=environment() | trusted, headers=headers)
