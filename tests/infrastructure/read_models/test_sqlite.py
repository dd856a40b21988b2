"""Read models beside a log file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.read_models import ReadModelsContract


class TestReadModelsOnSqlite(ReadModelsContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'log.db'}"

    def delete_state(self, url: str) -> None:
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.stem}.state.db*"):
            file.unlink()
