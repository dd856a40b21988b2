"""The orchestrator's own service on three hosts: two workers each, set up as docs/scaling.md says."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from model_orchestrator.domain.seed_catalogue import SEED

from .clients import LIMITED
from .network import ADDRESSES, HOSTS, PORT, Network, inside
from .postgres import HostedPostgres
from .processes import PYTHON_PATH, ROOT, Processes, bare_environment

APPLICATION = "orchestrator_app"  # the role that serves; it owns nothing
LIMIT = 60  # requests a minute: of the model that has a limit, and of the key that has one
TIMEOUT = 90.0  # seconds that a run may take
READY = 60.0  # seconds until a service must be ready
COMMAND = [sys.executable, "-m", "model_orchestrator"]


@dataclass(slots=True)
class Services:
    """What runs on each host, and how to start it."""

    all_: Processes
    env: Mapping[str, str]
    clocks: Mapping[str, Sequence[str]]  # the words that make a host's clock
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, host: str, *, workers: int = 2, path: str = PYTHON_PATH, cwd: Path = ROOT) -> None:
        """Start the service of a host; it is not ready yet."""
        words = ["serve", "--host", ADDRESSES[host], "--port", str(PORT), "--workers", str(workers)]
        self.running[host] = self.all_.start(
            host, [*self.clocks[host], *COMMAND, *words], name=host, env=self.env, path=path, cwd=cwd
        )

    def command(self, host: str, *words: str) -> str:
        """What one of the orchestrator's own commands prints on a host. Raises RuntimeError where it fails."""
        done = self.tried(host, *words)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def tried(
        self, host: str, *words: str, path: str = PYTHON_PATH, cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """One of the orchestrator's own commands on a host, however it ends."""
        command = inside(host, [*self.clocks[host], *COMMAND, *words])
        env = bare_environment() | {"PYTHONPATH": path, **self.env}
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)

    def workers(self, host: str) -> list[int]:
        """The ids of the processes that serve on a host."""
        parent = self.running[host].pid
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def settings(url: str, folder: Path, net: Network) -> dict[str, str]:
    """The environment of a service: this database, this provider, and a limit on one model."""
    rates = {model.name: LIMIT if model.name == LIMITED else 1_000_000 for model in SEED.models}
    limits = "".join(f'[models."{name}"]\nrpm = {rate}\n' for name, rate in rates.items())
    config = folder / "hosts.toml"
    config.write_text(
        f'provider = "live"\ncatalogue = "seed"\nlog_level = "warning"\ntimeout = {TIMEOUT:.0f}\n{limits}'
        "[service]\ngrace = 15\n"
    )
    return {
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "MODEL_ORCHESTRATOR_DATABASE_URL": url,
        "MODEL_ORCHESTRATOR_CONFIG": str(config),
        "OPENAI_BASE_URL": f"{net.address('provider')}/v1",
        "OPENAI_API_KEY": "sk-hosts",
        "ANTHROPIC_BASE_URL": net.address("provider"),
        "ANTHROPIC_API_KEY": "sk-hosts",
    }


def application_url(postgres: HostedPostgres, name: str) -> str:
    """A new database with the schema, and a role that may append and read and owns nothing; as hosts reach it."""
    postgres.create(name)
    with psycopg.connect(postgres.local_url(name), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (APPLICATION,)).fetchall():
            connection.execute(f"CREATE ROLE {APPLICATION} LOGIN".encode())
        connection.execute("SELECT log.grant_application(%s::regrole)", (APPLICATION,))
    return postgres.url(name).replace("//postgres@", f"//{APPLICATION}@")


def keys(services: Services, wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A key for each name, with these words of `keys create`; their tokens."""
    created = {
        name: services.command("clients", "keys", "create", name, *words, "--json") for name, words in wanted.items()
    }
    return {name: json.loads(said)["token"] for name, said in created.items()}


def until_ready(hosts: Sequence[str] = HOSTS) -> None:
    """Wait until the service of each host takes runs. Raises TimeoutError."""
    deadline = time.monotonic() + READY
    for host in hosts:
        while not is_ready(host):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the service of {host} was not ready in {READY:g} s")
            time.sleep(0.1)


def is_ready(host: str) -> bool:
    """Whether it says so, asked from the clients' host."""
    asked = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-m",
        "2",
        "-w",
        "%{http_code}",
        f"http://{ADDRESSES[host]}:{PORT}/readyz",
    ]
    return subprocess.run(inside("clients", asked), capture_output=True, text=True, check=False).stdout == "200"
