"""What every ModelClient keeps: the suites that each adapter's tests inherit."""

import asyncio
import json
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import pytest

from model_orchestrator.application.ports import Answer, ModelCall, ModelClient
from model_orchestrator.domain.catalogue import ModelCapability, ModelConfig, ModelProvider
from model_orchestrator.domain.errors import ErrorKind, OutcomeUnknown
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.request import (
    ImagePart,
    Message,
    Parameters,
    Part,
    Request,
    ResponseFormat,
    Role,
    TextPart,
    Tool,
    ToolChoice,
    ToolResultPart,
    ToolUse,
    prompt_request,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = Tool(
    name="weather",
    description="The weather at a place.",
    parameters={"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
)
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}, "why": {"type": "string"}}}


def said(role: Role, *parts: Part) -> Message:
    """A message of parts."""
    return Message(role=role, parts=parts)


def user(text: str) -> Message:
    """A message of the user."""
    return said(Role.USER, TextPart(text=text))


def model(provider: ModelProvider, name: str, **changes: Any) -> ModelConfig:
    """A model of a provider."""
    return ModelConfig(name, provider, capabilities=[ModelCapability.BASIC], **changes)


class AnsweringContract(ABC):
    """What holds of every client, also of one that only looks answers up. Each test runs plain and streamed."""

    money = Money.SIMULATED

    @pytest.fixture(params=[False, True], ids=["plain", "streamed"])
    def streamed(self, request: pytest.FixtureRequest) -> bool:
        """Whether the answer is streamed."""
        return bool(request.param)

    @abstractmethod
    def client(self) -> ModelClient:
        """A client, made inside the event loop."""

    @abstractmethod
    def model(self) -> ModelConfig:
        """The model asked."""

    def call(self, request: Request | str, *, most: int = 1024, timeout: float | None = 5) -> ModelCall:
        """A call of the model."""
        if isinstance(request, str):
            request = prompt_request(request)
        return ModelCall(model=self.model(), request=request, max_output_tokens=most, timeout=timeout)

    async def ask(self, call: ModelCall, streamed: bool, client: ModelClient | None = None) -> tuple[Answer, list[str]]:
        """The answer, and the deltas where it was streamed."""
        client = client or self.client()
        deltas: list[str] = []
        try:
            return await client.complete(call, deltas.append if streamed else None), deltas
        finally:
            await client.aclose()

    def answer(self, call: ModelCall, streamed: bool) -> Answer:
        """The answer to one call; its deltas are its text."""
        answer, deltas = asyncio.run(self.ask(call, streamed))
        assert "".join(deltas) == (answer.text if streamed else "")
        return answer

    def test_a_prompt_is_answered(self, streamed: bool) -> None:
        """Text, usage, finish reason and model are there; what it cost is money of the right kind."""
        answer = self.answer(self.call("What is Python?"), streamed)
        assert "Python is a high-level" in answer.text
        assert answer.finish_reason is FinishReason.STOP
        assert answer.usage is not None
        assert answer.usage.input_uncached > 0
        assert answer.usage.output > 0
        assert answer.raw_usage
        assert answer.response_model == self.model().api_id
        assert answer.money is self.money
        assert (answer.first_token is not None) == streamed

    def test_the_same_question_has_the_same_answer_streamed_or_not(self) -> None:
        """The form of the reply changes nothing."""
        call = self.call("Explain event sourcing")
        plain, streamed = self.answer(call, False), self.answer(call, True)
        assert replace(streamed, first_token=None, provider_request_id=None, raw_usage=None) == replace(
            plain, first_token=None, provider_request_id=None, raw_usage=None
        )


class ModelClientContract(AnsweringContract):
    """The whole contract, less what can go wrong on the wire."""

    @abstractmethod
    def slow_client(self) -> ModelClient:
        """A client whose provider holds its answer for longer than a test waits."""

    def test_the_most_output_is_kept(self, streamed: bool) -> None:
        """An answer that does not fit is cut, and says so."""
        answer = self.answer(self.call("Design a distributed system", most=8), streamed)
        assert answer.finish_reason is FinishReason.LENGTH
        assert answer.usage is not None
        assert 0 < answer.usage.output_tokens <= 8

    def test_a_tool_is_called_and_its_result_is_read(self, streamed: bool) -> None:
        """A round trip: the call comes back with JSON arguments, its result goes in, text comes out."""
        question = user("How is the weather in Paris?")
        parameters = Parameters(tools=(WEATHER,))
        asked = self.answer(self.call(Request(messages=(question,), parameters=parameters)), streamed)
        assert asked.finish_reason is FinishReason.TOOL_CALLS
        (call,) = asked.tool_calls
        assert call.name == "weather"
        assert "Paris" in json.loads(call.arguments)["place"]
        result = said(Role.TOOL, ToolResultPart(call_id=call.id, text="12 degrees"))
        history = (question, said(Role.ASSISTANT, TextPart(text="Let me look."), call), result)
        answer = self.answer(self.call(Request(messages=history, parameters=parameters)), streamed)
        assert answer.finish_reason is FinishReason.STOP
        assert answer.tool_calls == ()
        assert "12 degrees" in answer.text

    @pytest.mark.parametrize(
        ("choice", "called"),
        [
            (ToolChoice(use=ToolUse.AUTO), ["weather"]),
            (ToolChoice(use=ToolUse.REQUIRED), ["weather"]),
            (ToolChoice(use=ToolUse.NONE), []),
            (ToolChoice(name="clock"), ["clock"]),
        ],
    )
    def test_tools_are_called_as_chosen(self, choice: ToolChoice, called: list[str], streamed: bool) -> None:
        """The one named, some, or none."""
        parameters = Parameters(
            tools=(WEATHER, Tool(name="clock", parameters={"type": "object"})), tool_choice=choice, top_p=0.5
        )
        answer = self.answer(self.call(Request(messages=(user("The weather?"),), parameters=parameters)), streamed)
        assert [call.name for call in answer.tool_calls] == called

    def test_two_tool_results_are_read(self, streamed: bool) -> None:
        """Results of one turn arrive together."""
        question = user("And the weather in Rome?")
        parameters = Parameters(tools=(WEATHER,))
        (call,) = self.answer(self.call(Request(messages=(question,), parameters=parameters)), streamed).tool_calls
        other = replace(call, id=f"{call.id}2")
        results = tuple(ToolResultPart(call_id=each.id, text=f"result of {each.id}") for each in (call, other))
        history = (question, said(Role.ASSISTANT, call, other), said(Role.TOOL, *results))
        answer = self.answer(self.call(Request(messages=history, parameters=parameters)), streamed)
        assert f"result of {other.id}" in answer.text

    def test_an_image_is_carried(self, streamed: bool) -> None:
        """As data and as an address; each counts as input."""
        words = TextPart(text="What is in these pictures?")
        data = ImagePart(data=PNG, media_type="image/png")
        url = ImagePart(url="https://example.org/picture.png")
        with_images = self.answer(self.call(Request(messages=(said(Role.USER, words, data, url),))), streamed)
        without = self.answer(self.call(Request(messages=(said(Role.USER, words),))), streamed)
        assert with_images.usage is not None
        assert without.usage is not None
        assert with_images.usage.input_tokens > without.usage.input_tokens + 50

    def test_a_system_prompt_is_carried(self, streamed: bool) -> None:
        """It counts as input, and it changes the answer's tokens by its own."""
        system = "Answer like a pirate. " * 20
        with_system = self.answer(self.call(prompt_request("What is Python?", system=system)), streamed)
        without = self.answer(self.call("What is Python?"), streamed)
        assert with_system.usage is not None
        assert without.usage is not None
        assert with_system.usage.input_tokens > without.usage.input_tokens + 100

    def test_a_conversation_is_carried(self, streamed: bool) -> None:
        """Earlier turns count."""
        turns = (user("Hi"), said(Role.ASSISTANT, TextPart(text="Hello. " * 50)), user("What is Python?"))
        answer = self.answer(self.call(Request(messages=turns)), streamed)
        assert "Python is" in answer.text
        assert answer.usage is not None
        assert answer.usage.input_tokens > 80

    def test_parameters_are_carried(self, streamed: bool) -> None:
        """A stop sequence cuts the text; a temperature is accepted."""
        parameters = Parameters(temperature=0.5, stop=("high-level",))
        answer = self.answer(self.call(prompt_request("What is Python?", parameters=parameters)), streamed)
        assert answer.text.endswith("Python is a ")
        assert answer.finish_reason is FinishReason.STOP

    def test_a_schema_shapes_the_answer(self, streamed: bool) -> None:
        """The text is JSON of the schema."""
        parameters = Parameters(response_format=ResponseFormat(json_schema=SCHEMA))
        answer = self.answer(self.call(prompt_request("Score this", parameters=parameters)), streamed)
        assert set(json.loads(answer.text)) == {"score", "why"}

    def test_a_call_over_its_time_out_is_of_unknown_outcome(self, streamed: bool) -> None:
        """The request left; whether it is billed is unknown."""

        async def ask() -> None:
            with pytest.raises(OutcomeUnknown) as caught:
                await self.ask(self.call("What is Python?", timeout=0.2), streamed, self.slow_client())
            assert caught.value.error is ErrorKind.TIME_OUT

        asyncio.run(ask())

    def test_a_call_can_be_cancelled(self, streamed: bool) -> None:
        """Cancellation comes through as itself."""

        async def ask() -> None:
            task = asyncio.create_task(self.ask(self.call("What is Python?"), streamed, self.slow_client()))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(ask())
