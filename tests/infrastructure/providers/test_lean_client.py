"""What a lean client keeps beside the contract: connections, loops, forks, proxies, TLS, headers and silence."""

import asyncio
import datetime
import gc
import ipaddress
import json
import logging
import os
import ssl
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from model_orchestrator import __version__
from model_orchestrator.application.ports import ModelCall
from model_orchestrator.domain.catalogue import ModelProvider
from model_orchestrator.domain.errors import ErrorKind, ModelRefused, ModelUnavailable, OutcomeUnknown
from model_orchestrator.domain.request import Request, prompt_request
from model_orchestrator.infrastructure.providers.lean_client import (
    LeanAnthropicClient,
    LeanClient,
    LeanOpenAIClient,
)
from tests.canned_upstream import CannedUpstream, canned_upstream, http
from tests.contracts.model_client import model
from tests.simulator import RunningSimulator

from .test_lean_and_sdk import PLAIN, STREAMS, sse

KEY = "sk-secret-key-of-the-test"
PROMPT = "a prompt that nobody else may read"
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _no_warning(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No resource is left open, and nothing is logged about one."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
        gc.collect()
    left = [str(one.message) for one in said if issubclass(one.category, ResourceWarning | DeprecationWarning)]
    ours = ("lient", "onnect", "transport", "large body")
    assert not [text for text in left if any(word in text for word in ours)], left
    assert "Unclosed" not in caplog.text


def asked(request: Request | str = PROMPT, vendor: ModelProvider = ModelProvider.OPENAI) -> ModelCall:
    """A call."""
    request = prompt_request(request) if isinstance(request, str) else request
    return ModelCall(model=model(vendor, "m"), request=request, max_output_tokens=300, timeout=10)


# ---- connections ----


@LOOPS
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_connection_is_kept_for_the_next_call(loop: Loop, streamed: bool) -> None:
    """Also after a stream: what follows its last event is read."""

    async def connections() -> int:
        reply = http([sse(*STREAMS[ModelProvider.OPENAI])], kind="text/event-stream") if streamed else http(PLAIN)
        async with canned_upstream(reply) as upstream:
            client = LeanOpenAIClient(KEY, upstream.address)
            deltas: list[str] = []
            for _ in range(3):
                await client.complete(asked(), deltas.append if streamed else None)
            await client.aclose()
            assert len(upstream.requests) == 3
            return upstream.connections

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(connections()) == 1


def test_a_kept_connection_that_the_server_closed_is_never_asked_twice() -> None:
    """Whether the request was taken is unknown, and a second one may be paid for; so it is not sent again."""

    async def ask() -> None:
        taken = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            for piece in (*http(PLAIN), b""):
                head = await reader.readuntil(b"\r\n\r\n") if piece.startswith(b"HTTP") or not piece else b""
                taken += bool(head)
                writer.write(piece)
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            client = LeanOpenAIClient(KEY, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await client.complete(asked())
            with pytest.raises(OutcomeUnknown) as caught:
                await client.complete(asked())
            await client.aclose()
        assert caught.value.error is ErrorKind.CUT
        assert taken == 2

    asyncio.run(ask())


def test_a_thousand_calls_at_once_have_a_thousand_connections() -> None:
    """None waits for another's end: the server answers when all have come."""

    async def ask() -> None:
        come, all_there = 0, asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal come
            await reader.readuntil(b"\r\n\r\n")
            come += 1
            if come == 1000:
                all_there.set()
            await all_there.wait()
            writer.writelines(http(PLAIN))
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000) as server:
            client = LeanOpenAIClient(KEY, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            call = ModelCall(
                model=model(ModelProvider.OPENAI, "m"), request=prompt_request("hi"), max_output_tokens=9, timeout=60
            )
            answers = await asyncio.gather(*(client.complete(call) for _ in range(1000)))
            await client.aclose()
        assert len(answers) == 1000

    asyncio.run(ask())


def test_no_cookie_is_kept() -> None:
    """Calls of one key have nothing to do with each other."""

    async def ask() -> CannedUpstream:
        async with canned_upstream(http(PLAIN, headers="set-cookie: session=1; Path=/\r\n")) as upstream:
            client = LeanOpenAIClient(KEY, upstream.address.replace("127.0.0.1", "localhost"))
            for _ in range(2):
                await client.complete(asked())
            await client.aclose()
            return upstream

    assert not [head for head in asyncio.run(ask()).heads if "cookie" in head]


def test_a_large_body_is_sent_whole() -> None:
    """Images, more than a megabyte."""

    async def ask() -> dict[str, Any]:
        async with canned_upstream(http(PLAIN)) as upstream:
            client = LeanOpenAIClient(KEY, upstream.address)
            await client.complete(asked("x" * 3_000_000))
            await client.aclose()
            sent: dict[str, Any] = json.loads(upstream.requests[0].partition(b"\r\n\r\n")[2])
            return sent

    assert len(asyncio.run(ask())["messages"][0]["content"]) == 3_000_000


def test_text_that_is_no_unicode_is_refused_before_it_is_sent() -> None:
    """Half a surrogate pair cannot be written."""

    async def ask() -> None:
        async with canned_upstream(http(PLAIN)) as upstream:
            client = LeanOpenAIClient(KEY, upstream.address)
            with pytest.raises(ModelRefused):
                await client.complete(asked("\ud800"))
            await client.aclose()
            assert upstream.requests == []

    asyncio.run(ask())


# ---- loops and forks ----


@LOOPS
def test_one_client_serves_loops_one_after_the_other(loop: Loop, simulator: RunningSimulator) -> None:
    """A connection belongs to its loop; the next loop opens its own, and closes what a closed one left."""
    client = LeanOpenAIClient(KEY, simulator.openai_url)
    for _ in range(3):
        with asyncio.Runner(loop_factory=loop) as runner:
            answer = runner.run(client.complete(asked()))
            assert answer.text
            runner.run(client.aclose())
    assert simulator.calls == 3


def test_what_a_closed_loop_left_open_is_closed_by_the_next() -> None:
    """Also where nobody closed the client before its loop."""
    code = """
import asyncio, gc, sys
from model_orchestrator.infrastructure.providers.lean_client import LeanOpenAIClient
from tests.canned_upstream import canned_upstream, http
from tests.infrastructure.providers.test_lean_client import PLAIN, asked
client = LeanOpenAIClient("k", None)
async def ask(close):
    async with canned_upstream(http(PLAIN)) as upstream:
        client._url = client._base_url = upstream.address
        await client.complete(asked())
        assert len(client._sessions) == 1, client._sessions
        if close: await client.aclose()
for close in (False, False, True):
    asyncio.run(ask(close))
del client
gc.collect()
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "done\n", done.stderr
    assert "Unclosed" not in done.stderr


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_fork_has_connections_of_its_own(loop: str, simulator: RunningSimulator) -> None:
    """The child asks, ends, and the parent's kept connection still works; neither says a word about the other's."""
    code = f"""
import asyncio, os, sys, uvloop
from model_orchestrator.infrastructure.providers.lean_client import LeanOpenAIClient
from tests.infrastructure.providers.test_lean_client import asked
factory = {loop}.new_event_loop
client = LeanOpenAIClient("k", {simulator.openai_url!r})
def kept(): return [len(c) for s in client._sessions.values() for c in s._connector._conns.values()]
runner = asyncio.Runner(loop_factory=factory)
runner.run(client.complete(asked()))
sys.stdout.flush()
child = os.fork()
if child == 0:
    asyncio._set_running_loop(None)
    with asyncio.Runner(loop_factory=factory) as own:
        own.run(client.complete(asked()))
        own.run(client.aclose())
    del client, runner
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
before = kept()
runner.run(client.complete(asked()))
assert before == kept() == [1], (before, kept())
runner.run(client.aclose())
runner.close()
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "done\n", done.stderr
    assert "Unclosed" not in done.stderr
    assert simulator.calls == 3


# ---- headers, logs, proxies, TLS ----


@pytest.mark.parametrize("kind", [LeanOpenAIClient, LeanAnthropicClient])
def test_the_headers_are_few_and_say_who_asks(kind: type[LeanClient]) -> None:
    """The key, the version of Anthropic's protocol, a name of our own."""
    vendor = ModelProvider.OPENAI if kind is LeanOpenAIClient else ModelProvider.ANTHROPIC

    async def head() -> str:
        async with canned_upstream(http(b"{}")) as upstream:
            client = kind(KEY, upstream.address + "/base/")
            with pytest.raises(OutcomeUnknown):
                await client.complete(asked(vendor=vendor))
            await client.aclose()
            return upstream.heads[0]

    first, *lines = asyncio.run(head()).split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert "gzip" in headers.pop("accept-encoding")
    assert int(headers.pop("content-length")) > 0
    assert headers.pop("host")
    own = {ModelProvider.OPENAI: {}, ModelProvider.ANTHROPIC: {"anthropic-version": "2026-10-21"}}
    assert headers == {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": f"model-orchestrator/{__version__}",
        "authorization": f"bearer {KEY}",
        **own[vendor],
    }
    path = "chat/completions" if vendor is ModelProvider.OPENAI else "v1/messages"
    assert first == f"post /base/{path} http/1.1"


def test_the_organization_goes_to_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says who pays; a server of one's own never sees it."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    at_vendor = LeanOpenAIClient(KEY, None)._headers({})
    assert (at_vendor["openai-organization"], at_vendor["openai-project"]) == ("org-1", "proj-1")
    assert not [name for name in LeanOpenAIClient(KEY, "http://localhost/v1")._headers({}) if "openai" in name]


def test_neither_key_nor_prompt_nor_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level, of every logger, also for replies that are off."""
    caplog.set_level(logging.DEBUG)
    for name in ("aiohttp.client", "aiohttp.internal", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    odd = "set-cookie: {the-answer}=1\r\nset-cookie: =;;\r\n"

    async def ask() -> None:
        for reply in (http(PLAIN, headers=odd), http(b'{"error": "the-answer"}', status=400), http(b"oops")[:1]):
            async with canned_upstream(reply, closes=True) as upstream:
                client = LeanOpenAIClient(KEY, upstream.address)
                await asyncio.gather(client.complete(asked()), return_exceptions=True)
                await client.aclose()

    asyncio.run(ask(), debug=True)
    for secret in (KEY, PROMPT, "the-answer", "Grüße"):
        assert secret not in caplog.text
    for name in ("aiohttp.client", "aiohttp.internal"):
        assert not logging.getLogger(name).isEnabledFor(logging.WARNING)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its password, for every host but those of NO_PROXY."""

    async def ask() -> tuple[CannedUpstream, CannedUpstream]:
        async with canned_upstream(http(PLAIN)) as proxy, canned_upstream(http(PLAIN)) as upstream:
            monkeypatch.setenv("HTTP_PROXY", proxy.address.replace("//", "//me:secret@"))
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            for address in ("http://upstream.invalid/v1", upstream.address):
                client = LeanOpenAIClient(KEY, address)
                await client.complete(asked())
                await client.complete(asked())
                await client.aclose()
            return proxy, upstream

    proxy, upstream = asyncio.run(ask())
    assert [head.partition("\r\n")[0] for head in proxy.heads] == [
        "post http://upstream.invalid/v1/chat/completions http/1.1"
    ] * 2
    assert all("proxy-authorization: basic bwu6c2vjcmv0" in head for head in proxy.heads)
    assert len(upstream.requests) == 2


def test_a_tunnel_that_the_proxy_refuses_is_unbilled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing reached the provider, and the key did not reach the proxy."""

    async def ask() -> CannedUpstream:
        async with canned_upstream(http(b"no", status=502), closes=True) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.address)
            client = LeanOpenAIClient(KEY, "https://upstream.invalid/v1")
            with pytest.raises(ModelUnavailable) as caught:
                await client.complete(asked())
            await client.aclose()
            assert caught.value.error is ErrorKind.CONNECTION
            return proxy

    (request,) = asyncio.run(ask()).requests
    assert request.startswith(b"CONNECT upstream.invalid:443 ")
    assert KEY.encode() not in request


@LOOPS
def test_the_key_goes_through_a_tunnel_and_not_to_the_proxy(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy hears where to, and the bytes it carries are encrypted."""
    carried: list[bytes] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            carried.append(data)
            writer.write(data)
        writer.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carried.append(head := await reader.readuntil(b"\r\n\r\n"))
        host, port = head.split()[1].decode().split(":")
        there, to = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(carry(reader, to), carry(there, writer), return_exceptions=True)

    async def ask(context: ssl.SSLContext, file: Path) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with canned_upstream(http(PLAIN), tls=context) as upstream:
            async with await asyncio.start_server(tunnel, "127.0.0.1", 0) as proxy:
                monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
                client = LeanOpenAIClient(KEY, upstream.address)
                for _ in range(2):
                    assert (await client.complete(asked())).text
                await client.aclose()
            assert upstream.connections == 1

    with certified(tmp_path) as (context, file), asyncio.Runner(loop_factory=loop) as runner:
        runner.run(ask(context, file))
    assert carried[0].startswith(b"CONNECT 127.0.0.1:")
    assert KEY.encode() not in b"".join(carried)


def test_a_proxy_that_cannot_be_spoken_to_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is refused rather than sent around it."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")

    async def ask() -> None:
        async with canned_upstream(http(PLAIN)) as upstream:
            client = LeanOpenAIClient(KEY, upstream.address)
            with pytest.raises(ModelRefused) as caught:
                await client.complete(asked())
            await client.aclose()
            assert "socks5" in str(caught.value.detail)
            assert "transport = sdk" in str(caught.value.detail)
            assert upstream.requests == []

    asyncio.run(ask())


@contextmanager
def certified(folder: Path) -> Iterator[tuple[ssl.SSLContext, Path]]:
    """A server's TLS for 127.0.0.1, and the certificate that signs it: its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, private)
    yield context, file


@LOOPS
def test_only_a_server_with_a_trusted_certificate_is_asked(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another gets nothing, not even the key; SSL_CERT_FILE says whom to trust."""

    async def ask(context: ssl.SSLContext, file: Path) -> None:
        async with canned_upstream(http(PLAIN), tls=context) as upstream:
            assert upstream.address.startswith("https:")
            client = LeanOpenAIClient(KEY, upstream.address)
            with pytest.raises(ModelUnavailable) as caught:
                await client.complete(asked())
            await client.aclose()
            assert caught.value.error is ErrorKind.CONNECTION
            assert "certificate" in str(caught.value.detail).lower()
            assert upstream.requests == []
            monkeypatch.setenv("SSL_CERT_FILE", str(file))
            trusting = LeanOpenAIClient(KEY, upstream.address)
            assert (await trusting.complete(asked())).text
            await trusting.aclose()

    with certified(tmp_path) as (context, file), asyncio.Runner(loop_factory=loop) as runner:
        runner.run(ask(context, file))


def test_a_reply_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is malformed, however it is asked for."""
    from model_orchestrator.infrastructure.providers import lean_client

    monkeypatch.setattr(lean_client, "LARGEST_REPLY", 10_000)

    async def ask(status: int) -> OutcomeUnknown:
        async with canned_upstream(http([b" " * 1000] * 50, status=status), closes=True) as upstream:
            client = LeanOpenAIClient(KEY, upstream.address)
            with pytest.raises(OutcomeUnknown) as caught:
                await client.complete(asked())
            await client.aclose()
            return caught.value

    assert asyncio.run(ask(200)).error is ErrorKind.MALFORMED
    assert asyncio.run(ask(500)).error is ErrorKind.MALFORMED


def test_a_call_without_a_time_out_waits_for_the_next_byte_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes in truth; a server that died is noticed."""
    import aiohttp

    from model_orchestrator.infrastructure.providers import lean_connections, wire

    assert lean_connections.UNBOUNDED.sock_read == wire.READ_TIMEOUT
    assert lean_connections.UNBOUNDED.sock_connect == lean_connections.BOUNDED.sock_connect == wire.CONNECT_TIMEOUT
    monkeypatch.setattr(lean_connections, "UNBOUNDED", aiohttp.ClientTimeout(total=None, sock_read=0.2))

    async def ask() -> None:
        async with canned_upstream([]) as upstream:
            client = LeanOpenAIClient(KEY, upstream.address)
            call = ModelCall(
                model=model(ModelProvider.OPENAI, "m"), request=prompt_request("hi"), max_output_tokens=9, timeout=None
            )
            with pytest.raises(OutcomeUnknown) as caught:
                await client.complete(call)
            await client.aclose()
        assert caught.value.error is ErrorKind.TIME_OUT

    asyncio.run(ask())


def test_the_first_call_imports_aiohttp_and_no_sdk(simulator: RunningSimulator) -> None:
    """The SDKs cost more to import than a run takes."""
    code = (
        "import asyncio, sys\n"
        "from model_orchestrator.infrastructure.providers.lean_client import LeanOpenAIClient\n"
        "from model_orchestrator.application.ports import ModelCall\n"
        "from model_orchestrator.domain.catalogue import ModelCapability, ModelConfig, ModelProvider\n"
        "from model_orchestrator.domain.request import prompt_request\n"
        "model = ModelConfig('m', ModelProvider.OPENAI, capabilities=[ModelCapability.BASIC])\n"
        f"client = LeanOpenAIClient('k', {simulator.openai_url!r})\n"
        "call = ModelCall(model=model, request=prompt_request('hi'), max_output_tokens=9, timeout=9)\n"
        "async def main():\n"
        "    await client.complete(call)\n"
        "    await client.aclose()\n"
        "asyncio.run(main())\n"
        "print(sorted({'openai', 'anthropic', 'httpx2', 'pydantic', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=dict(os.environ)
    )
    assert done.stdout.strip() == "['aiohttp']", done.stderr
