"""One load on one address, made by wrk."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .processes import LOAD_CORE

SCRIPT = Path(__file__).with_name("load.lua")
FAST, SLOW = "gpt-4o-mini", "gpt-4o"  # the model names that choose the upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is asked, by how many at once."""

    name: str
    clients: int
    model: str = FAST
    streamed: bool = False

    @property
    def body(self) -> str:
        """A chat of two messages, with what most clients send beside them."""
        asked: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": "You are a concise assistant for an engineering team."},
                {"role": "user", "content": "Explain event sourcing in two sentences and name one cost."},
            ],
            "temperature": 0.2,
            "max_tokens": 64,
        }
        return json.dumps(asked | {"stream": True} if self.streamed else asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of it; latencies in milliseconds."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int  # any status but 200, cut connections, time-outs, streams without their end

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def loaded(address: str, case: Case, headers: Mapping[str, str], seconds: int) -> Load:
    """Ask for so long. Raises RuntimeError where wrk says nothing."""
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{case.clients}", f"-d{seconds}s", "--timeout", "10s"]
    sent = {"BODY": case.body, "HEADERS": "\n".join(f"{name}: {value}" for name, value in headers.items())}
    done = subprocess.run(
        [*command, "-s", str(SCRIPT), f"{address}/v1/chat/completions"],
        env={**os.environ, **sent}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"^LOAD (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk said nothing of {case.name}: {done.stdout[-300:]}{done.stderr[-300:]}")
    return Load(**json.loads(found[1]))
