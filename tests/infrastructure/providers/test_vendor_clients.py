"""Every adapter that asks a vendor, over the real SDKs and over aiohttp alone, against a server on loopback."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate

import pytest

from model_orchestrator.application.ports import ModelClient
from model_orchestrator.domain.catalogue import EVERY_REQUEST_FEATURE, Feature, ModelConfig, ModelProvider
from model_orchestrator.domain.errors import ErrorKind, ModelError, ModelRefused, ModelUnavailable, OutcomeUnknown
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.infrastructure.providers.anthropic_client import AnthropicClient
from model_orchestrator.infrastructure.providers.lean_client import LeanAnthropicClient, LeanOpenAIClient
from model_orchestrator.infrastructure.providers.openai_client import OpenAIClient
from model_orchestrator.infrastructure.providers.vendor_client import VendorClient
from model_orchestrator.infrastructure.simulate.faults import Fault
from model_orchestrator.infrastructure.simulate.server import SimulatorOptions
from tests.contracts.model_client import ModelClientContract, model
from tests.simulator import RunningSimulator, running_simulator

KEY = "sk-secret-key-of-the-test"


@dataclass(frozen=True)
class Case:
    """A fault and what the caller must be told of it."""

    fault: Fault
    error: type[ModelError]
    kind: ErrorKind
    status: int | None = None
    retry_after: float | None = None


REFUSED = (
    Case(Fault.AUTH, ModelRefused, ErrorKind.AUTH, 401),
    Case(Fault.BAD_REQUEST, ModelRefused, ErrorKind.BAD_REQUEST, 400),
    Case(Fault.NOT_FOUND, ModelRefused, ErrorKind.NOT_FOUND, 404),
    Case(Fault.TOO_LARGE, ModelRefused, ErrorKind.BAD_REQUEST, 413),
    Case(Fault.UNPROCESSABLE, ModelRefused, ErrorKind.BAD_REQUEST, 422),
    Case(Fault.CONTEXT_WINDOW, ModelRefused, ErrorKind.CONTEXT_WINDOW, 400),
    Case(Fault.REDIRECT, ModelRefused, ErrorKind.BAD_REQUEST, 307),
)
UNAVAILABLE = (
    Case(Fault.RATE_LIMIT, ModelUnavailable, ErrorKind.RATE_LIMITED, 429, 1.0),
    Case(Fault.OVERLOADED, ModelUnavailable, ErrorKind.OVERLOADED, 529),
)
UNKNOWN = (
    Case(Fault.SERVER_ERROR, OutcomeUnknown, ErrorKind.SERVER, 500),
    Case(Fault.TIME_OUT, OutcomeUnknown, ErrorKind.TIME_OUT),
    Case(Fault.CUT, OutcomeUnknown, ErrorKind.CUT),
    Case(Fault.MALFORMED, OutcomeUnknown, ErrorKind.MALFORMED),
    Case(Fault.STREAM_CUT, OutcomeUnknown, ErrorKind.CUT),
)


def drip(listener: socket.socket) -> None:
    """Take one call and send its reply a space or a comment at a time, for 3 s."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            for _ in range(60):
                connection.sendall(b"3\r\n:\n\n\r\n")
                time.sleep(0.05)
        except OSError:
            return  # the caller has left


class VendorClientContract(ModelClientContract):
    """The contract over the wire, and the whole fault matrix."""

    simulator: RunningSimulator
    adapter: type[VendorClient]

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with running_simulator() as self.simulator:
            yield

    def url(self) -> str:
        raise NotImplementedError

    def client(self) -> ModelClient:
        return self.adapter(KEY, self.url())

    def slow_client(self) -> ModelClient:
        self.simulator.fail(Fault.TIME_OUT)
        return self.client()

    async def until_open(self, calls: int) -> None:
        """Wait until so many calls are under way at the server, which runs in another thread."""
        async with asyncio.timeout(5):
            while self.simulator.open != calls:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def failure(self, streamed: bool, *, timeout: float = 5, prompt: str = "What is Python?") -> ModelError:
        """What the call raises."""
        with pytest.raises(ModelError) as caught:
            asyncio.run(self.ask(self.call(prompt, timeout=timeout), streamed))
        return caught.value

    @pytest.mark.parametrize("case", [*REFUSED, *UNAVAILABLE, *UNKNOWN], ids=lambda case: case.fault.value)
    def test_a_fault_is_told_by_class_and_kind_and_never_retried(self, case: Case, streamed: bool) -> None:
        """Class, kind, status and wait are as the map says; the provider saw exactly one call."""
        self.simulator.fail(case.fault, count=5)
        error = self.failure(streamed, timeout=0.3 if case.fault is Fault.TIME_OUT else 5)
        assert type(error) is case.error
        assert (error.error, error.status, error.retry_after) == (case.kind, case.status, case.retry_after)
        assert self.simulator.calls == 1
        assert str(error) == case.kind.value

    def test_an_empty_account_is_not_worth_a_retry(self, streamed: bool) -> None:
        """No credit left: refused, whatever the vendor's status."""
        self.simulator.fail(Fault.QUOTA)
        error = self.failure(streamed)
        assert type(error) is ModelRefused
        assert error.error is ErrorKind.QUOTA

    @pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.HTML], ids=str)
    def test_a_reply_of_another_kind_is_malformed_or_cut(self, fault: Fault, streamed: bool) -> None:
        """The SDKs raise nothing for it; it may be billed."""
        self.simulator.fail(fault)
        error = self.failure(streamed)
        assert type(error) is OutcomeUnknown
        assert error.error is (ErrorKind.CUT if streamed else ErrorKind.MALFORMED)

    def test_a_stream_without_its_last_event_is_lost(self) -> None:
        """The SDKs end in good order; the answer is not whole, whatever usage it showed."""
        self.simulator.fail(Fault.STREAM_SHORT)
        error = self.failure(True)
        assert type(error) is OutcomeUnknown
        assert error.error is ErrorKind.CUT

    def test_an_error_inside_a_stream_is_of_unknown_outcome(self) -> None:
        """Also an overload: the answer had begun."""
        self.simulator.fail(Fault.STREAM_ERROR)
        error = self.failure(True)
        assert type(error) is OutcomeUnknown
        assert error.error in (ErrorKind.OVERLOADED, ErrorKind.SERVER)
        assert error.detail
        assert "verload" in error.detail or "server had an error" in error.detail

    def test_a_refused_connection_is_unbilled(self, streamed: bool) -> None:
        """Nothing was sent: it may be tried again."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        client = self.adapter(KEY, f"http://127.0.0.1:{port}")
        with pytest.raises(ModelUnavailable) as caught:
            asyncio.run(self.ask(self.call("hi"), streamed, client))
        assert caught.value.error is ErrorKind.CONNECTION

    def test_a_host_without_address_is_unbilled(self, streamed: bool) -> None:
        """A name that does not resolve: nothing was sent."""
        client = self.adapter(KEY, "http://no-such-host.invalid")
        with pytest.raises(ModelUnavailable) as caught:
            asyncio.run(self.ask(self.call("hi"), streamed, client))
        assert caught.value.error is ErrorKind.CONNECTION

    def test_a_connection_that_is_not_taken_in_time_is_unbilled(self, streamed: bool) -> None:
        """The call's time ran out before anything was sent: a full backlog takes no connection."""
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            client = self.adapter(KEY, f"http://127.0.0.1:{full.getsockname()[1]}")
            with pytest.raises(ModelUnavailable) as caught:
                asyncio.run(self.ask(self.call("hi", timeout=0.3), streamed, client))
        assert caught.value.error is ErrorKind.CONNECTION

    def test_a_server_that_takes_the_request_and_says_nothing_is_unknown(self, streamed: bool) -> None:
        """Accepted, read, no byte back."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = self.adapter(KEY, f"http://127.0.0.1:{silent.getsockname()[1]}")
            with pytest.raises(OutcomeUnknown) as caught:
                asyncio.run(self.ask(self.call("hi", timeout=0.3), streamed, client))
        assert caught.value.error is ErrorKind.TIME_OUT

    def test_the_time_out_bounds_the_whole_call(self, streamed: bool) -> None:
        """A server that sends a little now and then never ends a wait for the next byte; the deadline does."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            dripping = threading.Thread(target=drip, args=(listener,), daemon=True)
            dripping.start()
            client = self.adapter(KEY, f"http://127.0.0.1:{listener.getsockname()[1]}")
            started = time.monotonic()
            with pytest.raises(OutcomeUnknown) as caught:
                asyncio.run(self.ask(self.call("hi", timeout=0.4), streamed, client))
            assert time.monotonic() - started < 1.5
            dripping.join(5)
        assert caught.value.error is ErrorKind.TIME_OUT

    def test_the_wait_may_be_a_date(self) -> None:
        """Retry-After as an HTTP date is turned into seconds."""
        self.simulator.fail(Fault.RATE_LIMIT, retry_after=formatdate(time.time() + 30, usegmt=True))
        wait = self.failure(False).retry_after
        assert wait is not None
        assert 25 < wait <= 31

    def test_a_whole_answer_without_usage_says_so(self, streamed: bool) -> None:
        """Unknown is None, never 0."""
        self.simulator.fail(Fault.NO_USAGE)
        answer = self.answer(self.call("What is Python?"), streamed)
        assert "Python is" in answer.text
        assert answer.usage is None

    def test_cached_input_is_counted_once(self, streamed: bool) -> None:
        """The classes are disjoint: their sum is what the provider billed."""
        self.simulator.fail(Fault.CACHED)
        answer = self.answer(self.call("Explain tides, please, in a few words"), streamed)
        assert answer.usage is not None
        assert answer.usage.cache_read > 0
        assert answer.usage.input_uncached > 0
        billed = self.simulator.stats()["by_model"][self.model().api_id]
        assert answer.usage.input_tokens == billed["input_tokens"]
        assert answer.usage.output_tokens == billed["output_tokens"]

    def test_reasoning_is_counted_once(self, streamed: bool) -> None:
        """It is part of the output that was billed."""
        self.simulator.fail(Fault.REASONING)
        answer = self.answer(self.call("What is Python?"), streamed)
        assert answer.usage is not None
        assert answer.usage.reasoning > 0
        billed = self.simulator.stats()["by_model"][self.model().api_id]
        assert answer.usage.output_tokens == billed["output_tokens"]

    def test_a_refusal_is_an_answer(self, streamed: bool) -> None:
        """It has text and usage, and names itself."""
        self.simulator.fail(Fault.REFUSAL)
        answer = self.answer(self.call("What is Python?"), streamed)
        assert answer.finish_reason is FinishReason.REFUSAL
        assert answer.text == "I can't help with that."
        assert answer.usage is not None

    def test_a_server_that_does_not_say_simulated_is_real(self, streamed: bool) -> None:
        """`--as-real`: the money counts as real."""
        with running_simulator(SimulatorOptions(as_real=True)) as self.simulator:
            assert self.answer(self.call("What is Python?"), streamed).money is Money.REAL

    def test_the_request_id_is_kept(self, streamed: bool) -> None:
        """Of an answer and of an error, for the provider's support."""
        assert self.answer(self.call("hi"), streamed).provider_request_id == "req_00000001"
        self.simulator.fail(Fault.SERVER_ERROR)
        assert self.failure(streamed).provider_request_id == "req_00000002"

    def test_cancelling_closes_the_connection(self, streamed: bool) -> None:
        """The provider sees it, and may stop."""

        async def cancelled() -> None:
            self.simulator.fail(Fault.TIME_OUT)
            client = self.client()
            sink: list[str] = []
            task = asyncio.create_task(client.complete(self.call("hi"), sink.append if streamed else None))
            await self.until_open(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await self.until_open(0)
            await client.aclose()

        asyncio.run(cancelled())

    def test_a_sink_that_fails_does_not_lose_the_paid_answer(self) -> None:
        """Whoever listened has left; the adapter reads on, so the cost is known."""

        def broken(delta: str) -> None:
            raise BrokenPipeError

        async def ask() -> None:
            client = self.client()
            answer = await client.complete(self.call("What is Python?"), broken)
            await client.aclose()
            assert "Python is" in answer.text
            assert answer.usage is not None

        asyncio.run(ask())

    def test_a_model_that_cannot_stream_delivers_in_one_piece(self) -> None:
        """The sink gets the text all the same."""
        call = self.call("What is Python?")
        whole = model(self.model().provider, self.model().name, supports_streaming=False)
        answer, deltas = asyncio.run(self.ask(type(call)(
            model=whole, request=call.request, max_output_tokens=99, timeout=5), True))  # fmt: skip
        assert deltas == [answer.text]
        assert answer.first_token is None

    def test_one_client_asks_many_at_once(self) -> None:
        """Calls under way do not mix: each has its own answer and its own failure."""

        async def ask() -> None:
            self.simulator.fail(Fault.CUT, model="cut")
            client = self.client()
            calls = [self.call(f"Question {number}?") for number in range(8)]
            cut = type(calls[0])(
                model=model(self.model().provider, "cut"), request=calls[0].request, max_output_tokens=9, timeout=5
            )
            results = await asyncio.gather(*(client.complete(call) for call in (cut, *calls)), return_exceptions=True)
            await client.aclose()
            assert isinstance(results[0], OutcomeUnknown)
            assert len({getattr(answer, "provider_request_id", None) for answer in results[1:]}) == 8

        asyncio.run(ask())

    def test_without_a_key_nothing_of_the_environment_is_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A server of one's own never sees the vendor's key."""
        for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
            monkeypatch.setenv(name, "sk-of-the-environment")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(5)
            client = self.adapter(None, f"http://127.0.0.1:{listener.getsockname()[1]}")

            async def received() -> bytes:
                asking = asyncio.create_task(client.complete(self.call("hi", timeout=2)))
                connection, _ = await asyncio.to_thread(listener.accept)
                with connection:
                    head = await asyncio.to_thread(connection.recv, 65536)
                with pytest.raises(OutcomeUnknown):
                    await asking
                await client.aclose()
                return head

            head = asyncio.run(received())
        assert b"sk-of-the-environment" not in head
        assert b"none" in head

    def test_without_key_and_address_nothing_is_sent(self) -> None:
        """The vendor asks for a key, so there is none to ask with."""
        with pytest.raises(ModelRefused) as caught:
            asyncio.run(self.ask(self.call("hi"), False, self.adapter(None, None)))
        assert caught.value.error is ErrorKind.AUTH


class OpenAIContract(VendorClientContract):
    """Chat Completions."""

    def url(self) -> str:
        return self.simulator.openai_url

    def model(self) -> ModelConfig:
        return model(ModelProvider.OPENAI, "gpt-4o-mini")

    def test_log_probabilities_come_where_the_model_has_them(self, streamed: bool) -> None:
        """Natural logarithms, one a token; not asked for elsewhere."""
        assert self.answer(self.call("What is Python?"), streamed).logprobs is None
        known = model(ModelProvider.OPENAI, "gpt-4o-mini", features=EVERY_REQUEST_FEATURE | {Feature.LOGPROBS})
        call = self.call("What is Python?")
        told = self.answer(
            type(call)(model=known, request=call.request, max_output_tokens=99, timeout=5), streamed
        ).logprobs
        assert told
        assert all(value <= 0 for value in told)


class AnthropicContract(VendorClientContract):
    """Messages."""

    def url(self) -> str:
        return self.simulator.anthropic_url

    def model(self) -> ModelConfig:
        return model(ModelProvider.ANTHROPIC, "claude-haiku-3.5", api_id="claude-3-5-haiku-20241022")


class TestOpenAIClient(OpenAIContract):
    """Through the SDK."""

    adapter = OpenAIClient


class TestLeanOpenAIClient(OpenAIContract):
    """Over aiohttp alone."""

    adapter = LeanOpenAIClient


class TestAnthropicClient(AnthropicContract):
    """Through the SDK."""

    adapter = AnthropicClient


class TestLeanAnthropicClient(AnthropicContract):
    """Over aiohttp alone."""

    adapter = LeanAnthropicClient
