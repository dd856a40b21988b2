"""The parts of `make bench-gateway`: a provider that speaks both protocols, and a table that compares fairly."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

if sys.platform != "linux" or shutil.which("cc") is None:
    pytest.skip("the benchmark needs Linux and a C compiler", allow_module_level=True)

from .benchmarks.gateway.gateways import DIRECT, SQLITE
from .benchmarks.gateway.load import Load
from .benchmarks.gateway.measuring import CASES, STREAMS, Measured
from .benchmarks.gateway.table import broken, table
from .benchmarks.gateway.upstream import compiled, running_upstream

PIECES = 3


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_upstream(compiled(tmp_path_factory.mktemp("upstream")), latency_ms=1, pieces=PIECES) as address:
        yield address


def asked(address: str, **body: object) -> str:
    with urlopen(Request(address, json.dumps(body).encode()), timeout=30) as reply:
        return str(reply.read(), "utf-8")


def test_the_upstream_answers_both_protocols(upstream: str) -> None:
    openai = json.loads(asked(f"{upstream}/v1/chat/completions"))
    anthropic = json.loads(asked(f"{upstream}/v1/messages"))
    assert openai["choices"][0]["message"]["content"] == anthropic["content"][0]["text"]
    assert openai["usage"]["completion_tokens"] == anthropic["usage"]["output_tokens"] == 48


def test_the_upstream_streams_the_pieces_asked_for_and_ends_as_the_protocol_ends(upstream: str) -> None:
    openai = asked(f"{upstream}/v1/chat/completions", stream=True)
    assert openai.count(" event sourced") == PIECES
    assert openai.endswith("data: [DONE]\n\n")
    anthropic = asked(f"{upstream}/v1/messages", stream=True)
    assert anthropic.count(" event sourced") == PIECES
    assert anthropic.endswith('data: {"type":"message_stop"}\n\n')


def measured(*, rate: int, p50_ms: float, start: float | None = None, failed: int = 0) -> Measured:
    """A round in which all cases went alike; only streams fail."""
    found = Measured(start_seconds=start)
    for case in CASES:
        errors = failed if case is STREAMS else 0
        found.loads[case.name] = Load(requests=rate, seconds=1, p50_ms=p50_ms, p99_ms=p50_ms, errors=errors)
    return found


def cells(text: str, title: str) -> list[str]:
    """Of the row with this title, one a column."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {title}"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_a_ratio_says_how_many_times_better_the_service_is() -> None:
    """More requests and less time are both better; what is added is above the direct figure of the same round.

    Failures are no figure, however fast they came.
    """
    rounds = {
        DIRECT: [measured(rate=9000, p50_ms=1), measured(rate=9000, p50_ms=3)],
        SQLITE: [measured(rate=900, p50_ms=2, start=0.5), measured(rate=1100, p50_ms=4, start=1.5)],
        "Peer": [measured(rate=100, p50_ms=6, start=4), measured(rate=100, p50_ms=8, start=4, failed=100)],
    }
    text = table(rounds)
    assert cells(text, "HTTP c64") == ["9,000", "1,000", "100", "x 10.0"]
    assert cells(text, "added latency c1") == ["", "1.00", "5.00", "x 5.0"]
    assert cells(text, "start to first 200") == ["", "1.00", "4.00", "x 4.0"]
    assert cells(text, "SSE") == ["9,000", "1,000", "failed", ""]
    assert cells(text, "errors") == ["0", "0", "100", ""]
    assert broken(rounds) == [f"Peer, {STREAMS.name}: 100 of 200 failed"]


def test_without_peers_the_table_has_no_ratios() -> None:
    text = table({DIRECT: [measured(rate=9, p50_ms=1)], SQLITE: [measured(rate=3, p50_ms=2)]})
    assert cells(text, "HTTP c64") == ["9", "3"]
