"""A true answer from true weights, over HTTP and the openai SDK, and its events in the log."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
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
from tests.e2e.local_model import serving

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
SETTINGS = """
provider = "live"

[models.smollm2]
provider = "openai"
base_url = "{base_url}"
capability = "basic"
context_window = 2048
max_tokens = 512
input_price = 0
output_price = 0
features = ["temperature", "stop", "seed", "logprobs"]
"""


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """SmolLM2 on loopback."""
    with serving("smollm2") as address:
        yield address


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
def test_a_true_answer_comes_with_usage_and_log_probabilities(base_url: str, streamed: bool) -> None:
    """The capital of France is Paris; every count adds up."""
    answer, deltas = ask(base_url, streamed=streamed)
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


def test_the_output_limit_is_kept(base_url: str) -> None:
    """Three tokens, and it says that it was cut."""
    answer, _ = ask(base_url, most=3)
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


def test_a_prompt_over_the_context_window_is_refused_by_its_name(base_url: str) -> None:
    """In llama.cpp's own words, recognised."""
    with pytest.raises(ModelRefused) as caught:
        ask(base_url, "long " * 5000)
    assert caught.value.error is ErrorKind.CONTEXT_WINDOW


def test_a_base_model_only_goes_on(base_url: str) -> None:
    """Gemma 3 270M base is served as well: it answers something, with counts."""
    with serving("gemma3-base") as address:
        answer, _ = ask(address, most=16)
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0


def orchestrator(*arguments: str, home: Path) -> str:
    """What the program prints; its failure shows both of its streams."""
    env = {**os.environ, "MODEL_ORCHESTRATOR_DATABASE_URL": f"sqlite:///{home / 'runs.db'}"}
    command = [sys.executable, "-m", "model_orchestrator", *arguments]
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_orchestrator_answers_and_its_trail_shows_it(base_url: str, tmp_path: Path) -> None:
    """A run on a local model costs nothing, and every step of it stands in the log."""
    (tmp_path / "model-orchestrator.toml").write_text(SETTINGS.format(base_url=base_url), encoding="utf-8")
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
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        bodies = [bytes(body).decode() for (body,) in database.execute("SELECT CAST(body AS BLOB) FROM contents")]
    (raw,) = [json.loads(body) for body in bodies if body.startswith('{"usage"')]
    assert raw["usage"]["completion_tokens"] == result["output_tokens"]
    assert len(raw["logprobs"]) >= result["output_tokens"] - 1
