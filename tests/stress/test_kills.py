"""Workers die at every step: each run still ends as it would have, and no answer is paid twice."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from .kills import CASES, Nursery, killing

SHARE = 0.05  # of the runs in which who takes over dies too; `make stress` plays all, and every case on both databases
ON_POSTGRES = ("cheapest", "fallback, agreement", "ensemble, judge")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Imports once for all workers of this module."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.mark.parametrize(
    ("database", "case"), [*(("sqlite", case) for case in CASES), *(("postgres", case) for case in ON_POSTGRES)]
)
def test_a_run_whose_workers_died_ends_as_it_would_have(
    database: str, case: str, nursery: Nursery, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Each answered call is kept, and only the calls in flight are made again."""
    sqlite = f"sqlite:///{tmp_path / 'log.db'}"
    url: str = sqlite if database == "sqlite" else request.getfixturevalue("postgres_url")
    random = Random(f"{database}, {case}")
    with killing(case, nursery, url, tmp_path, is_taken=lambda: random.random() < SHARE) as one:
        one.loop(depth=2)
    assert one.kills >= 3
