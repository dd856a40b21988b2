"""Files are made without touching those that exist."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.store.sqlite_connection import create_private


def test_an_existing_database_is_never_opened_and_closed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That would drop every lock SQLite's other connections of this process have on it."""
    path = tmp_path / "state.db"
    create_private(path)
    assert path.stat().st_mode & 0o777 == 0o600
    closed: list[int] = []
    monkeypatch.setattr(os, "close", closed.append)
    create_private(path)
    assert not closed
