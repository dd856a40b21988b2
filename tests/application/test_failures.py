"""A run without an answer says why and what to do, in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model_orchestrator.application.failures import failure_of
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import Exclusion, ExclusionReason, RunCancelled, RunFailed
from model_orchestrator.domain.run import Run
from model_orchestrator.domain.units import Usd

from ..scenario import MINI, asked, assessed, failed, given, lost, routed, started


def ended(kind: ErrorKind, needed: str | None = None) -> RunFailed:
    return RunFailed(kind=kind, needed=None if needed is None else Usd(needed), cost=Usd("0"), released=())


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in (ErrorKind.NO_CANDIDATE, ErrorKind.BUDGET)])
def test_every_kind_of_failed_call_has_words_and_its_model(kind: ErrorKind) -> None:
    """No bare code word, one line."""
    run = given(started(), assessed(), routed(MINI), asked(MINI), failed(kind=kind), ended(kind)).run
    failure = failure_of(run)
    assert failure.kind == kind.value
    assert failure.run_id == run.id
    assert str(failure).startswith(f"{MINI}: ")
    assert len(str(failure).split()) > 2 or kind is ErrorKind.CANCELLED
    assert "\n" not in str(failure)


def test_a_lost_attempt_says_that_the_bill_is_unknown() -> None:
    """So nobody asks again without knowing."""
    run = given(started(), assessed(), routed(MINI), asked(MINI), lost(), ended(ErrorKind.CUT)).run
    assert "billed is unknown" in str(failure_of(run))


def test_a_limit_too_low_gives_the_figure_that_fits() -> None:
    """With every field of the budget error."""
    dear = Exclusion(model=MINI, reason=ExclusionReason.MAX_COST, limit="0.0123")
    decision = replace(routed(needed="0.0123"), excluded=(dear,))
    run = given(started(max_cost="0.001"), assessed(), decision, ended(ErrorKind.BUDGET, "0.0123")).run
    failure = failure_of(run)
    assert "--max-cost 0.0123" in str(failure)
    assert failure.details == {"limit": "0.001", "held": "0", "needed": "0.0123", "would_fit": "0.0123"}


def no_candidate(*excluded: Exclusion, model: str | None = None) -> Run:
    decision = replace(routed(), excluded=excluded)
    return given(started(model=model), assessed(), decision, ended(ErrorKind.NO_CANDIDATE)).run


def test_without_candidates_each_reason_is_told_once_with_its_models() -> None:
    """Not a line a model."""
    reasons = [
        Exclusion(model=name, reason=ExclusionReason.NO_KEY, limit="OPENAI_API_KEY") for name in ("gpt-4", "gpt-4o")
    ]
    assert "no key: set OPENAI_API_KEY (gpt-4, gpt-4o)" in str(failure_of(no_candidate(*reasons)))


def test_of_a_named_model_only_its_own_reason_is_told() -> None:
    """The others were not meant."""
    own = Exclusion(model="gpt-4", reason=ExclusionReason.CONTEXT_WINDOW, limit="8192")
    other = Exclusion(model="gpt-4o", reason=ExclusionReason.NOT_ASKED, limit="gpt-4")
    text = str(failure_of(no_candidate(own, other, model="gpt-4")))
    assert "gpt-4o" not in text
    assert "context window 8,192 tokens" in text


def test_a_cancelled_run_says_by_whom() -> None:
    """It is a failure for who waits for an answer."""
    run = given(started(), RunCancelled(by="somebody", cost=Usd("0"), released=())).run
    assert "cancelled by somebody" in str(failure_of(run))
