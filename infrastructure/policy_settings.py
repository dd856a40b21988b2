"""The tables [chains.NAME], [panels], [matrix] and [score_weights], of the settings file or of a policy with a name.

A policy is a table [policies.NAME] of the settings file, or a TOML file of its own, named after the file. Here is seen
what is wrong in the tables themselves. Whether the models and chains they name exist is seen where the catalogue is
known: see policy.py.
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
from .setting_keys import Key, key, keys_of, read, read_table, unknown

POLICY_TABLES = ("chains", "panels", "matrix", "score_weights")
BUILT_IN = ("heuristic", "learned")
SHIPPED = "shipped"  # the weights that come with the package
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKeys:
    """What a policy with a name says beside its tables; None leaves it as it is without the policy."""

    default_chain: str | None = field(default=None, metadata=key(values.text, "the name of a chain"))
    router: str | None = field(default=None, metadata=key(values.text, "shipped, or a file of weights"))
    target: Probability | None = field(default=None, metadata=key(values.share, "0 to 1, such as 0.8"))
    scorer: str | None = field(default=None, metadata=key(values.text, "heuristic-1, learned or judge:MODEL"))
    scorer_weights: str | None = field(default=None, metadata=key(values.text, "shipped, or a file of weights"))
    explore: Probability | None = field(default=None, metadata=key(values.share, "0 to 1, such as 0.05"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPolicy:
    """A policy that has a name: what it changes of the built-in one and the settings' tables."""

    name: str
    keys: PolicyKeys = PolicyKeys()
    tables: PolicySettings = PolicySettings()
    file: Path | None = None  # where it is written; weights are looked for beside it

    def weights(self, given: str | None) -> Path | None:
        """The file of weights that a key names; None: the shipped ones."""
        if given is None or given == SHIPPED:
            return None
        path = Path(given).expanduser()
        return path if path.is_absolute() or self.file is None else self.file.parent / path


LEARNED_POLICY = NamedPolicy(name="learned", keys=PolicyKeys(router=SHIPPED, scorer="learned"))


def read_policies(tables: object, file: Path | None, sources: dict[str, str]) -> dict[str, NamedPolicy]:
    """The tables [policies.NAME]. Raises ConfigurationError."""
    if not isinstance(tables, Mapping):
        raise ConfigurationError(f"policies in {file}: expected tables such as [policies.NAME]")
    for name, table in tables.items():
        if name in BUILT_IN:
            raise ConfigurationError(f"policies.{name} in {file}: {name} is built in; give yours another name")
        if not isinstance(table, Mapping):
            raise ConfigurationError(f"policies.{name} in {file}: expected a table, [policies.{name}]")
        sources.update({f"policies.{name}.{one}": str(file) for one in table})
    return {name: named_policy(name, table, file, prefix=f"policies.{name}.") for name, table in tables.items()}


def named_policy(name: str, table: Mapping[str, Any], file: Path | None, *, prefix: str = "") -> NamedPolicy:
    """A policy as its table has it. Raises ConfigurationError."""
    rest = {one: value for one, value in table.items() if one not in POLICY_TABLES}
    for one in rest:
        if one not in keys_of(PolicyKeys):
            raise unknown(f"{prefix}{one}", one, {**keys_of(PolicyKeys), **dict.fromkeys(POLICY_TABLES)}, str(file))
    keys = PolicyKeys(**read_table(PolicyKeys, rest, prefix=prefix.rstrip("."), source=str(file)))
    if keys.scorer_weights is not None and keys.scorer != "learned":
        raise ConfigurationError(f'{prefix}scorer_weights in {file}: expected beside scorer = "learned"')
    if keys.target is not None and keys.router is None:
        raise ConfigurationError(f'{prefix}target in {file}: expected beside a router, such as router = "{SHIPPED}"')
    return NamedPolicy(name=name, keys=keys, tables=read_policy(table, file, {}), file=file)


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
