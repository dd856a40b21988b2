import shutil
from pathlib import Path

import pytest

from tests.generated_log import TrueLog, write_log


@pytest.fixture(scope="session")
def _written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, TrueLog]:
    url = f"sqlite:///{tmp_path_factory.mktemp('dashboard') / 'log.db'}"
    return url, write_log(url, runs=130, seed=11, days=60, texts=True)


@pytest.fixture
def filled(_written: tuple[str, TrueLog]) -> str:
    """The address of a log of 130 runs; tests leave it as it is."""
    return _written[0]


@pytest.fixture
def own(filled: str, tmp_path: Path) -> str:
    """The address of a log like it, for tests that change it."""
    shutil.copyfile(filled.removeprefix("sqlite:///"), tmp_path / "own.db")
    return f"sqlite:///{tmp_path / 'own.db'}"


@pytest.fixture
def truth(_written: tuple[str, TrueLog]) -> TrueLog:
    """What is true of it."""
    return _written[1]


@pytest.fixture
def empty(tmp_path: Path) -> str:
    """The address of a database that is not there yet."""
    return f"sqlite:///{tmp_path / 'empty.db'}"
