"""The program, run in a folder whose settings name local servers."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

MODEL = """
[models.{name}]
provider = "openai"
base_url = "{base_url}"
capability = "basic"
context_window = 2048
max_tokens = {max_tokens}
input_price = 0
output_price = 0
features = ["temperature", "stop", "seed", "logprobs"]
"""
MAX_TOKENS = 128


def write_settings(home: Path, servers: Mapping[str, str]) -> None:
    """The settings file of live models, each with its base_url."""
    tables = [MODEL.format(name=name, base_url=base_url, max_tokens=MAX_TOKENS) for name, base_url in servers.items()]
    (home / "model-orchestrator.toml").write_text('provider = "live"\n' + "".join(tables), encoding="utf-8")


def orchestrator(*arguments: str, home: Path) -> str:
    """What the program prints; its failure shows both of its streams."""
    env = {**os.environ, "MODEL_ORCHESTRATOR_DATABASE_URL": f"sqlite:///{home / 'runs.db'}"}
    command = [sys.executable, "-m", "model_orchestrator", *arguments]
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def stored_texts(home: Path) -> list[str]:
    """Every prompt, answer and raw reply that its database holds."""
    with closing(sqlite3.connect(home / "runs.db")) as database:
        return [bytes(body).decode() for (body,) in database.execute("SELECT CAST(body AS BLOB) FROM contents")]
