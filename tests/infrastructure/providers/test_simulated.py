"""The model client without a network."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.ports import ModelCall, ModelClient
from model_orchestrator.domain.catalogue import ModelConfig, ModelProvider
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.request import Parameters, prompt_request
from model_orchestrator.domain.tokens import bound_input, estimate_tokens
from model_orchestrator.infrastructure.providers.simulated import SimulatedClient, asked_of
from model_orchestrator.infrastructure.providers.simulated_text import pieces, unsure_share, write
from tests.contracts.model_client import ModelClientContract, model

MINI = model(ModelProvider.OPENAI, "gpt-4o-mini")
OPUS = model(ModelProvider.ANTHROPIC, "claude-opus-3")


class TestSimulatedClient(ModelClientContract):
    """The contract, in process."""

    def client(self) -> ModelClient:
        return SimulatedClient()

    def slow_client(self) -> ModelClient:
        return SimulatedClient(latency=30)

    def model(self) -> ModelConfig:
        return MINI


def call(prompt: str, asked: ModelConfig = MINI, **parameters: int) -> ModelCall:
    request = prompt_request(prompt, parameters=Parameters(seed=parameters.get("seed")))
    return ModelCall(model=asked, request=request, max_output_tokens=parameters.get("most", 1024), timeout=None)


def text(prompt: str, asked: ModelConfig = MINI, **parameters: int) -> str:
    return asyncio.run(SimulatedClient().complete(call(prompt, asked, **parameters))).text


def test_every_text_says_that_it_is_simulated() -> None:
    """Nobody takes it for a model's answer."""
    assert text("What is Python?").startswith("[simulated gpt-4o-mini] Python is a high-level")


def test_an_answer_depends_on_model_prompt_and_seed_alone() -> None:
    """The same again; another with another seed."""
    assert text("Explain tides") == text("Explain tides")
    assert len({text("Explain tides", seed=seed) for seed in range(20)}) > 1


def test_a_short_question_gets_a_short_answer() -> None:
    """Lengths follow the task."""
    short, code, design = (text(prompt) for prompt in ("Who was Ada?", "Write a function", "Design a system"))
    assert len(short) < len(code) < len(design)
    assert estimate_tokens(text("What is Python?")) < 60


@pytest.mark.parametrize(("asked", "share"), [(MINI, 30), (OPUS, 5)], ids=["mini", "opus"])
def test_a_weaker_model_is_unsure_more_often(asked: ModelConfig, share: int) -> None:
    """About the share of its name, so that chains escalate."""
    assert unsure_share(asked.api_id) == share
    unsure = sum("I'm not sure" in text(f"Question {number}", asked) for number in range(400))
    assert share * 4 * 0.5 < unsure < share * 4 * 1.8


def test_latency_is_waited() -> None:
    """In seconds."""

    async def took() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await SimulatedClient(latency=0.05).complete(call("What is Python?"))
        return loop.time() - started

    assert asyncio.run(took()) >= 0.05


@given(st.text(max_size=300), st.integers(1, 60), st.lists(st.text(min_size=1, max_size=3), max_size=3))
def test_counts_agree_with_the_text(prompt: str, most: int, stop: list[str]) -> None:
    """Whatever is asked: output is the text's estimate, within the limit, and pieces lose nothing."""
    request = prompt_request(prompt, parameters=Parameters(stop=tuple(stop)))
    written = write(asked_of(ModelCall(model=MINI, request=request, max_output_tokens=most, timeout=None)))
    assert estimate_tokens(written.text) <= written.usage.output <= most
    assert written.usage.input_tokens <= bound_input(request)
    assert "".join(pieces(written.text)) == written.text
    assert (written.finish is FinishReason.LENGTH) <= (written.usage.output == most)
    assert not any(sequence in written.text for sequence in stop)
