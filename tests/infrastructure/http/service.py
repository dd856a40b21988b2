"""The wire protocols behind the vendors' own SDKs: a transport that answers with a simulated orchestrator."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import httpx2
import openai

from model_orchestrator import OrchestrationResult, Orchestrator, Settings
from model_orchestrator.domain.errors import OrchestratorError
from model_orchestrator.infrastructure.http.anthropic_wire import AnthropicWire
from model_orchestrator.infrastructure.http.failure import failure_of
from model_orchestrator.infrastructure.http.openai_wire import OpenAIWire
from model_orchestrator.infrastructure.http.wire import Asked, WireProtocol

CREATED = 1_764_000_000  # Unix seconds


class Service:
    """Answers requests of one protocol, and remembers what was asked and answered."""

    def __init__(self, wire: WireProtocol) -> None:
        self.wire = wire
        self.asked: Asked | None = None
        self.result: OrchestrationResult | None = None

    def __call__(self, sent: httpx2.Request) -> httpx2.Response:
        """The reply to one HTTP request."""
        try:
            asked = self.asked = self.wire.asked(sent.content)
            result, pieces = asyncio.run(_run(asked))
        except OrchestratorError as error:
            failure = failure_of(error)
            headers = {"content-type": "application/json"}
            return httpx2.Response(failure.status, content=self.wire.error(failure), headers=headers)
        self.result = result
        if not asked.stream:
            return httpx2.Response(200, content=self.wire.whole(result), headers={"content-type": "application/json"})
        return httpx2.Response(
            200, content=self.stream(asked, result, pieces), headers={"content-type": "text/event-stream"}
        )

    def stream(self, asked: Asked, result: OrchestrationResult, pieces: list[str]) -> bytes:
        """The answer as it would be streamed."""
        writer = self.wire.writer(asked)
        opening = writer.opening(run_id=result.run_id, model=result.model_used, created=CREATED)
        return b"".join([opening, *map(writer.delta, pieces), writer.closing(result)])


async def _run(asked: Asked) -> tuple[OrchestrationResult, list[str]]:
    pieces: list[str] = []
    options: dict[str, Any] = {"strategy": asked.model, **asked.options}
    async with Orchestrator(Settings(provider="simulated")) as orchestrator:
        result = await orchestrator.run(asked.request, on_delta=pieces.append, **options)
    return result, pieces


def openai_client() -> tuple[openai.OpenAI, Service]:
    """OpenAI's SDK against the service."""
    service = Service(OpenAIWire())
    http = httpx2.Client(transport=httpx2.MockTransport(service))
    return openai.OpenAI(api_key="k", base_url="http://service/v1", http_client=http, max_retries=0), service


def anthropic_client() -> tuple[anthropic.Anthropic, Service]:
    """Anthropic's SDK against the service."""
    service = Service(AnthropicWire())
    http = httpx2.Client(transport=httpx2.MockTransport(service))
    return anthropic.Anthropic(api_key="k", base_url="http://service", http_client=http, max_retries=0), service
