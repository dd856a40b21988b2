"""The client that answers from a data set: whole recorded answers, at the recorded cost, to exactly their prompts."""

import asyncio
from dataclasses import replace

import pytest

from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.domain.catalogue import ModelConfig
from model_orchestrator.domain.dataset import Example, Outcome
from model_orchestrator.domain.dataset_summary import summarized
from model_orchestrator.domain.errors import ErrorKind, InvalidRequest, ModelRefused
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.pricing import Usage, cost
from model_orchestrator.domain.request import (
    ImagePart,
    Message,
    Parameters,
    Request,
    ResponseFormat,
    Role,
    TextPart,
    prompt_request,
)
from model_orchestrator.domain.units import Usd, usd
from model_orchestrator.infrastructure.providers.recorded import RecordedClient
from model_orchestrator.infrastructure.recorded import recorded_catalogue
from tests.contracts.model_client import WEATHER, AnsweringContract

PROMPT = "What is Python?"
LONG = "Design a distributed system"
TEXTS = {
    PROMPT: "Python is a high-level language.",
    LONG: "Start with one machine. " * 40,
    "Explain event sourcing": "No.",
}
ROWS = {
    prompt: Example(
        id=prompt,
        task=None,
        prompt=prompt,
        reference=None,
        input_tokens=10 + place,
        contaminated=False,
        outcomes={
            "claude-small": Outcome(
                score=1, text=text, output_tokens=len(text) // 4, cost=usd(123_000_000 * (place + 1))
            ),
            "silent": Outcome(score=1, text=None if prompt == PROMPT else text),
        },
    )
    for place, (prompt, text) in enumerate(TEXTS.items())
}
CATALOGUE = recorded_catalogue("set", summarized(ROWS.values()))


class TestRecordedClient(AnsweringContract):
    """What it cannot carry is refused, see below."""

    money = Money.RECORDED

    def client(self) -> RecordedClient:
        return RecordedClient(ROWS.get)

    def model(self) -> ModelConfig:
        return known("claude-small")


def known(name: str) -> ModelConfig:
    """The model of the catalogue."""
    model = CATALOGUE.get(name)
    assert model is not None
    return model


def ask(request: Request | str, *, model: str = "claude-small", most: int = 1024) -> Answer:
    """The answer to a call."""
    asked = prompt_request(request) if isinstance(request, str) else request
    call = ModelCall(model=known(model), request=asked, max_output_tokens=most, timeout=5)
    return asyncio.run(RecordedClient(ROWS.get).complete(call))


def test_the_answer_is_the_recorded_one() -> None:
    """Its text, its tokens, its cost."""
    answer = ask(LONG)
    assert answer.text == TEXTS[LONG]
    assert answer.usage == Usage(input_uncached=11, output=len(TEXTS[LONG]) // 4)
    assert answer.cost == ROWS[LONG].outcomes["claude-small"].cost
    assert answer.money is Money.RECORDED
    assert answer.finish_reason is FinishReason.STOP
    card = known("claude-small").price
    assert card is not None
    assert answer.usage is not None
    assert cost(answer.usage, card) != answer.cost  # no price of tokens gives it: it is charged as it is


def test_what_was_not_recorded_is_unknown() -> None:
    """No usage and no cost is made up."""
    answer = ask(LONG, model="silent")
    assert (answer.usage, answer.cost, answer.raw_usage) == (None, None, None)


@pytest.mark.parametrize(
    ("prompt", "model", "most"),
    [("What is Rust?", "claude-small", 1024), (PROMPT, "silent", 1024), (LONG, "claude-small", 8)],
    ids=["no such prompt", "no answer of the model", "longer than it may be"],
)
def test_an_answer_that_is_not_there_is_refused(prompt: str, model: str, most: int) -> None:
    """Not cut, not made up, not billed, and not tried again."""
    with pytest.raises(ModelRefused) as caught:
        ask(prompt, model=model, most=most)
    assert caught.value.error is ErrorKind.BAD_REQUEST


def test_an_answer_dearer_than_its_hold_is_refused() -> None:
    """The hold of a call is its worst price; no recorded cost passes it."""
    dear = replace(ROWS[PROMPT], outcomes={"claude-small": Outcome(score=1, text="x", output_tokens=1, cost=Usd(5))})
    call = ModelCall(model=known("claude-small"), request=prompt_request(PROMPT), max_output_tokens=10, timeout=5)
    with pytest.raises(ModelRefused):
        asyncio.run(RecordedClient(lambda prompt: dear).complete(call))


def user(*parts: TextPart | ImagePart) -> Message:
    return Message(role=Role.USER, parts=parts)


CARRIED = {
    "a system message": prompt_request(PROMPT, system="Be brief."),
    "a conversation": Request(messages=(user(TextPart(text="Hi")), user(TextPart(text=PROMPT)))),
    "an image": Request(messages=(user(TextPart(text=PROMPT), ImagePart(url="https://example.org/a.png")),)),
    "a temperature": prompt_request(PROMPT, parameters=Parameters(temperature=0.0)),
    "a stop sequence": prompt_request(PROMPT, parameters=Parameters(stop=("x",))),
    "a seed": prompt_request(PROMPT, parameters=Parameters(seed=1)),
    "a tool": prompt_request(PROMPT, parameters=Parameters(tools=(WEATHER,))),
    "a form": prompt_request(PROMPT, parameters=Parameters(response_format=ResponseFormat())),
}


@pytest.mark.parametrize("request_", CARRIED.values(), ids=CARRIED)
def test_what_it_cannot_carry_is_rejected(request_: Request) -> None:
    """Never dropped: the recorded answer was to the prompt alone."""
    with pytest.raises(InvalidRequest, match="single prompts"):
        ask(request_)
