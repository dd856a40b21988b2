"""The policies by name, each with what it has learned: `heuristic`, `learned`, the settings' own, or a TOML file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

from ..application.world import dataset_of
from ..domain.catalogue import Catalogue
from ..domain.errors import ConfigurationError, InvalidRequest
from ..domain.forecast import SuccessModel
from ..domain.policy import DEFAULT_TARGET, Policy
from ..domain.scorers import AnswerScorer, is_learned, judge_of
from ..domain.units import Probability
from .policy import load_policy
from .policy_settings import BUILT_IN, LEARNED_POLICY, NamedPolicy, named_policy
from .settings import Settings
from .weights_store import Weights, router_weights, scorer_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInForce:
    """A policy, and the weights it names."""

    name: str
    policy: Policy
    router: Weights[SuccessModel] | None = None
    scorer: Weights[AnswerScorer] | None = None
    file: Path | None = None  # where it is written; None: built in, or only changed by the settings' tables


def policy_names(settings: Settings) -> tuple[str, ...]:
    """Every name that can be given."""
    return (*BUILT_IN, *settings.policies)


def policy_in_force(
    settings: Settings, catalogue: Catalogue, name: str, *, base: Policy | None = None
) -> PolicyInForce:
    """The policy of a name, or of a TOML file, with its weights.

    Raises ConfigurationError for what is wrong in its tables, InvalidRequest for an unknown name or bad weights.
    """
    named = find_policy(settings, name)
    if named is None:
        return PolicyInForce(name=name, policy=load_policy(settings, catalogue, base=base))
    keys = named.keys
    router = None if keys.router is None else router_weights(named.weights(keys.router))
    scorer = scorer_weights(named.weights(keys.scorer_weights)) if keys.scorer and is_learned(keys.scorer) else None
    return PolicyInForce(
        name=named.name,
        policy=load_policy(
            settings,
            catalogue,
            named,
            base=base,
            learned=lambda policy: replace(
                policy,
                matrix={} if named is LEARNED_POLICY else policy.matrix,
                router=router.model.version if router else None,
                target=DEFAULT_TARGET if keys.target is None else keys.target,
                scorer=scorer.model.version if scorer else keys.scorer or policy.scorer,
                explore=keys.explore or Probability(0),
            ),
        ),
        router=router,
        scorer=scorer,
        file=named.file,
    )


def policy_over_past(settings: Settings, catalogue: Catalogue, name: str) -> PolicyInForce | None:
    """The same over a catalogue that runs used; None where that is of a data set that was removed or replaced."""
    from .recorded import load_recorded, recorded_catalogue, recorded_policy

    dataset = dataset_of(catalogue.name)
    if dataset is None:
        return policy_in_force(settings, catalogue, name)
    try:
        summary = load_recorded(settings.database_url, dataset)
    except InvalidRequest:
        return None
    if recorded_catalogue(dataset, summary) != catalogue:
        return None
    return policy_in_force(settings, catalogue, name, base=recorded_policy(summary))


def find_policy(settings: Settings, name: str) -> NamedPolicy | None:
    """The policy of a name or of a TOML file, as it is written; None for the built-in heuristics.

    Raises ConfigurationError for what is wrong in its tables, InvalidRequest for an unknown name.
    """
    found = _named(settings, name)
    _check_scorer(None if found is None else found.keys.scorer, name)
    return found


def _named(settings: Settings, name: str) -> NamedPolicy | None:
    if name == "heuristic":
        return None
    if name == LEARNED_POLICY.name:
        return LEARNED_POLICY
    if name in settings.policies:
        return settings.policies[name]
    if name.endswith(".toml"):
        return _of_file(Path(name).expanduser())
    names = policy_names(settings)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"policies are {', '.join(names)}; or a TOML file"
    raise InvalidRequest(f"there is no policy {name!r}; {hint}")


def _of_file(file: Path) -> NamedPolicy:
    """The policy that a file of its own describes."""
    import tomllib

    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise InvalidRequest(f"cannot read the policy {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ArithmeticError) as error:
        raise ConfigurationError(f"the policy {file} is not TOML: {error}") from None
    return named_policy(file.stem, document, file)


def _check_scorer(scorer: str | None, name: str) -> None:
    from ..domain.confidence import SCORER

    if scorer is not None and scorer not in (SCORER, "learned") and judge_of(scorer) is None:
        raise ConfigurationError(f"policies.{name}.scorer: expected {SCORER}, learned or judge:MODEL, got {scorer!r}")
