"""Events survive the trip through JSON, and their JSON is canonical."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain import events
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    BudgetEvent,
    CatalogueEvent,
    ContentEvent,
    ContentRef,
    KeyEvent,
    RunEvent,
    SealEvent,
)
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.event_codec import EVENT_TYPES, SCHEMA_VERSIONS, decode, encode

GOLDEN = Path(__file__).parent / "golden_events"

st.register_type_strategy(Usd, st.integers(0, 10**18).map(lambda picos: Usd(picos).scaleb(-12)).map(Usd))
st.register_type_strategy(ContentRef, st.builds(ContentRef, st.text(max_size=9), st.text(max_size=9)))
st.register_type_strategy(str, st.text(max_size=12))
all_events = st.sampled_from(list(EVENT_TYPES.values())).flatmap(st.from_type)


def test_every_event_of_the_unions_can_be_stored() -> None:
    """A fact that has no type name would be lost."""
    assert set(EVENT_TYPES.values()) == {
        *get_args(RunEvent),
        CatalogueEvent,
        *get_args(BudgetEvent),
        ContentEvent,
        SealEvent,
        *get_args(KeyEvent),
    }
    assert set(SCHEMA_VERSIONS) == set(EVENT_TYPES)


@given(all_events)
def test_an_event_comes_back_as_it_was(event: Any) -> None:
    """Codec round trip, and a second trip writes the same bytes."""
    name, version, payload = encode(event)
    back = decode(name, version, payload)
    assert back == event
    assert encode(back) == (name, version, payload)


@given(all_events)
def test_payloads_hold_no_float_and_no_exponent(event: Any) -> None:
    """Money is digits, all else integers and words."""

    def no_float(text: str) -> None:
        raise AssertionError(f"a float in a payload: {text}")

    json.loads(encode(event)[2], parse_float=no_float)
    for value in _amounts(event):
        assert "E" not in str(value).upper()


def _amounts(value: Any) -> list[Usd]:
    if isinstance(value, Usd):
        return [value]
    if dataclasses.is_dataclass(value):
        return [found for field in dataclasses.fields(value) for found in _amounts(getattr(value, field.name))]
    return [found for item in value for found in _amounts(item)] if isinstance(value, tuple) else []


def test_small_amounts_are_plain_digits() -> None:
    """Three ten-millionths of a dollar, not 3E-7."""
    event = events.RunFailed(kind=ErrorKind.BUDGET, needed=Usd("3E-7"), cost=Usd("0E+2"), released=())
    assert '"needed":"0.0000003","cost":"0"' in encode(event)[2]


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_type_and_version_has_a_golden_file_that_still_reads(name: str) -> None:
    """Type names and payloads are frozen: what the first release wrote is read, and written, the same for ever."""
    for version in range(1, SCHEMA_VERSIONS[name] + 1):
        golden = (GOLDEN / f"{name}.{version}.json").read_text().strip()
        event = decode(name, version, golden)
        if version == SCHEMA_VERSIONS[name]:
            assert encode(event) == (name, version, golden)


def test_a_type_or_version_of_a_newer_release_is_not_understood() -> None:
    """Rather than guessed at."""
    with pytest.raises(LookupError):
        decode("RunTeleported", 1, "{}")
    with pytest.raises(LookupError, match="newer release"):
        decode("RunCancelled", 99, "{}")
