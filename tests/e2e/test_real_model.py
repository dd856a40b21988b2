"""A true answer from true weights, over HTTP and the openai SDK, and its events in the log."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest

from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.domain.catalogue import EVERY_REQUEST_FEATURE, Feature, ModelConfig, ModelProvider
from model_orchestrator.domain.errors import ErrorKind, ModelRefused
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.request import Parameters, prompt_request
from model_orchestrator.infrastructure.providers.openai_client import OpenAIClient
from tests.e2e.command import orchestrator, stored_texts, write_settings

QUESTION = "What is the capital of France?"
SYSTEM = "You are a helpful assistant."
SMOLLM2 = ModelConfig(
    "smollm2",
    ModelProvider.OPENAI,
    Decimal(0),
    Decimal(0),
    context_window=2048,
    features=EVERY_REQUEST_FEATURE | {Feature.LOGPROBS},
)


def ask(base_url: str, prompt: str = QUESTION, *, most: int = 64, streamed: bool = False) -> tuple[Answer, list[str]]:
    """The answer at temperature 0, and its deltas."""
    request = prompt_request(prompt, system=SYSTEM, parameters=Parameters(temperature=0.0))
    call = ModelCall(model=SMOLLM2, request=request, max_output_tokens=most, timeout=60)
    deltas: list[str] = []

    async def complete() -> Answer:
        client = OpenAIClient(None, base_url)
        try:
            return await client.complete(call, deltas.append if streamed else None)
        finally:
            await client.aclose()

    return asyncio.run(complete()), deltas


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_true_answer_comes_with_usage_and_log_probabilities(smollm2: str, streamed: bool) -> None:
    """The capital of France is Paris; every count adds up."""
    answer, deltas = ask(smollm2, streamed=streamed)
    assert "Paris" in answer.text
    assert "".join(deltas) == (answer.text if streamed else "")
    assert answer.finish_reason is FinishReason.STOP
    assert answer.money is Money.REAL
    assert answer.usage is not None
    assert answer.raw_usage is not None
    assert answer.usage.input_tokens == answer.raw_usage["prompt_tokens"] > 10
    assert answer.usage.output_tokens == answer.raw_usage["completion_tokens"] > 4
    assert answer.logprobs
    assert all(value <= 0 for value in answer.logprobs)
    assert (answer.first_token is not None) == streamed


def test_the_output_limit_is_kept(smollm2: str) -> None:
    """Three tokens, and it says that it was cut."""
    answer, _ = ask(smollm2, most=3)
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


def test_a_prompt_over_the_context_window_is_refused_by_its_name(smollm2: str) -> None:
    """In llama.cpp's own words, recognised."""
    with pytest.raises(ModelRefused) as caught:
        ask(smollm2, "long " * 5000)
    assert caught.value.error is ErrorKind.CONTEXT_WINDOW


def test_a_base_model_only_goes_on(gemma3_base: str) -> None:
    """Gemma 3 270M base is served as well: it answers something, with counts."""
    answer, _ = ask(gemma3_base, most=16)
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0


def test_the_orchestrator_answers_and_its_trail_shows_it(smollm2: str, tmp_path: Path) -> None:
    """A run on a local model costs nothing, and every step of it stands in the log."""
    write_settings(tmp_path, {"smollm2": smollm2})
    options = ("--model", "smollm2", "--system", SYSTEM, "--temperature", "0", "--json")
    result = json.loads(orchestrator("run", QUESTION, *options, home=tmp_path))
    assert "Paris" in result["response"]
    assert result["model_used"] == "smollm2"
    assert Decimal(result["cost"]) == 0
    assert result["input_tokens"] > 10
    assert result["output_tokens"] > 4
    assert result["metadata"]["simulated"] is False
    trail = orchestrator("audit", "trail", "last", home=tmp_path)
    for event in ("RunStarted", "RoutingDecided", "AttemptStarted", "ModelCalled", "ConfidenceScored", "RunCompleted"):
        assert event in trail
    (raw,) = [json.loads(text) for text in stored_texts(tmp_path) if text.startswith('{"usage"')]
    assert raw["usage"]["completion_tokens"] == result["output_tokens"]
    assert len(raw["logprobs"]) >= result["output_tokens"] - 1
