from tests.simulator import simulator

__all__ = ["simulator"]
