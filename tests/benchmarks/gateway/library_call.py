"""What one call costs in a library, in this process: `python library_call.py LIBRARY UPSTREAM FOLDER` prints JSON.

It runs in the environment that has the library, so it imports nothing else of the project. `ours` is durable: a log in
FOLDER, two commits a call.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

MODEL = "gpt-4o-mini"
MESSAGES = [
    {"role": "system", "content": "You are a concise assistant for an engineering team."},
    {"role": "user", "content": "Explain event sourcing in two sentences and name one cost."},
]
OUTPUT_TOKENS = 48  # which the upstream bills
WARM_UP, CALLS, AT_ONCE = 50, 300, 32

Call = Callable[[], Awaitable[int]]  # one call; its output tokens


def ours(upstream: str, folder: Path) -> Call:
    """A run of one model, recorded."""
    settings_file = folder / "library.toml"
    model = f'[models.{MODEL}]\nbase_url = "{upstream}/v1"\nrpm = 10_000_000\n'
    settings_file.write_text(f'provider = "live"\ncatalogue = "seed"\nlog_level = "error"\n{model}')
    library: Any = importlib.import_module("model_orchestrator")
    settings = library.Settings.load(settings_file, env={}, database_url=f"sqlite:///{folder / 'library.db'}")
    orchestrator = library.Orchestrator(settings)

    async def call() -> int:
        result = await orchestrator.run(messages=MESSAGES, model=MODEL, temperature=0.2, max_tokens=64)
        return int(result.output_tokens)

    return call


def openai(upstream: str, folder: Path) -> Call:
    """The bare SDK."""
    library: Any = importlib.import_module("openai")
    client = library.AsyncOpenAI(base_url=f"{upstream}/v1", api_key="sk-upstream", max_retries=0)

    async def call() -> int:
        reply = await client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0.2, max_tokens=64)
        return int(reply.usage.completion_tokens)

    return call


def litellm(upstream: str, folder: Path) -> Call:
    """Its function for one model."""
    library: Any = importlib.import_module("litellm")
    library.telemetry = False
    address = {"api_base": f"{upstream}/v1", "api_key": "sk-upstream", "num_retries": 0}

    async def call() -> int:
        asked = {"model": f"openai/{MODEL}", "messages": MESSAGES, "temperature": 0.2, "max_tokens": 64}
        reply = await library.acompletion(**asked, **address)
        return int(reply.usage.completion_tokens)

    return call


LIBRARIES = {"ours": ours, "openai": openai, "litellm": litellm}


async def measured(make: Callable[[], Call]) -> dict[str, float]:
    """One call after the other, then many at once."""
    call = make()
    for _ in range(WARM_UP):
        assert await call() == OUTPUT_TOKENS
    latencies = []
    used = time.process_time()
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        latencies.append(time.perf_counter() - began)
    used = time.process_time() - used
    await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    calls = iter(range(CALLS * 4))

    async def worker() -> None:
        for _ in calls:
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return {
        "p50_ms": statistics.median(latencies) * 1000,
        "cpu_ms": used / CALLS * 1000,
        "calls_a_second": CALLS * 4 / (time.perf_counter() - began),
    }


def main(library: str, upstream: str, folder: str) -> None:
    """Print the figures."""
    os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR")  # else its import asks the internet
    began = time.perf_counter()
    make = LIBRARIES[library]
    importlib.import_module({"ours": "model_orchestrator.infrastructure.bootstrap"}.get(library, library))
    imported = time.perf_counter() - began
    figures = asyncio.run(measured(lambda: make(upstream, Path(folder))))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"import_s": imported, **figures, "peak_mb": memory}), flush=True)
    os._exit(0)  # some libraries leave threads behind


if __name__ == "__main__":
    main(*sys.argv[1:])
