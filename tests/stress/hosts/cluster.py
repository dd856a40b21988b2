"""Everything but the clients: the provider, PostgreSQL, three hosts with the service, and the balancer before them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .balancer import balance
from .clocks import Clock
from .network import ADDRESSES, HOSTS, PORT, Network
from .postgres import HostedPostgres, hosted_postgres
from .processes import Processes, processes
from .services import Services, application_url, keys, settings, until_ready

DATABASE = "orchestrator"


@dataclass(slots=True)
class Cluster:
    """What runs, and how to reach it."""

    net: Network
    folder: Path
    all_: Processes
    postgres: HostedPostgres
    services: Services
    tokens: dict[str, str] = field(default_factory=dict)  # by the name of the key

    @property
    def url(self) -> str:
        """The database, from the hosts, for the role that serves."""
        return self.services.env["MODEL_ORCHESTRATOR_DATABASE_URL"]

    @property
    def local_url(self) -> str:
        """The database, from this process."""
        return self.postgres.local_url(DATABASE)

    def serve(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Make these keys, and start the service on each host and the balancer."""
        self.tokens = keys(self.services, wanted)
        for host in HOSTS:
            self.services.start(host)
        until_ready()
        balance(self.all_, self.folder)


@contextmanager
def cluster(
    net: Network, folder: Path, *, clock: Clock, skewed: Mapping[str, int], provider: Mapping[str, object]
) -> Iterator[Cluster]:
    """With an empty database, while the block runs; its files are in an empty folder.

    `skewed` are the seconds by which clocks of hosts are wrong; `provider` is the plan that provider.py takes.
    """
    clocks = {host: clock.words(skewed.get(host, 0)) for host in ADDRESSES}
    with processes(folder) as all_, hosted_postgres(folder, all_, clocks["db"]) as postgres:
        services = Services(all_, settings(application_url(postgres, DATABASE), folder, net), clocks)
        plan = json.dumps({"host": ADDRESSES["provider"], "port": PORT, **provider})
        all_.python(
            "provider", "tests.stress.hosts.provider", str(folder / "provider.jsonl"), plan,
            name="provider", clock=clocks["provider"],
        )  # fmt: skip
        yield Cluster(net, folder, all_, postgres, services)
