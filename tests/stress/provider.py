"""Where the programs under stress work: an empty database, and a provider asked live that they know nothing else of."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.infrastructure.store import database
from tests.conftest import FOREIGN
from tests.postgres import PostgresServer, socket_dir, start_server
from tests.simulator import RunningSimulator

ROOT = Path(__file__).parents[2]


def environment(url: str, folder: Path, provider: RunningSimulator) -> dict[str, str]:
    """Of a process that asks this provider live and knows nothing of the user's settings."""
    config = folder / "stress.toml"
    limits = "".join(f'[models."{model.name}"]\nrpm = 1_000_000\n' for model in SEED.models)
    config.write_text(f'provider = "live"\ncatalogue = "seed"\nlog_level = "error"\n{limits}')
    mine = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return mine | {
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "MODEL_ORCHESTRATOR_DATABASE_URL": url,
        "MODEL_ORCHESTRATOR_CONFIG": str(config),
        "OPENAI_BASE_URL": provider.openai_url,
        "OPENAI_API_KEY": "sk-stress",
        "ANTHROPIC_BASE_URL": provider.anthropic_url,
        "ANTHROPIC_API_KEY": "sk-stress",
    }


@contextmanager
def database_url(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database, on a server of its own where it needs one."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'log.db'}"
        return
    folder.chmod(0o755)
    server = start_server(folder / "data")
    try:
        url = PostgresServer(socket_dir(server), "stress").create("template0")
        database.upgrade(url)
        yield url
    finally:
        server.cleanup()
