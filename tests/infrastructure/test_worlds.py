"""What a process keeps of the providers that its clients ask for."""

from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.worlds import Worlds


def test_names_that_clients_ask_for_are_not_kept() -> None:
    worlds = Worlds(Settings(), worker="w")
    assert worlds.provider(None) == worlds.provider(None)
    before = kept(worlds)
    for number in range(100):
        assert worlds.provider(f"recorded:{number}") == (f"recorded:{number}", None)
    assert kept(worlds) == before


def kept(worlds: Worlds) -> int:
    return sum(len(value) for value in vars(worlds).values() if isinstance(value, dict))
