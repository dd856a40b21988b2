"""Filters as people write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.dates import Calendar
from model_orchestrator.application.filters import OPERATORS, parse_filter, parse_filters
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.filters import (
    RUN_FIELDS,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Not,
    Op,
    Search,
    Unknown,
)
from model_orchestrator.domain.units import Timestamp

CALENDAR = Calendar(Timestamp(1_795_545_000_000_000), UTC)  # 2026-11-24
NOVEMBER, DECEMBER = 1_793_491_200_000_000, 1_796_083_200_000_000


def parsed(text: str) -> Condition:
    return parse_filter(text, RUN_FIELDS, CALENDAR)


def compare(field: str, op: str, value: str | int, key: str | None = None) -> Compare:
    return Compare(RUN_FIELDS[field], Op(op), value, key)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("cost > 0.05", compare("cost", ">", 50_000_000_000)),
        ("cost<=$0.000000000001", compare("cost", "<=", 1)),
        ("COST == 1", compare("cost", "=", 10**12)),
        ("confidence >= 0.8", compare("confidence", ">=", 800_000)),
        ("confidence < 12.5%", compare("confidence", "<", 125_000)),
        ("latency >= 2s", compare("latency", ">=", 2_000_000)),
        ("latency < 1.5 ms", compare("latency", "<", 1500)),
        ("attempts > 1", compare("attempts", ">", 1)),
        ("category = code review", compare("category", "=", "code review")),
        ('category = "code, \\"review\\" "', compare("category", "=", 'code, "review" ')),
        ("category = 'it''s'", None),
        ("category = 'unknown'", compare("category", "=", "unknown")),
        ("status = Completed", compare("status", "=", "completed")),
        ("status != failed", Not(compare("status", "=", "failed"))),
        ("status <> failed", Not(compare("status", "=", "failed"))),
        ("model ~ gpt", compare("model", "~", "gpt")),
        ("model contains gpt", compare("model", "~", "gpt")),
        ("model in (gpt-4o, 'a,b')", AnyOf((compare("model", "=", "gpt-4o"), compare("model", "=", "a,b")))),
        ("cost = unknown", Unknown(RUN_FIELDS["cost"])),
        ("cost != unknown", Not(Unknown(RUN_FIELDS["cost"]))),
        ("tag:team = core", compare("tag", "=", "core", "team")),
        ("tag:team=core", compare("tag", "=", "core", "team")),
        ('tag:"my team" ~ core', compare("tag", "~", "core", "my team")),
        ("tag:team = unknown", Unknown(RUN_FIELDS["tag"], "team")),
        ('text ~ "two words"', Search("two words")),
        ("started = 2026-11", AllOf((compare("started", ">=", NOVEMBER), compare("started", "<", DECEMBER)))),
        ("started > 2026-11", compare("started", ">=", DECEMBER)),
        ("started >= 2026-11", compare("started", ">=", NOVEMBER)),
        ("started < 2026-11", compare("started", "<", NOVEMBER)),
        ("started <= 2026-11", compare("started", "<", DECEMBER)),
        ("started = 2026-11..", AllOf((compare("started", ">=", NOVEMBER),))),
    ],
)
def test_a_filter_is_a_condition(text: str, condition: Condition | None) -> None:
    """Exact figures in the columns' units; a date counts as the whole that it names."""
    if condition is None:
        with pytest.raises(InvalidRequest, match="quote"):
            parsed(text)
    else:
        assert parsed(text) == condition


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected FIELD OPERATOR VALUE"),
        ("cost", "expected FIELD OPERATOR VALUE"),
        ("cost >", "there is no value after >"),
        ("cots > 1", r"no field 'cots'; did you mean cost\?"),
        ("cost > 1e-3", "an amount in USD"),
        ("cost > -1", "an amount in USD"),
        ("cost > 0.0000000000001", "finer than what is stored"),
        ("cost > 99999999999", "more than what is stored"),
        ("confidence > 2", "a share from 0 to 1"),
        ("confidence > 0.0000001", "finer"),
        ("latency > 2", "a duration with its unit"),
        ("status = compleated", r"never 'compleated'; did you mean completed\?"),
        ("category < a", "text and has no order"),
        ("cost ~ 5", "holds no text"),
        ("model in gpt-4o", "expected a list"),
        ("model in ()", "a value of the list is missing"),
        ("model in (a,)", "a value of the list is missing"),
        ('model in ("a" b)', "not closed"),
        ('model = "a', "not closed"),
        ("tag = core", "expected tag:KEY"),
        ("status:x = core", "without a key"),
        ("text > a", "can only be searched"),
        ("started > soon", "expected today"),
        ("cost > 1\n", "cannot be shown"),
    ],
)
def test_what_is_no_filter_is_refused(text: str, says: str) -> None:
    """The message quotes the filter and says what would do."""
    with pytest.raises(InvalidRequest, match=says) as raised:
        parsed(text)
    assert str(raised.value).startswith(f"filter {text!r}: ")


def test_filters_are_anded() -> None:
    """Every one is to be met; of none, everything is."""
    both = parse_filters(["cost > 1", "attempts = 2"], RUN_FIELDS, CALENDAR)
    assert both == AllOf((parsed("cost > 1"), parsed("attempts = 2")))
    assert parse_filters([], RUN_FIELDS, CALENDAR) == AllOf(())


@given(
    st.one_of(
        st.text(max_size=40),
        st.tuples(st.sampled_from((*RUN_FIELDS, "tag:x")), st.sampled_from(OPERATORS), st.text(max_size=20)).map(
            " ".join
        ),
    )
)
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    """Nothing else comes out."""
    with suppress(InvalidRequest):
        parsed(text)
