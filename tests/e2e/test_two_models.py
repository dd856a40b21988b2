"""A base model that only goes on with the text, and SmolLM2, which answers: two strategies on true weights."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import MAX_TOKENS, orchestrator, stored_texts, write_settings

WEAK = "gemma3-base"
GREEDY = ("--system", "You are a helpful assistant.", "--temperature", "0")
CAPITAL = "What is the capital of France?"
CHOICE = "Which is bigger?\nA. a mouse\nB. a whale\nAnswer:"


@pytest.fixture
def home(tmp_path: Path, gemma3_base: str, smollm2: str) -> Path:
    """A folder whose settings name both."""
    write_settings(tmp_path, {WEAK: gemma3_base, "smollm2": smollm2})
    return tmp_path


def ask(prompt: str, *options: str, home: Path) -> dict[str, Any]:
    """The result of a run without chance."""
    result: dict[str, Any] = json.loads(orchestrator("run", prompt, *options, *GREEDY, "--json", home=home))
    return result


def test_a_chain_does_not_trust_the_model_that_echoes(home: Path) -> None:
    """The base model repeats the question until it is cut; the chain moves on, and SmolLM2 says Paris."""
    result = ask(CAPITAL, "--strategy", "fallback", "--chain", f"{WEAK},smollm2", home=home)
    told = result["metadata"]
    assert "Paris" in result["response"]
    assert result["model_used"] == "smollm2"
    assert [(one["model"], one["status"]) for one in told["attempts"]] == [(WEAK, "answered"), ("smollm2", "answered")]
    (escalation,) = told["escalations"]
    assert (escalation["from"], escalation["to"], escalation["reason"]) == (WEAK, "smollm2", "low_confidence")
    assert escalation["confidence"] < told["threshold"] <= result["confidence"]
    assert told["stop_reason"] == "confident"
    assert any(text.startswith(f'{{"text": "{CAPITAL}') and text.count(CAPITAL) > 2 for text in stored_texts(home))
    trail = orchestrator("audit", "trail", "last", home=home)
    assert f"from {WEAK} to smollm2: confidence" in trail
    assert "repetition" in trail
    assert trail.count("AttemptStarted") == trail.count("ModelCalled") == 2
    assert f"{MAX_TOKENS} out" in trail


def test_an_ensemble_shows_who_disagrees(home: Path) -> None:
    """One chooses, the other only asks again: the vote falls on the first, and the other's dissent is shown."""
    result = ask(CHOICE, "--strategy", "ensemble", "--models", f"{WEAK},smollm2", home=home)
    told = result["metadata"]
    assert "B" in result["response"]
    assert result["model_used"] == "smollm2"
    assert (told["method"], told["agreement"], told["dissent"]) == ("vote", 0.5, [WEAK])
    assert "1 of 2 models answered “B”" in told["justification"]
    trail = orchestrator("audit", "trail", "last", home=home)
    assert "vote over attempts 1, 2: 50% agree, attempt 2 stands, against it 1" in trail
