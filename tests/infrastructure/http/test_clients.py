"""Clients that people have, unchanged, against the service: the official SDKs and the `llm` command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from model_orchestrator.infrastructure.settings import Settings

from ...running_service import RunningService, running_service

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
QUESTION = "What is Python?"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    settings = Settings.load(env={}, database_url=f"sqlite:///{tmp_path}/runs.db", provider="simulated")
    with running_service(settings) as running:
        yield running


@pytest.fixture
def gpt(service: RunningService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.address}/v1", api_key="whatever") as client:
        yield client


@pytest.fixture
def claude(service: RunningService) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=service.address, api_key="whatever") as client:
        yield client


def orchestration(of: Any) -> dict[str, Any]:
    """The object beside the protocol's own fields, which the SDKs keep."""
    found: dict[str, Any] = of.model_extra["orchestration"]
    return found


@pytest.mark.parametrize("model", ["cheapest", "fallback", "ensemble", "auto", "gpt-4o", "learned"])
def test_openai_completes(gpt: openai.OpenAI, model: str) -> None:
    done = gpt.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}])
    assert "Python" in (done.choices[0].message.content or "")
    assert done.usage is not None
    assert done.usage.total_tokens > 0
    assert orchestration(done)["money"] == "simulated"
    assert orchestration(done)["run_id"].startswith("run-")


@pytest.mark.parametrize("model", ["cheapest", "fallback", "ensemble"])
def test_openai_streams(gpt: openai.OpenAI, model: str) -> None:
    pieces = list(
        gpt.chat.completions.create(
            model=model, messages=[{"role": "user", "content": QUESTION}], stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    text = "".join(choice.delta.content or "" for piece in pieces for choice in piece.choices)
    assert "Python" in text
    assert pieces[-1].usage is not None
    assert [choice.finish_reason for piece in pieces for choice in piece.choices][-1] == "stop"


def test_openai_calls_a_tool_and_takes_its_result(gpt: openai.OpenAI) -> None:
    """In one piece, streamed, and back again."""
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
    asked: Any = {
        "model": "gpt-4o", "messages": [{"role": "user", "content": "What is the weather in Oslo?"}],
        "tools": tools, "tool_choice": "required",
    }  # fmt: skip
    message = gpt.chat.completions.create(**asked).choices[0].message
    assert message.tool_calls is not None
    call: Any = message.tool_calls[0]
    assert call.function.name == "weather"
    assert isinstance(json.loads(call.function.arguments), dict)
    with gpt.chat.completions.stream(**asked) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert streamed.finish_reason == "tool_calls"
    streamed_call: Any = (streamed.message.tool_calls or [])[0]
    assert streamed_call.function.arguments == call.function.arguments
    result = {"role": "tool", "tool_call_id": call.id, "content": "12 degrees and rain"}
    messages: Any = [*asked["messages"], message.to_dict(), result]
    answered = gpt.chat.completions.create(model="gpt-4o", messages=messages, tools=tools)
    assert answered.choices[0].message.content


def test_anthropic_completes_and_streams(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": "fallback", "max_tokens": 200, "messages": [{"role": "user", "content": QUESTION}]}
    done = claude.messages.create(**asked)
    assert done.content[0].type == "text"
    assert "Python" in done.content[0].text
    assert done.usage.output_tokens > 0
    assert orchestration(done)["strategy"] == "fallback"
    with claude.messages.stream(**asked) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "Python" in text
    assert final.stop_reason == "end_turn"


def test_anthropic_calls_a_tool_and_takes_its_result(claude: anthropic.Anthropic) -> None:
    asked: Any = {
        "model": "claude-sonnet-3.5", "max_tokens": 200, "tools": [{"name": "weather", "input_schema": TOOL}],
        "tool_choice": {"type": "any"}, "messages": [{"role": "user", "content": "What is the weather in Oslo?"}],
    }  # fmt: skip
    done = claude.messages.create(**asked)
    call: Any = next(block for block in done.content if block.type == "tool_use")
    assert done.stop_reason == "tool_use"
    assert call.name == "weather"
    with claude.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == [block.type for block in done.content]
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]}
    messages: Any = [*asked["messages"], {"role": "assistant", "content": done.to_dict()["content"]}, result]
    answered = claude.messages.create(**{**asked, "messages": messages, "tool_choice": {"type": "auto"}})
    assert answered.content[0].type == "text"


def test_errors_are_the_sdks_own(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """Each with its status, and none is tried again by itself."""
    messages: Any = [{"role": "user", "content": QUESTION}]
    with pytest.raises(openai.NotFoundError, match="gpt-4o-mini"):
        gpt.chat.completions.create(model="gpt-4o-minni", messages=messages)
    with pytest.raises(openai.BadRequestError, match="temperature"):
        gpt.chat.completions.create(model="cheapest", messages=messages, temperature=9)
    with pytest.raises(openai.APIStatusError) as refused:
        gpt.chat.completions.create(
            model="cheapest", messages=messages, extra_body={"orchestration": {"max_cost": "0.00000001"}}
        )
    assert refused.value.status_code == 402
    assert {"limit", "held", "needed", "would_fit"} <= set(refused.value.body["orchestration"])  # type: ignore[index]
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="nothing", max_tokens=10, messages=messages)
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        claude.messages.create(model="cheapest", max_tokens=0, messages=messages)


def test_models_are_listed_as_both_vendors_do(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    names = {model.id for model in gpt.models.list()}
    assert {"cheapest", "fallback", "ensemble", "auto", "gpt-4o-mini"} <= names
    assert {model.id for model in claude.models.list()} == names


def test_the_llm_command_line_prompts_and_streams(service: RunningService, tmp_path: Path) -> None:
    """With a model of its own settings file that names the service as its address."""
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: orchestrator\n  model_name: cheapest\n  api_base: {service.address}/v1\n"
    )
    env = {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "whatever"}
    for options in ([], ["--no-stream"]):
        done = subprocess.run(
            [sys.executable, "-m", "llm", "-m", "orchestrator", "--no-log", *options, QUESTION],
            env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Python" in done.stdout
