"""What a run can see and use: the command that starts it, and the world it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

from ..domain.api_key import LOCAL
from ..domain.budget import is_in_scope
from ..domain.catalogue import Catalogue, ModelConfig, ModelName
from ..domain.events import Exclusion, ExclusionReason, Money, StrategySettings
from ..domain.fast_replace import replace
from ..domain.forecast import SuccessModel
from ..domain.policy import Policy
from ..domain.request import Request
from ..domain.scorers import AnswerScorer
from ..domain.units import Duration, Usd
from .leasing import LEASE
from .limits import Breakers, Limits, RateLimiter
from .ports import Append, IdempotencyClaim, LeaseStore, ModelClient
from .session import Observer

RECORDED = "recorded:"  # begins the name of a provider that is a data set
HOW_HARD = ("max_attempts", "on_unknown")  # settings that say how an answer is reached, not which


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: their runs, cached answers and idempotency keys are theirs alone. `models` None: any may be asked."""

    owner: str = LOCAL
    models: tuple[ModelName, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """What tells an answer's request from others, and how long the answer may be given again."""

    fingerprint: bytes
    ttl: Duration


@dataclass(frozen=True, kw_only=True)
class StartRun:
    """The command that starts a run."""

    run_id: str
    request: Request
    strategy: str = "cheapest"
    settings: StrategySettings = StrategySettings()
    category: str = "orchestration"
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = LOCAL
    subject: str | None = None
    max_cost: Usd | None = None
    timeout: float | None = None  # seconds, for the whole run
    keep_content: bool = True
    idempotency_key: str | None = None
    cache_ttl: Duration | None = None  # None: the answer is neither taken from the cache nor put there
    claim: IdempotencyClaim | None = None  # of the key, once its request has a fingerprint
    caching: Caching | None = None  # likewise

    @property
    def choices(self) -> tuple[str, ...]:
        """What was chosen for the strategy, a word each; nothing for what is left to the policy."""
        given, left = self.settings, StrategySettings()
        names = [one.name for one in fields(left) if one.name not in HOW_HARD]
        return tuple(f"{name}={getattr(given, name)}" for name in names if getattr(given, name) != getattr(left, name))


def money_of(provider: str) -> Money:
    """Whose money a run spends, by who answers it."""
    return Money(provider.split(":")[0]) if provider != "live" else Money.REAL


def dataset_of(provider: str) -> str | None:
    """The data set that answers, of a provider or a catalogue called `recorded:NAME`; None of any other."""
    return provider.removeprefix(RECORDED) if provider.startswith(RECORDED) else None


@dataclass(frozen=True, kw_only=True)
class World:
    """The models a run can see, how they are reached, and what bounds the calls."""

    provider: str  # live, simulated or recorded:NAME
    catalogue: Catalogue
    catalogue_hash: str
    policy: Policy
    policy_hash: str
    usable: tuple[ModelConfig, ...]
    unusable: tuple[Exclusion, ...]
    client_for: Callable[[ModelConfig], ModelClient]
    worker: str
    observe: Observer
    draw: Callable[[], float]  # a random number 0..1
    budgets: tuple[tuple[str, str], ...] = ()  # scope and period of every budget that is set
    limiter: RateLimiter | None = None
    limits_of: Callable[[ModelConfig], Limits] = lambda model: Limits()
    breakers: Breakers | None = None
    on_wait: Callable[[str, ModelName, float], None] = lambda run_id, model, seconds: None  # for a model's rate limit
    account_of: Callable[[ModelConfig], str] = lambda model: ""  # tells keys and addresses of a provider apart
    leases: LeaseStore | None = None
    lease: Duration = LEASE
    introduce: Append | None = None  # catalogue, policy and weights, where the database does not hold them yet
    router: SuccessModel | None = None  # of a learned policy
    scorer: AnswerScorer | None = None  # a learned one, where it scores the answers

    @property
    def money(self) -> Money:
        """Whose money this world spends."""
        return money_of(self.provider)

    def open_to(self, caller: Caller) -> World:
        """The world without the models that the caller's key does not allow."""
        if caller.models is None:
            return self
        usable = tuple(model for model in self.usable if model.name in caller.models)
        barred = (model.name for model in self.usable if model.name not in caller.models)
        reasons = (Exclusion(model=name, reason=ExclusionReason.KEY, limit=caller.owner) for name in barred)
        return replace(self, usable=usable, unusable=(*self.unusable, *reasons))

    def model(self, name: str) -> ModelConfig:
        """A usable model. Raises StopIteration for another."""
        return next(model for model in self.usable if model.name == name)

    def budgets_of(self, command: StartRun) -> tuple[tuple[str, str], ...]:
        """The budgets that concern a run."""
        return tuple(one for one in self.budgets if is_in_scope(one[0], command.category, command.tags, command.owner))
