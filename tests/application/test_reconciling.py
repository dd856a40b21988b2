"""Laws of matching an export with our calls."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.reconciling import Call, Reconciliation, match
from model_orchestrator.application.usage_lines import UsageLine
from model_orchestrator.domain.units import Duration, Timestamp

SECOND = 1_000_000
MODELS = ("gpt-4o", "claude-haiku-3.5")
NAMES = {"claude-haiku-3.5": ("claude-3-5-haiku-20241022",)}
ids = st.none() | st.sampled_from(["a", "b", "c"])
moments = st.integers(0, 8).map(lambda minutes: 60 * SECOND * minutes)


@st.composite
def calls(draw: st.DrawFn) -> list[Call]:
    found = []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        status, at = draw(st.sampled_from(["answered", "lost", "failed"])), draw(moments)
        found.append(
            Call(
                run="run",
                number=number,
                model=draw(st.sampled_from(MODELS)),
                response_model=None,
                status=status,
                request_id=draw(ids),
                started_at=at,
                ended_at=at + draw(st.sampled_from([0, 30 * SECOND])),
                input_tokens=(),
                output_tokens=draw(st.none() | st.integers(1, 2)),
                cost=None if status == "lost" else 10,
                is_assumed=False,
            )
        )
    return found


@st.composite
def lines(draw: st.DrawFn) -> list[UsageLine]:
    return [
        UsageLine(
            number=number,
            request_id=draw(ids),
            time=draw(st.none() | moments.map(Timestamp)),
            model=draw(st.sampled_from((*MODELS, "openai/gpt-4o-2024-08-06", "claude-3-5-haiku-20241022"))),
            output_tokens=draw(st.none() | st.integers(1, 2)),
            cost=draw(st.none() | st.integers(0, 20)),
        )
        for number in range(1, draw(st.integers(0, 6)) + 1)
    ]


def told(found: Reconciliation) -> Any:
    """Who is whose."""
    pairs = [{(one.line.number, one.call.id, one.by) for one in part} for part in (found.matched, found.double)]
    return pairs, {line.number for line, _ in found.theirs}, {call.id for call in found.ours}


@given(lines(), calls(), st.randoms(use_true_random=False))
def test_every_line_is_somewhere_once_whatever_the_order(
    export: list[UsageLine], known: list[Call], chance: random.Random
) -> None:
    """And a call has one line at most, of its model where time decided."""
    found = match(export, known, tolerance=Duration(60 * SECOND), names=NAMES)
    numbers = [one.line.number for one in (*found.matched, *found.double)] + [line.number for line, _ in found.theirs]
    assert sorted(numbers) == [line.number for line in export]
    taken = [one.call.id for one in found.matched]
    assert len(taken) == len(set(taken))
    assert not {call.id for call in found.ours} & set(taken)
    assert {one.call.id for one in found.double} <= set(taken)
    for one in found.matched:
        if one.by == "id":
            assert one.line.request_id == one.call.request_id
        else:
            assert one.line.time is not None
            assert one.call.started_at - 60 * SECOND <= one.line.time <= one.call.ended_at + 60 * SECOND
            assert one.call.status != "failed"
            assert None in (one.line.request_id, one.call.request_id)
    shuffled = chance.sample(known, len(known))
    assert told(match(export, shuffled, tolerance=Duration(60 * SECOND), names=NAMES)) == told(found)


@given(calls())
def test_our_own_calls_as_an_export_match_to_the_last_picodollar(known: list[Call]) -> None:
    """Where each has a request id of its own."""
    own = [Call(**{**fields(call), "request_id": f"req-{call.number}"}) for call in known]
    export = [UsageLine(number=call.number, request_id=call.request_id, cost=call.cost) for call in own]
    found = match(export, own, tolerance=Duration(SECOND), names={})
    assert [one.call for one in found.matched] == own
    assert (found.double, found.theirs, found.ours, found.mispriced) == ([], [], [], [])
    assert all(one.difference in (0, None) for one in found.matched)


def fields(call: Call) -> dict[str, Any]:
    return {name: getattr(call, name) for name in Call.__slots__}
