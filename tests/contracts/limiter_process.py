"""A process of its own at a rate limiter: `python -m tests.contracts.limiter_process URL CALLERS ROUNDS LIMIT WINDOW`.

Each caller takes a place, sleeps for its turn, takes the next; the last one's turn is not slept for. Every grant is a
line on stdout: its moment. A line on stdin lets them begin.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

from model_orchestrator.application.limits import Limits, RateLimiter
from model_orchestrator.infrastructure.limits.opening import open_rate_limiter

from .store_process import ROOT, environment, say


def start(*words: object) -> subprocess.Popen[str]:
    """Start one as a child; it waits for `store_process.go`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.limiter_process", *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )


async def call(limiter: RateLimiter, limits: Limits, rounds: int) -> None:
    for left in reversed(range(rounds)):
        grant = await limiter.reserve("m", limits, tokens=0)
        say(str(grant.granted_at))
        if left:
            await asyncio.sleep(grant.wait)


async def main(url: str, callers: int, rounds: int, limits: Limits) -> None:
    limiter = open_rate_limiter(url)
    say("ready")
    sys.stdin.readline()
    await asyncio.gather(*(call(limiter, limits, rounds) for _ in range(callers)))
    await limiter.aclose()


if __name__ == "__main__":
    url, callers, rounds, requests, window = sys.argv[1:]
    asyncio.run(main(url, int(callers), int(rounds), Limits(requests=int(requests), window=float(window))))
