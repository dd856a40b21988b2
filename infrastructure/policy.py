"""The policies: the built-in one of each catalogue with the user's changes, and the document stored by its hash.

A chain may name models of another catalogue: they are left out, with a reason, where the run's catalogue lacks them.
What no catalogue has is an error as soon as the policy is made.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any

from ..application.recorded_world import NotReplayable
from ..application.world import dataset_of
from ..domain.catalogue import Catalogue, ModelCapability
from ..domain.complexity import ASSESSOR, TaskType
from ..domain.confidence import SCORER
from ..domain.errors import ConfigurationError, InvalidRequest
from ..domain.expected_output import EXPECTED_OUTPUT
from ..domain.policy import DEFAULT_MAX_TOKENS, DEFAULT_TARGET, MATRIX, POLICY_VERSION, SEED_POLICY, Chain, Policy
from ..domain.scorers import is_learned, judge_of
from ..domain.synthesis import DEFAULT_WEIGHTS, ScoreWeights
from ..domain.units import Probability, probability
from .catalogues import find_model, is_known_model
from .policy_settings import NamedPolicy, PolicySettings
from .settings import Settings

_OF_A_DOCUMENT = re.compile(r".+-[0-9a-f]{8}")  # a version that names its document, not a rule of this build

# The seed's chains and panels with the models of today in the same classes.
CURRENT_POLICY = Policy(
    chains={
        "mixed": Chain(models=("gpt-6-luna", "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")),
        "anthropic": Chain(models=("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")),
        "openai": Chain(models=("gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol")),
        "fast": Chain(models=("gpt-6-luna", "claude-haiku-5-5"), threshold=probability(0.6)),
    },
    panels={
        "basic": ("claude-haiku-5-5", "gpt-6-luna", "claude-sonnet-5-5"),
        "hard": ("claude-sonnet-5-5", "gpt-6.1-sol", "claude-opus-5-5"),
        "architecture": ("claude-sonnet-5-5", "gpt-6.1-sol"),
        "research": ("claude-opus-5-5", "gpt-6-astra"),
    },
    matrix=MATRIX,
)


def policy_of(catalogue: str) -> Policy:
    """The built-in policy for a catalogue: `seed`, or `current`."""
    return SEED_POLICY if catalogue == "seed" else CURRENT_POLICY


def load_policy(
    settings: Settings,
    catalogue: Catalogue,
    named: NamedPolicy | None = None,
    *,
    learned: Callable[[Policy], Policy] = lambda policy: policy,
    base: Policy | None = None,
) -> Policy:
    """The policy in force: the built-in one with the user's changes, which give it a version of its own.

    A named policy's tables go over those; `learned` adds its weights and what goes with them. A data set brings chains
    and panels of its own models, as `base` or looked up by its name; of the settings only what auto chooses and the
    weights of scores hold there.
    Raises ConfigurationError for a chain or a model that does not exist, and for backups that go in a circle.
    """
    given = settings.changes
    if (dataset := dataset_of(catalogue.name)) is not None:
        policy = base = base or _recorded_policy(settings, dataset)
        given = replace(given, chains={}, panels={})
    else:
        base = base or policy_of(catalogue.name)
        policy = replace(base, default_chain=settings.default_chain)
    policy = _changed(policy, given, Source(str(settings.file)), settings, catalogue)
    _check_chains(policy.chains, given, Source(str(settings.file)))
    if named is not None:
        source = Source(str(named.file), "" if named.file != settings.file else f"policies.{named.name}.")
        policy = replace(policy, default_chain=named.keys.default_chain or policy.default_chain)
        policy = learned(_changed(policy, named.tables, source, settings, catalogue))
        _check_chains(policy.chains, named.tables, source)
    if policy.default_chain not in policy.chains:
        own = named is not None and named.keys.default_chain is not None
        source_of = str(named.file) if named is not None and own else settings.source("default_chain")
        raise ConfigurationError(f"default_chain in {source_of}: {_no_chain(policy.default_chain, policy.chains)}")
    if policy == base:
        return base
    prefix = "own" if named is None else named.name
    return replace(policy, version=f"{prefix}-{hashlib.sha256(policy_json(policy).encode()).hexdigest()[:8]}")


def _recorded_policy(settings: Settings, dataset: str) -> Policy:
    from .recorded import load_recorded, recorded_policy

    return recorded_policy(load_recorded(settings.database_url, dataset))


@dataclass(frozen=True, slots=True)
class Source:
    """Where tables are written, for an error about them."""

    file: str
    prefix: str = ""


def _changed(policy: Policy, given: PolicySettings, source: Source, settings: Settings, catalogue: Catalogue) -> Policy:
    """The policy with the tables' changes."""
    for name, chain in given.chains.items():
        _check_models(f"{source.prefix}chains.{name}.models", chain.models or (), source, settings, catalogue)
    for name, panel in given.panels.items():
        _check_models(f"{source.prefix}panels.{name}", panel, source, settings, catalogue)
    of_task = {task: said for (task, one), said in given.matrix.items() if one is None}
    of_class = {(task, one): said for (task, one), said in given.matrix.items() if one is not None}
    return replace(
        policy,
        chains=_chains(policy.chains, given, source),
        panels={**policy.panels, **given.panels},
        matrix={**policy.matrix, **of_task},
        by_capability={
            **{key: said for key, said in policy.by_capability.items() if key[0] not in of_task},
            **of_class,
        },
        score_weights=given.score_weights if given.score_weights != DEFAULT_WEIGHTS else policy.score_weights,
    )


def _chains(built_in: Mapping[str, Chain], given: PolicySettings, source: Source) -> dict[str, Chain]:
    """The chains there are and the user's; of one that has such a name, what is not given stays."""
    chains = dict(built_in)
    for name, own in given.chains.items():
        if own.models is None and name not in built_in:
            key = f"{source.prefix}chains.{name}.models"
            raise ConfigurationError(f"{key} in {source.file}: expected a list of 1 to 5 models")
        chains[name] = replace(
            built_in.get(name) or Chain(models=()),
            **{key: value for key, value in asdict(own).items() if value is not None},
        )
    return chains


def _check_models(key: str, models: tuple[str, ...], source: Source, settings: Settings, catalogue: Catalogue) -> None:
    for name in models:
        if catalogue.get(name) is None and not is_known_model(name):
            try:
                find_model(catalogue, name)
            except InvalidRequest as error:
                raise ConfigurationError(f"{key} in {source.file}: {error}") from None


def _check_chains(chains: Mapping[str, Chain], given: PolicySettings, source: Source) -> None:
    for name in given.chains:
        where, passed, backup = f"{source.prefix}chains.{name}.backup in {source.file}", [name], chains[name].backup
        while backup is not None:
            if backup not in chains:
                raise ConfigurationError(f"{where}: {_no_chain(backup, chains)}")
            if backup in passed:
                way = " > ".join([*passed, backup])
                raise ConfigurationError(f"{where}: expected another chain that does not come back to it, got {way}")
            passed.append(backup)
            backup = chains[backup].backup


def _no_chain(name: str, chains: Mapping[str, Chain]) -> str:
    near = get_close_matches(name, chains, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"chains are {', '.join(chains)}"
    return f"there is no chain {name!r}; {hint}"


def unknown_chain(name: str, policy: Policy, catalogue: Catalogue) -> str:
    """The message for a chain of one name that is neither a chain nor a model."""
    models = [model.name for model in catalogue.models]
    near = get_close_matches(name, [*policy.chains, *models], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"chains are {', '.join(policy.chains)}; or name models"
    return f"there is no chain and no model {name!r}; {hint}"


def policy_json(policy: Policy) -> str:
    """Everything a decision of the policy rests on, beside the code of its version."""
    document: dict[str, Any] = {
        "policy": policy.version,
        "assessor": ASSESSOR,
        "scorer": policy.scorer,
        "default_max_tokens": DEFAULT_MAX_TOKENS,
        "expected_output_tokens": EXPECTED_OUTPUT,
        "chains": {
            name: {"models": chain.models, "threshold": chain.threshold, "backup": chain.backup}
            for name, chain in policy.chains.items()
        },
        "default_chain": policy.default_chain,
        "panels": dict(policy.panels),
        "matrix": {task.value: strategy for task, strategy in policy.matrix.items()},
        "by_capability": {
            f"{task.value}.{capability.value}": strategy
            for (task, capability), strategy in policy.by_capability.items()
        },
        "score_weights": asdict(policy.score_weights),
    }
    if policy.router is not None:
        document["router"] = {"weights": policy.router, "target": policy.target}
    if policy.explore:
        document["explore"] = policy.explore
    return json.dumps(document, sort_keys=True)


READ_FROM_THE_LOG = ("assessor", "scorer")  # a replay takes what they said as it was recorded


def replayable_policy(text: str) -> Policy:
    """The policy of a stored document, to decide by again as then. Raises NotReplayable where this build cannot."""
    try:
        document: dict[str, Any] = json.loads(text)
        policy = policy_from_json(text)
        ours = json.loads(policy_json(policy))
    except (KeyError, TypeError, ValueError):
        raise NotReplayable("its policy is of a form that this build cannot read") from None
    if policy.version != POLICY_VERSION and not _OF_A_DOCUMENT.fullmatch(policy.version):
        raise NotReplayable(f"its policy is {policy.version}, and this build decides by {POLICY_VERSION}")
    for part in {**document, **ours}:
        if part not in READ_FROM_THE_LOG and document.get(part) != ours.get(part):
            raise NotReplayable(f"its policy {policy.version} has another {part} than this build")
    return policy


def policy_from_json(text: str) -> Policy:
    """The policy of a stored document."""
    document: dict[str, Any] = json.loads(text)
    router = document.get("router") or {"weights": None, "target": DEFAULT_TARGET}
    return Policy(
        version=document["policy"],
        chains={
            name: Chain(
                models=tuple(chain["models"]), threshold=Probability(chain["threshold"]), backup=chain["backup"]
            )
            for name, chain in document["chains"].items()
        },
        default_chain=document["default_chain"],
        panels={name: tuple(models) for name, models in document["panels"].items()},
        matrix={TaskType(task): strategy for task, strategy in document["matrix"].items()},
        by_capability={
            (TaskType(one.partition(".")[0]), ModelCapability(one.partition(".")[2])): strategy
            for one, strategy in document["by_capability"].items()
        },
        score_weights=ScoreWeights(**document["score_weights"]),
        router=router["weights"],
        target=Probability(router["target"]),
        scorer=document["scorer"] if _is_other_scorer(document["scorer"]) else SCORER,
        explore=Probability(document.get("explore", 0)),
    )


def _is_other_scorer(scorer: str) -> bool:
    """Whether the document names a scorer that is not the heuristics, whatever their version was then."""
    return is_learned(scorer) or judge_of(scorer) is not None
