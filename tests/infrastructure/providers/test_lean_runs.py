"""Whole runs over either transport leave the same events, but for ids, times and hashes."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.errors import OrchestratorError
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.providers.lean_client import LeanAnthropicClient, LeanOpenAIClient
from model_orchestrator.infrastructure.settings import TRANSPORTS, Settings
from model_orchestrator.infrastructure.simulate.faults import Fault
from tests.cli.command import logged
from tests.simulator import RunningSimulator

KEY = "sk-secret-key-of-the-test"
CHAIN = ("gpt-4o-mini", "claude-haiku-3.5", "gpt-4")
# The server's count, and times as they were measured; of these only whether they are there.
RANDOM = re.compile("m-[0-9a-f]{40}")  # what a request's text calls its messages
DIFFERENT = {"provider_request_id", "latency", "first_token", "deadline"}


def settings_of(transport: str, folder: Path, simulator: RunningSimulator) -> Settings:
    """Live calls to the simulator over one transport, into a log of its own."""
    env = {
        "OPENAI_BASE_URL": simulator.openai_url,
        "ANTHROPIC_BASE_URL": simulator.anthropic_url,
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_API_KEY": KEY,
        "MODEL_ORCHESTRATOR_TRANSPORT": transport,
    }
    database = f"sqlite:///{folder / transport}.db"
    return Settings.load(env=env, database_url=database, catalogue="seed", provider="live")


def comparable(value: Any, texts: dict[str, str]) -> Any:
    """A payload without what differs from run to run, and with texts in the place of their references."""
    if isinstance(value, dict) and set(value) == {"id", "digest"}:
        return read(RANDOM.sub("(reference)", texts.get(value["id"], "(gone)")))
    if isinstance(value, dict):
        return {name: one is not None if name in DIFFERENT else comparable(one, texts) for name, one in value.items()}
    return [comparable(one, texts) for one in value] if isinstance(value, list) else value


def read(text: str) -> Any:
    """JSON as what it says, in whatever order of fields; any other text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def references(value: Any) -> list[str]:
    """The ids of the texts that a payload refers to."""
    if isinstance(value, dict):
        own = [value["id"]] if set(value) == {"id", "digest"} else []
        return own + [ref for one in value.values() for ref in references(one)]
    return [ref for one in value for ref in references(one)] if isinstance(value, list) else []


async def events_of(settings: Settings, streamed: bool, timeout: float) -> list[tuple[str, Any]]:
    """The events of one run of the chain, in order."""
    deltas: list[str] = []
    async with Orchestrator(settings) as orchestrator:
        try:
            await orchestrator.run(
                "What is Python?",
                on_delta=deltas.append if streamed else None,
                strategy="fallback",
                chain=CHAIN,
                threshold=0.0,
                max_attempts=1,
                on_unknown="retry",
                timeout=timeout,
            )
        except OrchestratorError as error:
            deltas.append(type(error).__name__)
    run = await logged(settings.database_url)
    payloads = [json.loads(one.envelope.payload) for one in run.events]
    async with Orchestrator(settings) as orchestrator:
        contents = await orchestrator.store.contents([ref for payload in payloads for ref in references(payload)])
    texts = {ref: content.body for ref, content in contents.items()}
    events = [
        (one.envelope.type, comparable(payload, texts)) for one, payload in zip(run.events, payloads, strict=True)
    ]
    return [*events, ("shown", "".join(deltas))]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("fault", [None, *Fault], ids=str)
def test_a_run_leaves_the_same_events(
    fault: Fault | None, streamed: bool, tmp_path: Path, simulator: RunningSimulator
) -> None:
    """The first two models of the chain, one of each vendor, meet the fault; the third answers if it has to."""
    told = []
    for transport in ("sdk", "lean"):
        if fault is not None:
            for name in ("gpt-4o-mini", "claude-3-5-haiku-20241022"):
                simulator.fail(fault, model=name, retry_after="0.01" if fault is Fault.RATE_LIMIT else None)
        settings = settings_of(transport, tmp_path, simulator)
        told.append(asyncio.run(events_of(settings, streamed, 0.6 if fault is Fault.TIME_OUT else 20)))
        simulator.clear()
    sdk, lean = told
    assert [kind for kind, _ in lean] == [kind for kind, _ in sdk]
    for (_, here), (_, there) in zip(lean, sdk, strict=True):
        assert here == there


def test_the_lean_transport_is_used_unless_the_sdks_are_asked_for(tmp_path: Path, simulator: RunningSimulator) -> None:
    """By the setting, for both vendors."""
    kinds = {}
    for transport in TRANSPORTS:
        orchestrator = Orchestrator(settings_of(transport, tmp_path, simulator))
        world = orchestrator._worlds.world(None)
        kinds[transport] = {type(world.client_for(one)) for one in world.usable}
    assert kinds["lean"] == {LeanOpenAIClient, LeanAnthropicClient}
    assert {kind.__name__ for kind in kinds["sdk"]} == {"OpenAIClient", "AnthropicClient"}
    assert Settings.load(env={}).transport == "lean"
