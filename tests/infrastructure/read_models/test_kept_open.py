"""What is borrowed is closed when it comes back, or kept for the next while somebody asks several questions."""

from __future__ import annotations

import pytest

from model_orchestrator.infrastructure.read_models.kept_open import KeptOpen


class Opened:
    """Knows whether it is open."""

    def __init__(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


def test_what_nobody_keeps_is_closed_when_it_comes_back() -> None:
    pool = KeptOpen(Opened)
    with pool.borrowed() as one:
        assert one.is_open
    assert not one.is_open


def test_what_is_kept_is_lent_again_until_the_last_keeper_ends() -> None:
    pool = KeptOpen(Opened)
    with pool.kept():
        with pool.kept(), pool.borrowed() as first, pool.borrowed() as second:
            assert first is not second
        with pool.borrowed() as again:
            assert again in (first, second)
        assert first.is_open
        assert second.is_open
    assert not first.is_open
    assert not second.is_open


def test_what_failed_is_lent_to_nobody_else() -> None:
    pool = KeptOpen(Opened)
    with pool.kept():
        with pytest.raises(LookupError), pool.borrowed() as broken:
            raise LookupError
        assert not broken.is_open
        with pool.borrowed() as other:
            assert other is not broken
