"""The words a caller may use for a run, checked and turned into the command that starts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, Inexact, InvalidOperation
from difflib import get_close_matches
from typing import Any, TypedDict, cast

from ..domain.catalogue import ModelProvider
from ..domain.confidence import SCORER
from ..domain.errors import InvalidRequest
from ..domain.events import Method, OnUnknown, StrategySettings
from ..domain.policy import Policy
from ..domain.pricing import EXACT
from ..domain.request import Message, Parameters, Request, ResponseFormat, Role, TextPart, Tool
from ..domain.scorers import LEARNED, is_learned, judge_of
from ..domain.strategies import STRATEGIES
from ..domain.units import Duration, Probability, Usd, duration, plain, probability

_NAMES = {Role.SYSTEM: "the system message", Role.USER: "the prompt"}
NO_MESSAGE = "the request has no message: give a prompt"
LABEL_LIMIT = 64  # characters of a category, a tag or a subject
KEY_LIMIT = 255  # characters of an idempotency key
CACHE_TTL = duration("24h")
METHODS = tuple(method.value for method in Method if method is not Method.SINGLE)
PICODOLLAR = Decimal("1e-12")
MOST = 9_000_000  # USD that a limit can say


class RunOptions(TypedDict, total=False):
    """What can be said of a run beside its prompt; what is left out is as the settings say."""

    messages: Sequence[Message | Mapping[str, str]]  # instead of a prompt; a mapping has role and content
    strategy: str
    model: str | None
    provider: str | None  # live, simulated, anthropic, openai or recorded:NAME
    max_cost: Decimal | str | int | float | None  # USD
    category: str | None
    tags: Mapping[str, str] | None
    subject: str | None  # a pseudonym of whom the texts are about
    store_content: bool | None  # False: recorded without texts
    system: str | None
    max_tokens: int | None  # of output
    temperature: float | None
    top_p: float | None  # 0..1
    stop: Sequence[str]
    seed: int | None
    response_format: ResponseFormat | None
    tools: Sequence[Tool]
    timeout: float | None  # seconds, for the whole run
    chain: str | Sequence[str] | None  # of a fallback: a name, or 1 to 5 models in order
    threshold: float | None  # 0..1: the confidence that ends a chain
    start: str | None  # of a chain: first, or capable
    verify: str | None  # agreement: two cheap answers that agree are enough
    models: Sequence[str] | None  # of an ensemble: 2 or 3
    method: str | None  # of an ensemble: vote, score, judge or fuse
    full_panel: bool | None  # ask every member at once
    max_attempts: int | None  # of one call, the first included
    on_unknown: str | None  # retry or fail
    idempotency_key: str | None  # 1 to 255 characters: the same key and request give the first run again
    cache: bool | str | None  # how long an answer may be given again: 90s, 10m, 24h, 7d; True: a day; False: not
    scorer: str | None  # of the confidence: heuristic-1, learned, or judge:MODEL
    policy: str | None  # heuristic, learned, one of the settings', or a TOML file
    explore: float | None  # 0..1: how often a candidate is asked that is not the best
    expect: str | None  # the right answer: the run's answers are compared with it, and the outcome is feedback


KINDS: dict[str, tuple[type, ...]] = {  # what each option is given as
    "messages": (Sequence,),
    "strategy": (str,),
    "model": (str,),
    "provider": (str,),
    "max_cost": (Decimal, str, int, float),
    "category": (str,),
    "tags": (Mapping,),
    "subject": (str,),
    "store_content": (bool,),
    "system": (str,),
    "max_tokens": (int,),
    "temperature": (int, float),
    "top_p": (int, float),
    "stop": (str, Sequence),
    "seed": (int,),
    "response_format": (ResponseFormat,),
    "tools": (Sequence,),
    "timeout": (int, float),
    "chain": (str, Sequence),
    "threshold": (int, float),
    "start": (str,),
    "verify": (str,),
    "models": (Sequence,),
    "method": (str,),
    "full_panel": (bool,),
    "max_attempts": (int,),
    "on_unknown": (str,),
    "idempotency_key": (str,),
    "cache": (bool, str),
    "scorer": (str,),
    "policy": (str,),
    "explore": (int, float),
    "expect": (str,),
}
CHAIN_LENGTHS, PANEL_SIZES = range(1, 6), range(2, 4)
ONLY_OF = {  # the strategy that each option shapes; `auto` may choose any
    "chain": "fallback",
    "threshold": "fallback",
    "start": "fallback",
    "verify": "fallback",
    "models": "ensemble",
    "method": "ensemble",
    "full_panel": "ensemble",
    "explore": "cheapest",
}


def request_of(prompt: str | Request | None, options: RunOptions) -> Request:
    """The request of a prompt, or of `messages`; a whole one is taken as it is. Raises InvalidRequest."""
    if isinstance(prompt, Request):
        return _whole(prompt, options)
    messages = options.get("messages")
    if (prompt is None) == (messages is None):
        raise InvalidRequest("give either a prompt or messages")
    turns = [_message(Role.USER, prompt)] if prompt is not None else [_given(message) for message in messages or ()]
    if system := options.get("system"):
        turns.insert(0, _message(Role.SYSTEM, system))
    request = Request(messages=tuple(turns), parameters=_parameters(options))
    if not any(part for message in request.messages for part in message.parts if message.role is not Role.SYSTEM):
        raise InvalidRequest(NO_MESSAGE)
    return request


def _whole(request: Request, options: RunOptions) -> Request:
    """The request, with the longest answer that is asked for where it says none itself."""
    if not any(part for message in request.messages for part in message.parts if message.role is not Role.SYSTEM):
        raise InvalidRequest(NO_MESSAGE)
    for message in request.messages:
        _given(message)
    parameters = request.parameters
    if parameters.max_tokens is None:
        request = replace(request, parameters=replace(parameters, max_tokens=options.get("max_tokens")))
    return request


def strategy_of(options: RunOptions) -> str:
    """The strategy's name. Raises InvalidRequest for an unknown one."""
    name = options.get("strategy") or "cheapest"
    if name not in STRATEGIES:
        raise InvalidRequest(f"unknown strategy {name!r}: {nearest(name, list(STRATEGIES))}")
    return name


def settings_of(options: RunOptions, policy: Policy) -> StrategySettings:
    """What the caller chose for the strategy; `simulated` and `live` are no choice among the models.

    Raises InvalidRequest; that the models exist is seen where the catalogue is known.
    """
    _check_options_of_strategy(options)
    provider = options.get("provider")
    chain_name, chain = _chain(options.get("chain"), policy)
    threshold, explore = _share("threshold", options.get("threshold")), _share("explore", options.get("explore"))
    scorer = _scorer(options.get("scorer")) or policy.scorer
    given = options.get("max_attempts")
    attempts = 3 if given is None else given
    if not 1 <= attempts <= 10:
        raise InvalidRequest(f"max attempts {attempts} is not possible: expected 1 to 10")
    return StrategySettings(
        model=options.get("model"),
        provider=provider if provider in list(ModelProvider) else None,
        chain=chain,
        chain_name=chain_name,
        threshold=threshold,
        start_capable=_one_of("start", options.get("start"), ("first", "capable")) == "capable",
        verify_agreement=_one_of("verify", options.get("verify"), ("agreement",)) is not None,
        members=_different("an ensemble", options.get("models") or (), PANEL_SIZES),
        method=Method(method) if (method := _one_of("method", options.get("method"), METHODS)) else None,
        full_panel=bool(options.get("full_panel")),
        max_attempts=attempts,
        on_unknown=OnUnknown(_one_of("on_unknown", options.get("on_unknown"), tuple(OnUnknown)) or OnUnknown.RETRY),
        judge=judge_of(scorer),
        scorer=scorer if is_learned(scorer) else None,
        explore=policy.explore if explore is None else explore,
    )


def _share(name: str, given: float | None) -> Probability | None:
    if given is not None and not 0 <= given <= 1:
        raise InvalidRequest(f"{name} {given} is not possible: expected 0 to 1")
    return None if given is None else probability(given)


def _check_options_of_strategy(options: RunOptions) -> None:
    """An option that the strategy would pass over is a mistake: another answer at another price was expected."""
    strategy = strategy_of(options)
    for name, owner in ONLY_OF.items():
        given = options.get(name)
        if given is None or given is False:
            continue
        if strategy not in (owner, "auto"):
            word = name.replace("_", " ")
            raise InvalidRequest(
                f"{word} is for the strategy {owner}, and this run's is {strategy}: say strategy {owner}"
            )
        if name in ("chain", "models") and options.get("model") is not None:
            raise InvalidRequest(f"model and {name} both say who is asked: give one of them")


def _chain(given: str | Sequence[str] | None, policy: Policy) -> tuple[str | None, tuple[str, ...]]:
    """A chain's name, or its models."""
    if isinstance(given, str) and "," not in given and given in policy.chains:
        return given, ()
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given or ())
    return None, _different("a chain", names, CHAIN_LENGTHS)


def _scorer(given: str | None) -> str | None:
    """The scorer's name. That a judge's model exists is seen with the catalogue."""
    if given is not None and given not in (SCORER, LEARNED) and judge_of(given) is None:
        known = f"{SCORER}, {LEARNED} or judge:MODEL"
        raise InvalidRequest(f"scorer {given!r} is unknown: expected {known} (see `scorers list`)")
    return given


def _different(what: str, names: Sequence[str], sizes: range) -> tuple[str, ...]:
    """Model names, each once."""
    if not names:
        return ()
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise InvalidRequest(f"{what} of {names!r}: expected model names, none of them empty")
    if len(names) not in sizes:
        raise InvalidRequest(f"{what} of {', '.join(names)}: expected {sizes.start} to {sizes.stop - 1} models")
    if len(set(names)) < len(names):
        raise InvalidRequest(f"{what} names a model twice: {', '.join(names)}")
    return tuple(names)


def _one_of(name: str, value: str | None, known: Sequence[str]) -> str | None:
    if value is not None and value not in known:
        raise InvalidRequest(f"{name} {value!r}: {nearest(value, list(known))}")
    return value


def max_cost_of(options: RunOptions, default: Usd | None) -> Usd | None:
    """USD, 0 or more, no finer than a picodollar; None: no limit. Raises InvalidRequest."""
    given = options.get("max_cost")
    if given is None:
        return default
    try:
        amount = Decimal(str(given))
    except InvalidOperation:
        raise InvalidRequest(f"max cost {given!r} is not an amount of US dollars, such as 0.05") from None
    try:
        if not amount.is_finite() or not 0 <= amount <= MOST:
            raise ValueError
        return Usd(plain(EXACT.quantize(amount.copy_abs(), PICODOLLAR)))
    except (ValueError, Inexact):
        expected = f"expected US dollars from 0 to {MOST:,}, 12 decimals"
        raise InvalidRequest(f"max cost {given} is not possible: {expected}") from None


def label_of(name: str, value: str) -> str:
    """A category, tag or subject: 1 to 64 printable characters. Raises InvalidRequest."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name}: expected text, got {type(value).__name__}")
    if not value or len(value) > LABEL_LIMIT or not value.isprintable():
        raise InvalidRequest(
            f"{name} {value[:LABEL_LIMIT]!r} is not a label of 1 to {LABEL_LIMIT} printable characters"
        )
    return value


def tags_of(options: RunOptions) -> dict[str, str]:
    """Tags, by key. Raises InvalidRequest."""
    tags = options.get("tags") or {}
    return dict(sorted((label_of("tag", key), label_of(f"tag {key}", value)) for key, value in tags.items()))


def subject_of(options: RunOptions) -> str | None:
    """The pseudonym of whom the texts are about. Raises InvalidRequest."""
    subject = options.get("subject")
    return None if subject is None else label_of("subject", subject)


def timeout_of(options: RunOptions, default: float) -> float:
    """Seconds for the whole run. Raises InvalidRequest."""
    timeout = options.get("timeout")
    timeout = default if timeout is None else timeout
    if not 0 < timeout <= 86_400:
        raise InvalidRequest(f"timeout {timeout} is not possible: expected seconds above 0, at most 86,400")
    return timeout


def cache_ttl_of(options: RunOptions, default: Duration | None) -> Duration | None:
    """How long an answer may be given again; None: not at all. Raises InvalidRequest."""
    given = options.get("cache")
    if given is None:
        return default
    if isinstance(given, bool):
        return CACHE_TTL if given else None
    try:
        return None if given == "off" else duration(given)
    except ValueError:
        raise InvalidRequest(f"cache {given!r}: expected a time such as 90s, 10m, 24h or 7d, or off") from None


def idempotency_key_of(options: RunOptions) -> str | None:
    """The key under which a run is started once. Raises InvalidRequest."""
    key = options.get("idempotency_key")
    if key is not None and (len(key) > KEY_LIMIT or not key.isprintable()):
        raise InvalidRequest(f"the idempotency key is not 1 to {KEY_LIMIT} printable characters")
    return key


def _parameters(options: RunOptions) -> Parameters:
    temperature, max_tokens = options.get("temperature"), options.get("max_tokens")
    if temperature is not None and not 0 <= temperature <= 2:
        raise InvalidRequest(f"temperature {temperature} is not possible: expected 0 to 2")
    top_p = options.get("top_p")
    if top_p is not None and not 0 <= top_p <= 1:
        raise InvalidRequest(f"top p {top_p} is not possible: expected 0 to 1")
    if max_tokens is not None and max_tokens < 1:
        raise InvalidRequest(f"max tokens {max_tokens} is not possible: expected 1 or more")
    stop, tools = options.get("stop") or (), options.get("tools") or ()
    if not all(isinstance(tool, Tool) for tool in tools):
        raise InvalidRequest("option tools: expected Tool objects")
    return Parameters(
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=tuple(_valid(word, "a stop sequence") for word in ([stop] if isinstance(stop, str) else stop)),
        seed=options.get("seed"),
        response_format=options.get("response_format"),
        tools=tuple(tools),
    )


def _given(message: Message | Mapping[str, str]) -> Message:
    if isinstance(message, Message):
        for part in message.parts:
            if isinstance(part, TextPart):
                _checked(part.text)
        return message
    given: Mapping[str, Any] = message if isinstance(message, Mapping) else {}
    role, content = given.get("role", ""), given.get("content")
    if role not in list(Role) or not isinstance(content, str):
        raise InvalidRequest(f"a message needs a role ({', '.join(Role)}) and its content as text, got role {role!r}")
    return _message(Role(role), content)


def _message(role: Role, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text=_checked(text, _NAMES.get(role, f"the message of role {role}"))),))


def _checked(text: str, what: str = "the prompt") -> str:
    """The text, if it can be sent. Raises InvalidRequest for an empty one or one that is not valid Unicode."""
    if not _valid(text, what).strip():
        raise InvalidRequest(f"{what} is empty")
    return text


def _valid(text: str, what: str) -> str:
    if not isinstance(text, str):
        raise InvalidRequest(f"{what} is not text but {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{what} is not valid UTF-8 (at character {error.start + 1})") from None
    return text


def nearest(name: str, known: Sequence[str]) -> str:
    """What a misspelt name may have meant, in words."""
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"


def checked_options(options: Mapping[str, Any]) -> RunOptions:
    """The options that were given; None gives none. Raises InvalidRequest for an unknown one, with the nearest."""
    given = {}
    for name, value in options.items():
        if name not in KINDS:
            raise InvalidRequest(f"unknown option {name!r}: {nearest(name, list(KINDS))}")
        if value is None:
            continue
        if (isinstance(value, bool) and bool not in KINDS[name]) or not isinstance(value, KINDS[name]):
            expected = " or ".join(kind.__name__ for kind in KINDS[name])
            raise InvalidRequest(f"option {name}: expected {expected}, got {type(value).__name__}")
        if value == "":
            raise InvalidRequest(f"option {name} is empty: leave it out, or give a value")
        given[name] = value
    return cast(RunOptions, given)
