"""What a run can see and use: the command that starts it, and the world it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..domain.budget import is_in_scope
from ..domain.catalogue import Catalogue, ModelConfig
from ..domain.events import Exclusion, Money, StrategySettings
from ..domain.policy import Policy
from ..domain.request import Request
from ..domain.units import Duration, Usd
from .leasing import LEASE
from .limits import Breakers, Limits, RateLimiter
from .ports import Append, LeaseStore, ModelClient
from .session import Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """The command that starts a run."""

    run_id: str
    request: Request
    strategy: str = "cheapest"
    settings: StrategySettings = StrategySettings()
    category: str = "orchestration"
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = "local"
    subject: str | None = None
    max_cost: Usd | None = None
    timeout: float | None = None  # seconds, for the whole run
    keep_content: bool = True


def money_of(provider: str) -> Money:
    """Whose money a run spends, by who answers it."""
    return Money(provider.split(":")[0]) if provider != "live" else Money.REAL


@dataclass(frozen=True, slots=True, kw_only=True)
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
    account_of: Callable[[ModelConfig], str] = lambda model: ""  # tells keys and addresses of a provider apart
    leases: LeaseStore | None = None
    lease: Duration = LEASE
    introduce: Append | None = None  # catalogue and policy, where the database does not hold them yet

    @property
    def money(self) -> Money:
        """Whose money this world spends."""
        return money_of(self.provider)

    def model(self, name: str) -> ModelConfig:
        """A usable model. Raises StopIteration for another."""
        return next(model for model in self.usable if model.name == name)

    def budgets_of(self, command: StartRun) -> tuple[tuple[str, str], ...]:
        """The budgets that concern a run."""
        return tuple(one for one in self.budgets if is_in_scope(one[0], command.category, command.tags))
