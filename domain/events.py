"""Every fact of a run, past tense and immutable. Free text is never here: a ContentRef points to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .catalogue import ModelCapability, ModelName
from .complexity import TaskType
from .errors import ErrorKind
from .finish import FinishReason
from .pricing import PriceCard, Usage
from .units import Duration, Probability, Timestamp, Usd


@dataclass(frozen=True, slots=True)
class ContentRef:
    """Points to a text in `contents`. `digest` is SHA-256(salt, text) in hex; the salt lives and dies with the text."""

    id: str
    digest: str


class Money(StrEnum):
    """Whose money a cost is: reports never add one kind to another."""

    REAL = "real"
    SIMULATED = "simulated"
    RECORDED = "recorded"


class Purpose(StrEnum):
    """What an attempt is for."""

    ANSWER = "answer"
    VERIFY = "verify"
    JUDGE = "judge"
    SYNTHESIS = "synthesis"


class Evidence(StrEnum):
    """How the cost of a lost attempt came to be known."""

    RECONCILED = "reconciled"  # a person, or the provider's own figures
    ASSUMED = "assumed"  # enough time went by: the most it could cost


class ExclusionReason(StrEnum):
    """Why a model was no candidate."""

    NO_KEY = "no_key"
    RETIRED = "retired"
    CAPABILITY = "capability"
    CONTEXT_WINDOW = "context_window"
    FEATURE = "feature"
    UNPRICED = "unpriced"
    MAX_COST = "max_cost"
    NOT_ASKED = "not_asked"  # the caller named another model
    PROVIDER = "provider"  # the caller asked for another provider
    CATALOGUE = "catalogue"  # the policy names it, and this run's catalogue does not have it
    KEY = "key"  # the API key that asked is for other models


class KeyScope(StrEnum):
    """What an API key is for."""

    RUN = "run"  # ask
    READ = "read"  # read what was asked under its name
    ADMIN = "admin"  # all of that, for everyone


class ErasureReason(StrEnum):
    """Why texts were destroyed."""

    REQUEST = "request"  # whom they are about, or who sent them, asked for it
    RETENTION = "retention"  # they were kept as long as they may be
    LEAK = "leak"  # they held something that must not be stored


class OnUnknown(StrEnum):
    """What follows an attempt whose outcome is unknown."""

    RETRY = "retry"  # once more, with a hold of its own
    FAIL = "fail"


class StopReason(StrEnum):
    """Why a run asked no further."""

    ANSWERED = "answered"  # one answer was asked for
    CONFIDENT = "confident"
    REFUSAL = "refusal"  # a safety refusal is an answer
    AGREEMENT = "agreement"
    LAST_MODEL = "last_model"
    BUDGET = "budget"  # the next call does not fit what is left
    DEADLINE = "deadline"  # no time for another call
    CACHE = "cache"
    SYNTHESIZED = "synthesized"
    SINGLE = "single"  # the only member that answered


class EscalationReason(StrEnum):
    """Why a chain moved on."""

    LOW_CONFIDENCE = "low_confidence"
    NO_AGREEMENT = "no_agreement"
    PROVIDER_FAILED = "provider_failed"


class Method(StrEnum):
    """How the answers of several models become one."""

    VOTE = "vote"
    SCORE = "score"
    JUDGE = "judge"
    FUSE = "fuse"
    SINGLE = "single"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySettings:
    """What the caller set for the strategy; None leaves it to the policy."""

    model: ModelName | None = None
    provider: str | None = None
    chain: tuple[ModelName, ...] = ()  # of a fallback, in order
    chain_name: str | None = None
    threshold: Probability | None = None
    start_capable: bool = False  # a fallback starts at the first capable model
    verify_agreement: bool = False  # two cheap answers that agree are enough
    members: tuple[ModelName, ...] = ()  # of an ensemble
    method: Method | None = None
    full_panel: bool = False  # ask every member at once
    max_attempts: int = 3  # of one call, the first included
    on_unknown: OnUnknown = OnUnknown.RETRY
    judge: ModelName | None = None  # who says how far an answer can be trusted; None: a scorer that asks no model
    scorer: str | None = None  # the version of a learned one; None: the heuristic scorer, unless a model judges
    explore: Probability = Probability(0)  # how often a candidate is asked that is not the best


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call of a plan. Costs are USD; None where the model has no price."""

    model: ModelName
    expected_input_tokens: int
    max_input_tokens: int  # a provable bound
    expected_output_tokens: int
    max_output_tokens: int  # sent to the provider
    min_cost: Usd | None  # the expected input, and one token of output
    expected_cost: Usd | None
    max_cost: Usd | None
    purpose: Purpose = Purpose.ANSWER
    is_backup: bool = False  # asked only where no model of the chain answered
    scores: int | None = None  # a judge's: the call of the plan whose answer it scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Money reserved on one budget's current period; the period follows from the event's recorded_at."""

    scope: str  # such as global, category:chat, key:web
    period: str  # day, week, month or total
    amount: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """How a budget's current period stood when it refused a hold."""

    scope: str
    period: str
    limit: Usd
    held: Usd
    settled: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a hold: `held` leaves the reserve, `spent` of it is money gone (0: a release)."""

    scope: str
    period: str
    held_by: int  # version of the event that held it; its recorded_at names the period
    held: Usd
    spent: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that could have been chosen."""

    model: ModelName
    expected_cost: Usd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A model that was no candidate; `limit` is the figure it broke, in the reason's own words."""

    model: ModelName
    reason: ExclusionReason
    limit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """How likely a model's answer to the request is right."""

    model: ModelName
    success: Probability | None  # None: the weights do not know the model, so its capability class decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What learned weights said of a request: the cheapest model that reaches the target is asked."""

    weights: str  # their version
    target: Probability
    predictions: tuple[Prediction, ...]  # of every usable model


@dataclass(frozen=True, slots=True, kw_only=True)
class Propensity:
    """How likely a candidate was to be asked."""

    model: ModelName
    probability: Probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """A draw below `epsilon` asks any candidate, each alike; any other the best. Exact in millionths."""

    epsilon: Probability
    draw: Probability  # 0 to 999,999
    propensities: tuple[Propensity, ...]  # of the candidates in their order; together 1,000,000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A request was accepted."""

    request: ContentRef | None  # None: recorded without content
    strategy: str
    settings: StrategySettings
    category: str
    tags: dict[str, str]
    owner: str  # an API key's name, or local
    subject: str | None  # a pseudonym of whom the texts are about
    max_cost: Usd | None
    deadline: Timestamp | None
    provider: str  # live, simulated or recorded:NAME
    catalogue: str  # its hash
    policy: str  # its hash
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClaimed:
    """Another worker took the run over; only it may start work now."""

    epoch: int
    worker: str
    deadline: Timestamp | None = None  # takes the place of the one the run was started with
    on_unknown: OnUnknown | None = None  # what the one who resumes wants; None: as the run was started


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptAssessed:
    """What the request needs."""

    capability: ModelCapability
    confidence: Probability
    task_type: TaskType
    signals: dict[str, int]
    assessor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDecided:
    """The plan, in order, and everything the decision read beyond the request."""

    strategy: str  # the one that runs: what auto came to
    reason: str  # asked, or the task type that auto went by
    plan: tuple[PlannedCall, ...]
    holds: tuple[Hold, ...]
    candidates: tuple[Candidate, ...]  # in order of preference, those of the plan included
    excluded: tuple[Exclusion, ...]
    usable: tuple[ModelName, ...]  # the catalogue's models that could be called at all
    capability: ModelCapability  # the class kept to: below the one assessed where no usable model reaches that
    threshold: Probability | None  # a chain's
    method: Method | None  # an ensemble's; None: by what the answers are like
    headroom: tuple[Headroom, ...]  # budgets that left less than the whole plan needs
    dropped: tuple[ModelName, ...]  # planned, and left out for them
    needed: Usd | None  # the least limit that would have let a plan through, where money stopped it
    policy: str  # its version
    forecast: Forecast | None = None  # what learned weights said; None: the policy has none, or they were not asked
    exploration: Exploration | None = None  # None: the best candidate was asked without a draw


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    """A paid call is about to leave."""

    attempt: int  # from 1
    call: int  # which call of the plan, from 0
    epoch: int
    model: ModelName
    provider: str
    api_id: str
    price_card: PriceCard | None
    purpose: Purpose
    max_cost: Usd | None
    max_output_tokens: int
    hold: tuple[Hold, ...] = ()  # its own, where it retries a lost one


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCalled:
    """A whole answer arrived."""

    attempt: int
    answer: ContentRef | None
    raw: ContentRef | None  # the provider's own usage object and log-probabilities
    usage: Usage | None
    finish_reason: FinishReason
    response_model: str | None
    provider_request_id: str | None
    latency: Duration
    first_token: Duration | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """The provider, or the way to it, refused the call; what it billed is known."""

    attempt: int
    kind: ErrorKind
    status: int | None
    retry_after: Duration | None
    retry_in: Duration | None  # when it is tried again; None: it is not
    billed: bool
    detail: ContentRef | None
    provider_request_id: str | None
    latency: Duration
    settles: tuple[Settlement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost:
    """The call left and its outcome is unknown; its hold stays."""

    attempt: int
    kind: ErrorKind
    status: int | None
    detail: ContentRef | None
    provider_request_id: str | None
    latency: Duration | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRefused:
    """A budget had no room for one more attempt at a call that was lost before; the call is not made again."""

    attempt: int  # the latest at that call
    needed: Usd  # what one more could have cost
    headroom: Headroom


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReconciled:
    """What a lost attempt turned out to cost."""

    attempt: int
    amount: Usd
    evidence: Evidence
    by: str
    settles: tuple[Settlement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostIncurred:
    """An attempt cost money. `amount` is None where the model has no price."""

    attempt: int
    amount: Usd | None
    price_card: str | None
    estimated: bool  # at the local bound, because the answer came without usage
    settles: tuple[Settlement, ...]
    money: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceScored:
    """How likely an attempt's answer is right."""

    attempt: int
    score: Probability
    signals: dict[str, int]
    scorer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """The answer was not trusted enough, or there was none; the chain moves on."""

    from_model: ModelName
    to_model: ModelName
    reason: EscalationReason
    confidence: Probability | None  # of the answer left behind; None where there was none
    threshold: Probability | None  # what it had to reach


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberScore:
    """How an answer of an ensemble came out."""

    attempt: int
    score: Probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesized:
    """Several answers were held against each other."""

    method: Method
    members: tuple[MemberScore, ...]
    agreement: Probability | None  # share that gives the chosen answer; None where nothing is extractable
    dissent: tuple[int, ...]  # attempts whose answer is another
    chosen: int | None  # the attempt whose answer stands; None: none stands yet
    justification: ContentRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredFromCache:
    """An earlier run's answer is given again; it costs nothing."""

    run: str
    attempt: int
    answer: ContentRef | None
    confidence: Probability
    model: ModelName
    saved: Usd | None  # USD that asking again would have cost


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCompleted:
    """The run has its answer. `cost` is None where a part of it is unknown."""

    attempt: int | None  # None: from the cache
    stop_reason: StopReason
    answer: ContentRef | None
    confidence: Probability
    cost: Usd | None
    released: tuple[Settlement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed:
    """The run ended without an answer."""

    kind: ErrorKind
    needed: Usd | None  # USD that would have been enough, where money stopped it
    cost: Usd | None
    released: tuple[Settlement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelled:
    """Somebody ended the run."""

    by: str
    cost: Usd | None
    released: tuple[Settlement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRescored:
    """After the end: another scorer says how far an attempt's answer can be trusted. The recorded score stays."""

    attempt: int
    score: Probability
    signals: dict[str, int]
    scorer: str  # with its version
    by: str  # who asked for it
    judged_in: str | None  # the run in which a model judged; None: no model was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackGiven:
    """After the end: how good an answer is, said by a person or a test; of each `by` the latest stands."""

    value: Probability  # 0 wrong, 1,000,000 right
    by: str
    attempt: int | None  # whose answer; None: the one the run ended with
    note: ContentRef | None


RunEvent = (
    RunStarted
    | RunClaimed
    | PromptAssessed
    | RoutingDecided
    | AttemptStarted
    | ModelCalled
    | AttemptFailed
    | AttemptLost
    | RetryRefused
    | AttemptReconciled
    | CostIncurred
    | ConfidenceScored
    | Escalated
    | Synthesized
    | AnsweredFromCache
    | RunCompleted
    | RunFailed
    | RunCancelled
    | RunRescored
    | FeedbackGiven
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceListPublished:
    """A catalogue came into use; its content is stored under its hash. Stream `catalogue`."""

    catalogue: str  # the hash
    name: str


CatalogueEvent = PriceListPublished


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetDefined:
    """A scope may spend so much in each period. Stream `budget-SCOPE-PERIOD`."""

    scope: str  # global, category:NAME, tag:KEY=VALUE, model:NAME or key:NAME
    period: str  # day, week, month or total
    limit: Usd
    opening: tuple[Opening, ...]  # spent in the current period and counted by no hold on this budget
    alerts: tuple[int, ...]  # per cent of the limit at which to tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a scope had spent already."""

    money: Money
    period_key: str  # such as 2026-11
    spent: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChanged:
    """The limit is another."""

    scope: str
    period: str
    limit: Usd
    alerts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRemoved:
    """The scope has no limit any more."""

    scope: str
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlerted:
    """Spending passed a mark."""

    scope: str
    period: str
    period_key: str  # such as 2026-11-24
    money: Money
    percent: int
    spent: Usd
    limit: Usd


BudgetEvent = BudgetDefined | BudgetChanged | BudgetRemoved | BudgetAlerted


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentErased:
    """The texts of these runs were destroyed, in the same commit. Stream `contents`."""

    runs: tuple[str, ...]
    subject: str | None  # whose runs they are, where a subject's were asked for
    before: Timestamp | None  # started before, where old ones were asked for
    by: str
    reason: ErasureReason


ContentEvent = ContentErased


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSealed:
    """The chain's head was signed, for a file kept elsewhere. Stream `seals`."""

    position: int  # the last one sealed
    chain_hash: str  # of the event there, in hex
    sealed_at: Timestamp
    public_key: str  # Ed25519, in hex
    signature: str  # over the three above, in hex


SealEvent = LogSealed


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreated:
    """Who holds a token may ask under a name. Stream `key-NAME`: the keys of that name, one after the other."""

    id: str
    name: str  # the owner of the runs that are asked with it
    token_hash: str  # SHA-256 of the token, in hex; the token itself is nowhere
    scopes: tuple[KeyScope, ...]
    models: tuple[ModelName, ...] | None  # that it may ask; None: any
    requests_a_minute: int | None  # None: as many as come


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked:
    """The token is worth nothing any more."""

    id: str
    by: str


KeyEvent = KeyCreated | KeyRevoked
