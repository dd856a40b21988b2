"""What one call costs each adapter in CPU time, the provider being another process. Run: make bench."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import uvloop

from model_orchestrator.application.ports import DeltaSink, ModelCall
from model_orchestrator.domain.catalogue import ModelCapability, ModelConfig, ModelProvider
from model_orchestrator.domain.request import prompt_request
from model_orchestrator.infrastructure.providers.anthropic_client import AnthropicClient
from model_orchestrator.infrastructure.providers.lean_client import LeanAnthropicClient, LeanOpenAIClient
from model_orchestrator.infrastructure.providers.openai_client import OpenAIClient
from model_orchestrator.infrastructure.providers.vendor_client import VendorClient

CALLS = 200
ROUNDS = 5  # of which the middle one counts: another process may have had the core
PROMPT = "What is Python?"
MOST = 34  # output tokens, which makes about that many pieces
ADAPTERS: dict[ModelProvider, tuple[type[VendorClient], type[VendorClient]]] = {
    ModelProvider.OPENAI: (OpenAIClient, LeanOpenAIClient),
    ModelProvider.ANTHROPIC: (AnthropicClient, LeanAnthropicClient),
}
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def call_of(vendor: ModelProvider) -> ModelCall:
    """A call of one of its models."""
    model = ModelConfig("m", vendor, capabilities=[ModelCapability.BASIC])
    return ModelCall(model=model, request=prompt_request(PROMPT), max_output_tokens=MOST, timeout=30)


async def cpu_of_one_call(client: VendorClient, call: ModelCall, sink: DeltaSink | None) -> float:
    """CPU milliseconds of this process, one call after the other."""
    await client.complete(call, sink)
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            await client.complete(call, sink)
        rounds.append((time.process_time() - started) / CALLS * 1000)
    await client.aclose()
    return statistics.median(rounds)


def main() -> None:
    """Print each adapter's cost of a call, whole and streamed, and the ratio."""
    command = [sys.executable, "-m", "model_orchestrator", "simulate"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        try:
            print(f"CPU of one call, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
            for (vendor, adapters), (name, loop), streamed in (
                (adapter, loop, streamed)
                for adapter in ADAPTERS.items()
                for loop in LOOPS.items()
                for streamed in (False, True)
            ):
                url = f"{address}/v1" if vendor is ModelProvider.OPENAI else address
                pieces: list[str] = []
                sink = pieces.append if streamed else None
                costs = []
                for adapter in adapters:
                    with asyncio.Runner(loop_factory=loop) as runner:
                        costs.append(runner.run(cpu_of_one_call(adapter("k", url), call_of(vendor), sink)))
                form = f"{len(pieces) // (2 * (CALLS * ROUNDS + 1))} pieces" if streamed else "whole"
                sdk, lean = costs
                print(f"{vendor:<10}{name:<8}{form:<10}SDK {sdk:6.2f} ms  lean {lean:6.3f} ms   x {sdk / lean:.1f}")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
