"""The lean clients tell what the SDK adapters tell, of every reply: the one is held against the other."""

import asyncio
import json
import zlib
from dataclasses import asdict, replace
from email.utils import formatdate
from functools import partial
from typing import Any

import pytest

from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.domain.catalogue import EVERY_REQUEST_FEATURE, Feature, ModelProvider
from model_orchestrator.domain.errors import ModelError
from model_orchestrator.domain.request import (
    ImagePart,
    Parameters,
    Request,
    ResponseFormat,
    Role,
    TextPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    ToolUse,
    prompt_request,
)
from model_orchestrator.infrastructure.providers.anthropic_client import AnthropicClient
from model_orchestrator.infrastructure.providers.lean_client import LeanAnthropicClient, LeanOpenAIClient
from model_orchestrator.infrastructure.providers.openai_client import OpenAIClient
from model_orchestrator.infrastructure.providers.vendor_client import VendorClient
from model_orchestrator.infrastructure.simulate.faults import Fault
from tests.canned_upstream import CannedUpstream, canned_upstream, http
from tests.contracts.model_client import PNG, WEATHER, model, said, user
from tests.simulator import RunningSimulator

KEY = "sk-secret-key-of-the-test"
SDK: dict[ModelProvider, type[VendorClient]] = {
    ModelProvider.OPENAI: OpenAIClient,
    ModelProvider.ANTHROPIC: AnthropicClient,
}
LEAN: dict[ModelProvider, type[VendorClient]] = {
    ModelProvider.OPENAI: LeanOpenAIClient,
    ModelProvider.ANTHROPIC: LeanAnthropicClient,
}
VENDORS = pytest.mark.parametrize("vendor", list(ModelProvider), ids=str)
FORMS = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
Told = dict[str, Any]


def asked(vendor: ModelProvider, request: Request | None = None, *, timeout: float = 5, **changes: Any) -> ModelCall:
    """A call of one of the vendor's models."""
    return ModelCall(
        model=model(vendor, "m", **changes),
        request=request or prompt_request("What is Python?"),
        max_output_tokens=300,
        timeout=timeout,
    )


async def told(client: VendorClient, call: ModelCall, streamed: bool) -> tuple[Told, list[str]]:
    """What the client says of the call, field by field, and the deltas: an answer's first token only as there or not.

    The detail of an error counts where it holds the provider's words.
    """
    deltas: list[str] = []
    try:
        answer: Answer = await client.complete(call, deltas.append if streamed else None)
    except ModelError as error:
        fields = {"class": type(error).__name__, **vars(error)}
        fields["detail"] = fields["detail"] if str(fields["detail"])[:1] in '{["' else None
        return fields, deltas
    finally:
        await client.aclose()
    return {**asdict(replace(answer, first_token=None)), "first": answer.first_token is not None}, deltas


def address(vendor: ModelProvider, simulator: RunningSimulator) -> str:
    """Where the simulator serves the vendor's protocol."""
    return simulator.openai_url if vendor is ModelProvider.OPENAI else simulator.anthropic_url


@FORMS
@VENDORS
@pytest.mark.parametrize("fault", [None, *Fault], ids=str)
def test_every_fault_is_told_alike(
    fault: Fault | None, vendor: ModelProvider, streamed: bool, simulator: RunningSimulator
) -> None:
    """Answer or error, field by field; request ids are the server's count, and differ."""

    async def both() -> list[tuple[Told, list[str]]]:
        call = asked(vendor, timeout=0.4 if fault is Fault.TIME_OUT else 5)
        results = []
        for kind in (SDK[vendor], LEAN[vendor]):
            if fault is not None:
                simulator.fail(fault)
            results.append(await told(kind(KEY, address(vendor, simulator)), call, streamed))
        return results

    (sdk, sdk_deltas), (lean, lean_deltas) = asyncio.run(both())
    sdk_id, lean_id = sdk.pop("provider_request_id"), lean.pop("provider_request_id")
    assert lean == sdk
    assert lean_deltas == sdk_deltas
    assert sdk_id is None or lean_id is not None


ANSWER = {
    "id": "chatcmpl-1",
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Grüße, 世界 🎉"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
}
PLAIN = json.dumps(ANSWER).encode()
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "content": [{"type": "text", "text": "Grüße, 世界 🎉"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 7},
}
ERROR = b'{"type": "error", "error": {"type": "invalid_request_error", "message": "no", "code": "x"}}'


def sse(*events: Any, ends: str = "\n") -> bytes:
    """Events, each with its type as its name where it has one."""
    lines = []
    for event in events:
        name = event.get("type") if isinstance(event, dict) else None
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        lines += [*([f"event: {name}"] if name else []), f"data: {data}", ""]
    return (ends.join(lines) + ends).encode()


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    """One chunk of a Chat Completions stream."""
    return {"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


USAGE = {"id": "c1", "model": "m-1", "choices": [], "usage": ANSWER["usage"]}
START = {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße, 世界 🎉"}}
STOPPED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
STREAMS = {
    ModelProvider.OPENAI: (chunk("Grüße, "), chunk("世界 🎉"), chunk("", "stop"), USAGE, "[DONE]"),
    ModelProvider.ANTHROPIC: (
        START,
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        DELTA,
        {"type": "content_block_stop", "index": 0},
        {"type": "something_new", "x": 1},
        STOPPED,
        {"type": "message_stop"},
    ),
}


def whole(vendor: ModelProvider, **changes: Any) -> bytes:
    """A whole answer of the vendor, with other fields."""
    return json.dumps({**(ANSWER if vendor is ModelProvider.OPENAI else MESSAGE), **changes}).encode()


def zipped(body: bytes) -> bytes:
    """The body in gzip."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(body) + packer.flush()


def replies(vendor: ModelProvider) -> dict[str, list[bytes]]:
    """Replies that servers, gateways and broken networks send."""
    good, stream = whole(vendor), sse(*STREAMS[vendor])
    streaming = partial(http, kind="text/event-stream")
    statuses = {f"status {status}": http(ERROR, status=status) for status in (301, 303, 402, 408, 409, 418, 502, 503)}
    waits = ("7", "0.5", "-3", "soon", "inf", formatdate(4_000_000_000, usegmt=True))
    limited = {f"wait {wait}": http(ERROR, status=429, headers=f"retry-after: {wait}\r\n") for wait in waits}
    return {
        **statuses,
        **limited,
        "wait in milliseconds": http(ERROR, status=429, headers="Retry-After-MS: 1500\r\nRetry-After: 9\r\n"),
        "an error that is a page": http(b"<html>Bad gateway</html>\n", status=502, kind="text/html"),
        "an error that says nothing": http(b"", status=500),
        "an error that is a list": http(b'["no"]', status=400),
        "an error that is a text in JSON": http(b'{"error": "no such model"}', status=404),
        "an error in another encoding": http(b"\xff\xfe caf\xe9", status=400, kind="text/plain"),
        "ids in other words": http(good, headers="Request-Id: r-1\r\nx-request-id: r-2\r\n"),
        "another kind of content": http(good, kind="text/plain"),
        "no kind of content": http(good, kind=""),
        "content with a charset": http(good, kind="application/json; charset=utf-8"),
        "zipped": http(zipped(good), headers="content-encoding: gzip\r\n"),
        "badly zipped": http(b"\x1f\x8bnonsense", headers="content-encoding: gzip\r\n"),
        "in chunks": http([good[:30], good[30:31], good[31:]]),
        "cut": [http(good)[0], good[:30]],
        "cut in chunks": http([good[:30]])[:-1],
        "a bad chunk": [http([good])[0], b"zz\r\n"],
        "no HTTP": [b"SSH-2.0-x\r\n\r\n"],
        "only a head": [b"HTTP/1.1 200 OK\r\n"],
        "not modified": [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
        "empty": http(b""),
        "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
        "null": http(b"null"),
        "a list": http(b"[1]"),
        "a text": http(b'"text"'),
        "a number": http(b"7"),
        "no UTF-8": http(good.replace(b"m-1", b"m-\xff")),
        "a mark first": http(b"\xef\xbb\xbf" + good),
        "UTF-16": http(good.decode().encode("utf-16")),
        "half a surrogate pair": http(good.replace(b"m-1", b"m-\\ud800")),
        "not a number": http(good.replace(b" 5,", b" NaN,")),
        "more than there should be": http(good + b"}"),
        "deep": http(b"[" * 100_000 + b"]" * 100_000),
        "a large number": http(good.replace(b" 5,", b" 1" + b"0" * 30 + b",")),
        "an object of another shape": http(b'{"choices": {}, "content": {}}'),
        "null where a list was": http(whole(vendor, choices=None, content=None)),
        "fields nobody knows": http(whole(vendor, new={"a": [1, None, 0.5]}, created="yesterday")),
        "usage of another shape": http(whole(vendor, usage={"prompt_tokens": "5", "input_tokens": None, "x": 1.5})),
        "an error with status 200": http(ERROR),
        "stream": streaming([stream]),
        "stream byte by byte": streaming([stream[at : at + 1] for at in range(len(stream))]),
        "stream with CRLF": streaming([sse(*STREAMS[vendor], ends="\r\n")]),
        "stream with comments": streaming([b": hi\n\n" + stream.replace(b"data:", b": still here\ndata:")]),
        "stream without its last empty line": streaming([stream[:-1]]),
        "stream without a space": streaming([stream.replace(b"data: ", b"data:")]),
        "stream zipped": streaming([zipped(stream)], headers="content-encoding: gzip\r\n"),
        "stream with ids": streaming([stream.replace(b"data:", b"id: 7\nretry: 10\nx\ndata:")]),
        "stream of no UTF-8": streaming([stream.replace(b"m-1", b"m-\xff")]),
        "stream of no JSON": streaming([b"event: x\ndata: {oops\n\n"]),
        "stream of another JSON": streaming([b"event: x\ndata: [1]\n\n"]),
        "stream cut after its end": streaming([stream])[:-1],
        "stream without names": streaming([stream.replace(b"event: ", b"e: ")]),
        "stream as one JSON": http(good),
        "stream with an error": streaming([b'event: error\ndata: {"error": {"type": "overloaded_error"}}\n\n']),
        "stream with an error as a text": streaming([b'event: error\ndata: {"error": "no"}\n\n']),
        "stream with an error that is no JSON": streaming([b"event: error\ndata: oops\n\n"]),
    }


REQUESTS: dict[str, Request] = {
    "a prompt": prompt_request("Grüße, 世界 🎉", system="Be brief."),
    "sampling": prompt_request("hi", parameters=Parameters(temperature=0.1, top_p=1.0, stop=("END",))),
    "a schema": prompt_request(
        "hi", parameters=Parameters(response_format=ResponseFormat(name="n", json_schema={"type": "object"}))
    ),
    "tools": Request(
        messages=(user("hi"),),
        parameters=Parameters(
            tools=(replace(WEATHER, strict=True),),
            tool_choice=ToolChoice(use=ToolUse.REQUIRED),
            parallel_tool_calls=False,
        ),
    ),
    "a conversation": Request(
        messages=(
            said(Role.SYSTEM, TextPart(text="one"), TextPart(text="two")),
            said(
                Role.USER,
                TextPart(text="look"),
                ImagePart(data=PNG, media_type="image/png"),
                ImagePart(url="https://x.invalid/y.png"),
            ),
            said(Role.ASSISTANT, TextPart(text="hm"), ToolCallPart(id="c1", name="weather", arguments='{"a": 1.5}')),
            said(Role.TOOL, ToolResultPart(call_id="c1", text="12 degrees")),
        )
    ),
}
OWN = {
    ModelProvider.OPENAI: {"seed": prompt_request("hi", parameters=Parameters(seed=7, temperature=2.0))},
    ModelProvider.ANTHROPIC: {"top_k": prompt_request("hi", parameters=Parameters(top_k=5, temperature=0.0))},
}
MATTER = ("authorization", "x-api-key", "anthropic-version", "content-type", "accept")


def sent(upstream: CannedUpstream) -> tuple[str, dict[str, str], Any]:
    """Path, headers that matter, body."""
    (request,) = upstream.requests
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return first, {name: headers[name] for name in MATTER if name in headers}, json.loads(body)


@FORMS
@VENDORS
@pytest.mark.parametrize("key", [KEY, None], ids=["key", "no key"])
def test_every_request_is_sent_alike(vendor: ModelProvider, streamed: bool, key: str | None) -> None:
    """Path, body, and the headers that a server decides by."""

    async def both(call: ModelCall) -> list[tuple[str, dict[str, str], Any]]:
        requests = []
        for kind in (SDK[vendor], LEAN[vendor]):
            async with canned_upstream(http(whole(vendor)), closes=True) as upstream:
                await told(kind(key, upstream.address + "/of/mine/"), call, streamed)
                requests.append(sent(upstream))
        return requests

    features = EVERY_REQUEST_FEATURE | ({Feature.LOGPROBS} if vendor is ModelProvider.OPENAI else set())
    for name, request in (REQUESTS | OWN[vendor]).items():
        sdk, lean = asyncio.run(both(asked(vendor, request, features=features)))
        assert lean == sdk, name
        assert ("stream" in lean[2]) == streamed


@FORMS
@VENDORS
@pytest.mark.parametrize("name", list(replies(ModelProvider.OPENAI)))
def test_every_odd_reply_is_told_alike(name: str, vendor: ModelProvider, streamed: bool) -> None:
    """What is no JSON, no HTTP, zipped, cut, in other words or in another encoding."""

    async def both() -> list[tuple[Told, list[str]]]:
        results = []
        for kind in (SDK[vendor], LEAN[vendor]):
            async with canned_upstream(replies(vendor)[name], closes=True) as upstream:
                client = kind(KEY, upstream.address)
                results.append(await told(client, asked(vendor), streamed))
                assert len(upstream.requests) == 1
        return results

    (sdk, sdk_deltas), (lean, lean_deltas) = asyncio.run(both())
    if sdk["provider_request_id"] is None:
        lean["provider_request_id"] = None  # of an error inside a stream OpenAI's SDK tells no id
    for one in (sdk, lean):
        one.update({"retry_after": round(one["retry_after"], -1)} if one.get("retry_after") else {})
    assert lean == sdk
    assert lean_deltas == sdk_deltas
