"""What every test gets: settled hypothesis profiles and an environment without the user's keys, settings and data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ("tests.postgres", "tests.database")

settings.register_profile("default", print_blob=True, deadline=None)
settings.register_profile("ci", print_blob=True, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")

FOREIGN = ("ANTHROPIC_", "OPENAI_", "MODEL_ORCHESTRATOR_", "OTEL_")


@pytest.fixture(scope="session", autouse=True)
def _no_foreign_settings() -> Iterator[None]:
    """No key, address or setting of the machine reaches a test or what it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(FOREIGN):
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own user folders; nothing it writes by default outlives it."""
    for kind in ("data", "config", "state"):
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", str(tmp_path / "user" / kind))
