"""Log lines: JSON where nobody watches, from the level asked for, with the run's id and no text."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from model_orchestrator.domain.events import RunEvent
from model_orchestrator.infrastructure.logging import RunLogging

from ..scenario import answered, asked, assessed, costed, failed, lost, routed, scored, started

HISTORY: list[RunEvent] = [started(), assessed(), routed("m"), asked("m"), answered(), costed(), scored(0.5)]


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_lost_attempt_is_a_warning_with_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Money may be gone: it is said at the default level."""
    RunLogging("warning", "auto").observe("run-1", lost())
    (line,) = lines(capsys)
    assert (line["run_id"], line["event"], line["level"], line["error"]) == ("run-1", "AttemptLost", "warning", "cut")


def test_what_is_below_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that goes well is silent at the default level."""
    logging = RunLogging("warning", "json")
    for event in [*HISTORY, failed()]:
        logging.observe("run-1", event)
    assert not lines(capsys)


def test_every_line_names_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    """At the finest level too."""
    logging = RunLogging("debug", "json")
    for event in HISTORY:
        logging.observe("run-1", event)
    said = lines(capsys)
    assert {line["run_id"] for line in said} == {"run-1"}
    assert len(said) >= 5


def test_structlog_is_imported_only_for_a_line() -> None:
    """A silent run does not pay for it."""
    program = """
import sys
from model_orchestrator.infrastructure.logging import RunLogging
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import AttemptLost
logging = RunLogging("error", "json")
lost = AttemptLost(attempt=1, kind=ErrorKind.CUT, status=None, detail=None, provider_request_id=None, latency=None)
logging.observe("run-1", lost)
assert "structlog" not in sys.modules
RunLogging("warning", "json").observe("run-1", lost)
assert "structlog" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
