"""The clients of the service, a program of its own: `python -m tests.stress.hosts.clients REPORT PLAN`.

Each asks one thing after the other until the time is over, each thing with an idempotency key of its own, and asks
again as long as it hears nothing that is final. What became of each is a line of JSON in REPORT. PLAN is JSON:
`seconds`, `patience` (seconds that a client goes on asking), `seed`, `tokens` by kind, `numbers` of clients by kind.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from tests.stress.worker import HAIKU, MINI, SONNET

from .network import ADDRESSES, HOSTS, PORT

BALANCED = f"http://{ADDRESSES['balancer']}:{PORT}"
EACH_HOST = tuple(f"http://{ADDRESSES[host]}:{PORT}" for host in HOSTS)
PAUSE = 0.3  # seconds before a client asks again
LIMITED = "gpt-4o"  # the model with a limit of requests a minute
AGAIN = frozenset((408, 409, 429, 502, 503, 504))  # whose request may be sent again, unless the answer says otherwise
LOST = "crash"  # the kind of error of a run whose worker died, and whose call is not made again
LATEST = 15.0  # seconds until the connection of one try must have said something


@dataclass(slots=True)
class Asked:
    """One question, and what its client heard in the end."""

    kind: str
    mark: str  # what the prompt begins with
    began: float
    status: int | None = None  # the final one; None: nothing final was heard in time
    run: str | None = None
    text: str | None = None  # of the answer
    tries: int = 0
    seconds: float = 0.0
    heard: list[str] = field(default_factory=list)  # of the tries that were not final
    error: str | None = None  # the kind of a final error
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of client asks, and where."""

    models: Sequence[str]
    addresses: Sequence[str] = (BALANCED,)  # all at once
    streams: float = 0.0  # share
    pause: float = 0.05  # seconds between two questions, at most
    is_patient: bool = True  # a 429 of the service is not final


MIX = ("cheapest", "cheapest", "cheapest", f"fallback:{MINI},{HAIKU}", f"ensemble:{MINI},{HAIKU}")
KINDS = {
    "steady": Kind(models=MIX, streams=0.25),
    "twins": Kind(models=(MINI,), addresses=EACH_HOST),
    "poor": Kind(models=(MINI,)),
    "daily": Kind(models=(SONNET,)),
    "limited": Kind(models=(LIMITED,)),
    "hasty": Kind(models=(MINI,), is_patient=False, pause=0.4),
}


class Client:
    """Asks."""

    def __init__(self, session: aiohttp.ClientSession, plan: dict[str, Any], kind: str, number: int) -> None:
        self._session = session
        self._kind, self._name, self._number = KINDS[kind], kind, number
        self._random = Random(f"{plan['seed']}:{kind}:{number}")
        self._patience = plan["patience"]
        self._headers = {"authorization": f"Bearer {plan['tokens'][kind]}"}

    async def work(self, end: asyncio.Event, asked: list[Asked]) -> None:
        """One question after the other."""
        count = 0
        while not end.is_set():
            count += 1
            mark = f"{self._name}-{self._number}-{count}"
            body = self._body(mark)
            heard = await asyncio.gather(*(self._ask(address, mark, body) for address in self._kind.addresses))
            asked += heard
            if heard[0].error == LOST and body["stream"]:  # what it showed cannot be taken back: another key
                asked.append(await self._ask(self._kind.addresses[0], mark + "b", self._body(mark + "b")))
            await asyncio.sleep(self._random.uniform(0.0, self._kind.pause))

    def _body(self, mark: str) -> dict[str, Any]:
        random = self._random
        return {
            "model": random.choice(self._kind.models),
            "messages": [
                {"role": "user", "content": f"[{mark}] What is {random.randint(2, 999)} * {random.randint(2, 999)}?"}
            ],
            "max_tokens": 60,
            "stream": random.random() < self._kind.streams,
        }

    async def _ask(self, address: str, mark: str, body: dict[str, Any]) -> Asked:
        """Until something final is heard, or the patience is at its end."""
        asked, began = Asked(self._name, mark, time.time(), streamed=body["stream"]), time.monotonic()
        while time.monotonic() < began + self._patience:
            asked.tries += 1
            try:
                if await self._try(address, body, asked):
                    break
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                asked.heard.append(type(error).__name__)
            await asyncio.sleep(PAUSE)
        asked.seconds = round(time.monotonic() - began, 3)
        return asked

    async def _try(self, address: str, body: dict[str, Any], asked: Asked) -> bool:
        """One request; whether what was heard is final."""
        headers = self._headers | {"idempotency-key": asked.mark}
        async with self._session.post(f"{address}/v1/chat/completions", json=body, headers=headers) as response:
            text = await response.text()
            status, said_not = response.status, response.headers.get("x-should-retry") == "false"
        if status == 200:
            return _answered(text, asked, is_stream=body["stream"])
        kind = _error_kind(text)
        if status in AGAIN and not said_not and (self._kind.is_patient or status != 429):
            asked.heard.append(f"{status} {kind}")
            return False
        asked.status, asked.error = status, kind
        return True


def _answered(text: str, asked: Asked, *, is_stream: bool) -> bool:
    """Note the answer; False where a stream broke off."""
    found = re.search(r'"run_id":"(run-[0-9a-f-]+)"', text)
    if is_stream:
        if "[DONE]" not in text or '"error"' in text:
            asked.heard.append("a stream broke off")
            return False
        pieces = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        deltas = [one["choices"][0]["delta"] for one in pieces if one.get("choices")]
        asked.text = "".join(delta.get("content") or "" for delta in deltas)
    else:
        asked.text = json.loads(text)["choices"][0]["message"]["content"]
    asked.status, asked.run = 200, found[1] if found else None
    return True


def _error_kind(text: str) -> str:
    try:
        error = json.loads(text)["error"]
        return str(error.get("code") or error.get("type"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "of the balancer"


async def main(report: Path, plan: dict[str, Any]) -> None:
    """All clients, until the time is over, or SIGTERM says so."""
    end, asked, loop = asyncio.Event(), list[Asked](), asyncio.get_running_loop()
    loop.call_later(plan["seconds"], end.set)
    loop.add_signal_handler(signal.SIGTERM, end.set)
    # A host that vanished says nothing more; the balancer's own time-outs are longer than a client's.
    timeout = aiohttp.ClientTimeout(total=plan["patience"], sock_connect=LATEST)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        clients = [
            Client(session, plan, kind, number) for kind, count in plan["numbers"].items() for number in range(count)
        ]
        await asyncio.gather(*(client.work(end, asked) for client in clients))
    report.write_text("".join(json.dumps(asdict(one)) + "\n" for one in asked))  # noqa: ASYNC240


def asked_of(report: Path) -> list[Asked]:
    """What the clients wrote."""
    return [Asked(**json.loads(line)) for line in report.read_text().splitlines()]


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
