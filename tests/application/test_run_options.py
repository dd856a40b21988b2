"""The words of a run: what each may be, and how a wrong one is refused."""

import decimal
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.run_options import (
    KINDS,
    RunOptions,
    checked_options,
    label_of,
    max_cost_of,
    request_of,
    settings_of,
    strategy_of,
    subject_of,
    tags_of,
    timeout_of,
)
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.request import ImagePart, Message, ResponseFormat, Role, TextPart, Tool
from model_orchestrator.domain.units import PICODOLLARS, Usd, picodollars


def options(**given: Any) -> RunOptions:
    return cast(RunOptions, given)


def refused(**given: Any) -> str:
    """The complaint about these options."""
    with pytest.raises(InvalidRequest) as caught:
        request_of(given.pop("prompt", "hi"), checked_options(given))
    return str(caught.value)


def test_every_option_has_its_kind() -> None:
    """The table that checks them, and the type that editors read, name the same options."""
    assert set(KINDS) == set(RunOptions.__annotations__)


def test_none_is_as_if_not_given() -> None:
    """Wrappers pass every option on."""
    assert checked_options(dict.fromkeys(KINDS)) == {}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("max_costs", "unknown option 'max_costs': did you mean 'max_cost'?"),
        ("maxtokens", "unknown option 'maxtokens': did you mean 'max_tokens'?"),
        ("zzz", "unknown option 'zzz': expected one of messages, strategy, model"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest(name: str, complaint: str) -> None:
    """A misspelt limit must not be no limit."""
    assert refused(**{name: 1}).startswith(complaint)


WRONG = {
    "policy": 5,
    "explore": "0.5",
    "messages": 5,
    "strategy": 5,
    "model": b"gpt-4o",
    "provider": ["openai"],
    "max_cost": [1],
    "category": 5,
    "tags": ["a=b"],
    "subject": 5,
    "store_content": "yes",
    "system": 5,
    "max_tokens": 5.5,
    "temperature": "0.5",
    "top_p": "0.5",
    "stop": 5,
    "seed": 1.5,
    "response_format": {"type": "json_object"},
    "tools": 5,
    "timeout": "5",
    "chain": 5,
    "threshold": "0.5",
    "start": 1,
    "verify": 1,
    "models": 5,
    "method": 1,
    "full_panel": "yes",
    "max_attempts": 1.5,
    "on_unknown": 1,
    "idempotency_key": 1,
    "cache": 60,
    "scorer": 1,
    "expect": 1,
}


@pytest.mark.parametrize("name", KINDS)
def test_a_value_of_another_kind_is_refused(name: str) -> None:
    """Before anything is done; true and false are no option's value."""
    for value in (WRONG[name], *([True] if bool not in KINDS[name] else [])):
        assert refused(**{name: value}).startswith(f"option {name}: expected ")


@pytest.mark.parametrize("name", [name for name, kinds in KINDS.items() if str in kinds])
def test_an_empty_text_is_not_the_default(name: str) -> None:
    """An empty shell variable is a mistake: `--provider ""` must not call a live provider."""
    assert refused(**{name: ""}).startswith(f"option {name} is empty")


# ---- the request ----


def test_a_prompt_is_one_message_and_system_goes_before_it() -> None:
    """The texts as they were given."""
    request = request_of(" hi\n", options(system="Be brief."))
    assert [(message.role, message.text) for message in request.messages] == [
        (Role.SYSTEM, "Be brief."),
        (Role.USER, " hi\n"),
    ]


def test_messages_are_mappings_or_the_domains_own() -> None:
    """A chat so far."""
    image = Message(role=Role.USER, parts=(ImagePart(url="https://host/image.png"),))
    request = request_of(None, options(messages=[{"role": "user", "content": "hi"}, image]))
    assert request.messages == (Message(role=Role.USER, parts=(TextPart(text="hi"),)), image)


def test_parameters_are_carried() -> None:
    """Each where it belongs; a single stop word is one, not its letters."""
    tool, shape = Tool(name="look_up"), ResponseFormat()
    given = options(max_tokens=5, temperature=0, top_p=0.5, stop="END", seed=7, tools=[tool], response_format=shape)
    parameters = request_of("hi", given).parameters
    assert (parameters.max_tokens, parameters.temperature, parameters.stop, parameters.seed) == (5, 0, ("END",), 7)
    assert parameters.top_p == 0.5
    assert (parameters.tools, parameters.response_format) == ((tool,), shape)
    assert request_of("hi", options(stop=["a", "\n"])).parameters.stop == ("a", "\n")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"prompt": None}, "give either a prompt or messages"),
        ({"prompt": "hi", "messages": []}, "give either a prompt or messages"),
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": " \n\u3000"}, "the prompt is empty"),
        ({"prompt": "hi \ud800"}, "the prompt is not valid UTF-8 (at character 4)"),
        ({"prompt": b"hi"}, "the prompt is not text but bytes"),
        ({"prompt": 5}, "the prompt is not text but int"),
        ({"system": " "}, "the system message is empty"),
        ({"system": "\udcff"}, "the system message is not valid UTF-8 (at character 1)"),
        ({"prompt": None, "messages": []}, "the request has no message: give a prompt"),
        ({"prompt": None, "messages": [], "system": "x"}, "the request has no message: give a prompt"),
        ({"prompt": None, "messages": [{"role": "system", "content": "x"}]}, "the request has no message"),
        (
            {"prompt": None, "messages": ["hi"]},
            "a message needs a role (system, user, assistant, tool) and its content",
        ),
        ({"prompt": None, "messages": "hi"}, "a message needs a role"),
        ({"prompt": None, "messages": [{"content": "hi"}]}, "a message needs a role"),
        ({"prompt": None, "messages": [{"role": "bot", "content": "hi"}]}, "got role 'bot'"),
        ({"prompt": None, "messages": [{"role": "user", "content": [{"type": "text"}]}]}, "its content as text"),
        (
            {"prompt": None, "messages": [{"role": "assistant", "content": ""}]},
            "the message of role assistant is empty",
        ),
        (
            {"prompt": None, "messages": [Message(role=Role.USER, parts=(TextPart(text="\udcff"),))]},
            "the prompt is not valid UTF-8",
        ),
        ({"stop": ["\udcff"]}, "a stop sequence is not valid UTF-8"),
        ({"stop": [5]}, "a stop sequence is not text but int"),
        ({"tools": [{"name": "x"}]}, "option tools: expected Tool objects"),
        ({"temperature": -0.1}, "temperature -0.1 is not possible: expected 0 to 2"),
        ({"temperature": float("nan")}, "temperature nan is not possible"),
        ({"top_p": 1.1}, "top p 1.1 is not possible: expected 0 to 1"),
        ({"top_p": float("nan")}, "top p nan is not possible"),
        ({"max_tokens": 0}, "max tokens 0 is not possible: expected 1 or more"),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused(given: dict[str, Any], complaint: str) -> None:
    """In one line that never repeats the prompt."""
    said = refused(**given)
    assert complaint in said
    assert "\n" not in said


def test_an_unknown_strategy_is_refused_with_the_nearest() -> None:
    """Cheapest where none is named."""
    assert strategy_of(options()) == "cheapest"
    with pytest.raises(InvalidRequest, match="unknown strategy 'cheap': did you mean 'cheapest'"):
        strategy_of(options(strategy="cheap"))


def test_a_vendor_is_a_choice_among_the_models() -> None:
    """`live` and `simulated` are not."""
    assert settings_of(options(provider="openai", model="gpt-4o"), SEED_POLICY).provider == "openai"
    assert settings_of(options(provider="simulated"), SEED_POLICY).provider is None
    assert settings_of(options(provider="live"), SEED_POLICY).provider is None


# ---- the limit ----


@given(st.integers(0, 9_000_000 * PICODOLLARS))
def test_every_amount_of_picodollars_is_exact(picos: int) -> None:
    """From text, from a Decimal, and with zeros at its end."""
    amount = Decimal(picos).scaleb(-12)
    for said in (amount, f"{amount:f}", f"{amount:.15f}", f"{amount:e}"):
        limit = max_cost_of(options(max_cost=said), None)
        assert limit is not None
        assert picodollars(limit) == picos
        assert "E" not in str(limit)


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.floats() | st.text(max_size=20))
def test_any_other_amount_is_refused(amount: Decimal | float | str) -> None:
    """Never another exception, never a limit below zero or finer than a picodollar."""
    try:
        limit = max_cost_of(options(max_cost=amount), None)
    except InvalidRequest:
        return
    assert limit is not None
    assert 0 <= limit <= 9_000_000
    assert Decimal(str(amount)) == limit == Decimal(picodollars(limit)).scaleb(-12)


@pytest.mark.parametrize("amount", ["1e-999999999999", "-1e-999999999999", "1e999999999999", "1." + "0" * 60 + "1"])
def test_an_absurd_exponent_is_refused_at_once(amount: str) -> None:
    """It is not written out."""
    with pytest.raises(InvalidRequest, match=r"expected US dollars from 0 to 9,000,000, 12 decimals"):
        max_cost_of(options(max_cost=amount), None)


def test_the_callers_decimal_context_changes_nothing() -> None:
    """A program that rounds to three digits still has its exact limit."""
    with decimal.localcontext(prec=3):
        assert max_cost_of(options(max_cost="0.123456789012"), None) == Usd("0.123456789012")
        with pytest.raises(InvalidRequest):
            max_cost_of(options(max_cost="0.1234567890123"), None)


def test_without_a_limit_the_settings_decide() -> None:
    """A limit of the settings is not lost; zero is a limit."""
    assert max_cost_of(options(), Usd("0.5")) == Usd("0.5")
    assert max_cost_of(options(), None) is None
    assert max_cost_of(options(max_cost=0), Usd("0.5")) == 0


# ---- labels and time ----


@pytest.mark.parametrize("value", ["", "x" * 65, "a\nb", "\x00", "\udcff", "\u202e", 5])
def test_a_label_is_short_and_printable(value: Any) -> None:
    """Reports and terminals show it."""
    with pytest.raises(InvalidRequest, match="category"):
        label_of("category", value)


def test_labels_may_be_in_any_script() -> None:
    """Up to 64 characters."""
    assert label_of("category", "日本 語 " + "é" * 59) == "日本 語 " + "é" * 59
    assert tags_of(options(tags={"b": "2", "a": "1"})) == {"a": "1", "b": "2"}
    assert list(tags_of(options(tags={"b": "2", "a": "1"}))) == ["a", "b"]
    assert subject_of(options(subject="0" * 64)) == "0" * 64
    assert subject_of(options()) is None


@pytest.mark.parametrize("tags", [{"": "x"}, {"x": ""}, {5: "x"}, {"x": 5, 5: "x"}, {"x": None}])
def test_tags_are_labels(tags: dict[Any, Any]) -> None:
    """Key and value."""
    with pytest.raises(InvalidRequest, match="tag"):
        tags_of(options(tags=tags))


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 86_401])
def test_a_time_limit_is_above_zero_and_at_most_a_day(timeout: float) -> None:
    """Of the whole run."""
    with pytest.raises(InvalidRequest, match="expected seconds above 0, at most 86,400"):
        timeout_of(options(timeout=timeout), 120.0)
    assert timeout_of(options(timeout=0.001), 120.0) == 0.001
    assert timeout_of(options(), 120.0) == 120.0
