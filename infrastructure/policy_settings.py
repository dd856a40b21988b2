"""The tables [chains.NAME], [panels], [matrix] and [score_weights] of the settings file: what is wrong in themselves.

Whether the models and chains they name exist is seen where the catalogue is known: see policy.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..domain.catalogue import ModelCapability
from ..domain.complexity import TaskType
from ..domain.errors import ConfigurationError, InvalidRequest
from ..domain.strategies import PLANNED
from ..domain.synthesis import DEFAULT_WEIGHTS, ScoreWeights
from ..domain.units import Probability
from . import setting_values as values
from .setting_keys import Key, key, read, read_table, unknown

POLICY_TABLES = ("chains", "panels", "matrix", "score_weights")
PANELS = ("basic", "hard", *TaskType)  # of a task's own kind, else by how hard the prompt is
_WEIGHT = key(values.whole(0, 1000), "a whole number, 0 to 1000")
_PANEL = Key(values.names(2, 3), "a list of 2 or 3 models, each once")
_STRATEGY = Key(values.one_of(PLANNED), f"one of {', '.join(PLANNED)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """A new chain, or what is different about a built-in one. None leaves a field as it is."""

    models: tuple[str, ...] | None = field(
        default=None, metadata=key(values.names(1, 5), "a list of 1 to 5 models, each once")
    )
    threshold: Probability | None = field(default=None, metadata=key(values.share, "0 to 1, such as 0.7"))
    backup: str | None = field(default=None, metadata=key(values.text, "the name of another chain"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSettings:
    """What a member's score is made of; only the ratios count."""

    confidence: int | None = field(default=None, metadata=_WEIGHT)
    capability: int | None = field(default=None, metadata=_WEIGHT)
    length: int | None = field(default=None, metadata=_WEIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """What the user's file says of the policy."""

    chains: Mapping[str, ChainSettings] = field(default_factory=dict)
    panels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    matrix: Mapping[tuple[TaskType, ModelCapability | None], str] = field(default_factory=dict)  # None: of any class
    score_weights: ScoreWeights = DEFAULT_WEIGHTS


def read_policy(tables: Mapping[str, Any], file: Path | None, sources: dict[str, str]) -> PolicySettings:
    """The tables as the file has them. Raises ConfigurationError."""
    given = {name: _table(name, tables.get(name, {}), str(file)) for name in POLICY_TABLES}
    chains = {name: _chain(name, table, str(file), sources) for name, table in given["chains"].items()}
    panels = {name: _panel(name, models, str(file)) for name, models in given["panels"].items()}
    matrix = {}
    for name, said in given["matrix"].items():
        matrix.update(_choices(name, said, str(file)))
    sources.update({f"{kind}.{name}": str(file) for kind in ("panels", "score_weights") for name in given[kind]})
    sources.update({f"matrix.{task.value}" + (f".{one.value}" if one else ""): str(file) for task, one in matrix})
    weights = _weights(given["score_weights"], str(file))
    return PolicySettings(chains=chains, panels=panels, matrix=matrix, score_weights=weights)


def _table(name: str, table: object, file: str) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        shape = "tables such as [chains.NAME]" if name == "chains" else f"a table, [{name}]"
        raise ConfigurationError(f"{name} in {file}: expected {shape}")
    return table


def _chain(name: str, table: object, file: str, sources: dict[str, str]) -> ChainSettings:
    if "," in name or not name.strip():
        raise ConfigurationError(f"chains.{name} in {file}: expected a name without commas, got {name!r}")
    given = read_table(ChainSettings, table, prefix=f"chains.{name}", source=file)
    sources.update({f"chains.{name}.{one}": file for one in given})
    return ChainSettings(**given)


def _panel(name: str, models: object, file: str) -> tuple[str, ...]:
    if name not in PANELS:
        raise unknown(f"panels.{name}", name, dict.fromkeys(PANELS), file)
    panel: tuple[str, ...] = read(_PANEL, models, name=f"panels.{name}", source=file)
    return panel


def _choices(name: str, said: object, file: str) -> dict[tuple[TaskType, ModelCapability | None], str]:
    """A task's strategy, or one for some of its classes."""
    if name not in list(TaskType):
        raise unknown(f"matrix.{name}", name, dict.fromkeys(TaskType), file)
    task, full = TaskType(name), f"matrix.{name}"
    if not isinstance(said, Mapping):
        return {(task, None): _strategy(full, said, file)}
    for capability in said:
        if capability not in list(ModelCapability):
            raise unknown(f"{full}.{capability}", capability, dict.fromkeys(ModelCapability), file)
    return {(task, ModelCapability(one)): _strategy(f"{full}.{one}", value, file) for one, value in said.items()}


def _strategy(name: str, said: object, file: str) -> str:
    strategy: str = read(_STRATEGY, said, name=name, source=file)
    return strategy


def _weights(table: Mapping[str, Any], file: str) -> ScoreWeights:
    given = read_table(WeightSettings, table, prefix="score_weights", source=file)
    try:
        return ScoreWeights(**given)
    except InvalidRequest as error:
        raise ConfigurationError(f"score_weights in {file}: {error}") from None
