"""A process of its own at a database; `python -m tests.contracts.store_process WORD ...`, see `COMMANDS`.

It speaks over its pipes: a line on stdin lets it begin, each line on stdout is an append that was acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from model_orchestrator.application.ports import (
    Append,
    BalanceHold,
    Content,
    EventStore,
    Expected,
    IdempotencyClaim,
    KeyTaken,
    StreamAppend,
)
from model_orchestrator.domain.errors import StoreUnavailable
from model_orchestrator.domain.events import Money
from model_orchestrator.infrastructure.store import sqlite_writer
from model_orchestrator.infrastructure.store.opening import open_store

from .appends import appended, new_event, on_stream, success

ROOT = Path(__file__).parents[2]


def start(*words: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the command as a child; it waits for `go`."""
    return subprocess.Popen(
        command(*words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment() | (env or {}),
    )


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "tests.contracts.store_process", *map(str, words)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def go(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Let them begin together."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def finished(processes: Sequence[subprocess.Popen[str]]) -> list[list[str]]:
    """The lines each one wrote; all must have succeeded."""
    outputs = []
    for process in processes:
        out, _ = process.communicate()
        assert process.returncode == 0
        outputs.append(out.splitlines())
    return outputs


def say(line: str) -> None:
    """One write, so that a kill leaves whole lines."""
    os.write(1, f"{line}\n".encode())


def ready() -> None:
    say("ready")
    sys.stdin.readline()


async def append_alone(url: str, name: str, count: int) -> None:
    """`append URL NAME COUNT`: one after the other, each of 1 to 3 events; prints POSITIONS MICROSECONDS."""
    store = open_store(url)
    ready()
    for n in range(count):
        begin = time.perf_counter_ns()
        result = await appended(store, on_stream(name, *(new_event(f'"{name}"') for _ in range(1 + n % 3))))
        say(f"{result.first_position}-{result.last_position} {(time.perf_counter_ns() - begin) // 1000}")
    await store.aclose()


async def claim_together(url: str, name: str, callers: int, keys: int) -> None:
    """`claim URL NAME CALLERS KEYS`: each key after a go of its own, by all callers at once, each holding 1 picodollar.

    Prints KEY won|taken RUN at the end.
    """
    store = open_store(url)
    lines: list[str] = []
    for key in map(str, range(keys)):
        ready()
        lines += await asyncio.gather(*(_claim(store, key, f"{name}-{caller}-{key}") for caller in range(callers)))
    await store.aclose()
    say("\n".join(lines))


async def _claim(store: EventStore, key: str, run: str) -> str:
    append = Append(
        streams=(StreamAppend(run, Expected.NONE, (new_event(),)),),
        balances=(BalanceHold(scope="global", period="total", money=Money.REAL, amount=1),),
        claim=IdempotencyClaim(owner="local", key=key, fingerprint=b"same", run=run),
    )
    result = await store.append(append)
    if isinstance(result, KeyTaken):
        assert result.same_request
        return f"{key} taken {result.run}"
    success(result)
    return f"{key} won {run}"


async def append_together(url: str, name: str, count: int, callers: int) -> None:
    """`together URL NAME COUNT CALLERS`: that many callers share a store; prints the acknowledged event ids."""
    store = open_store(url)
    ready()
    await asyncio.gather(*(_appends(store, f"{name}-{caller}", count) for caller in range(callers)))
    await store.aclose()


async def _appends(store: EventStore, stream: str, count: int) -> None:
    for n in range(count):
        await _acknowledged_append(store, stream, n, patient=True)


async def _acknowledged_append(store: EventStore, stream: str, number: int, *, patient: bool = False) -> None:
    """An append of three events on two commits' worth of tables, each event saying how many belong together.

    A patient one does as the error of a store that is long away says: again, with the same event ids.
    """
    name = f"{stream}-{number}"
    events = [new_event(f'{{"append":"{name}","of":3}}') for _ in range(3)]
    content = Content(ref=name, stream=stream, subject=None, salt=b"s", body=name)
    append = on_stream(stream, *events, contents=[content])
    while True:
        try:
            await appended(store, append)
            break
        except StoreUnavailable:
            if not patient:
                raise
    say(name)


def erasing(*runs: str) -> Append:
    """The erasure of runs; its event names them."""
    event = new_event(json.dumps({"runs": runs}), type="Erased")
    return replace(on_stream("contents", event), erased=runs)


async def erase_own(url: str, name: str, count: int) -> None:
    """`erase URL NAME COUNT`: stores a run with a text of its own and one that all share, and erases it again."""
    store = open_store(url)
    if count < 10**6:  # one that is to be killed was let go already
        ready()
    for number in range(count):
        run = f"run-{name}-{number}"
        texts = [(f"text-{run}", run), ("shared", "shared")]
        contents = [Content(ref=ref, stream=run, subject=None, salt=b"", body=body) for ref, body in texts]
        await appended(store, on_stream(run, contents=contents))
        say(run)
        await appended(store, erasing(run))
    await store.aclose()


def kill_rounds(url: str, rounds: int, work: Callable[[str, int], Coroutine[Any, Any, None]]) -> None:
    """`kill URL ROUNDS`, `kill-erasing URL ROUNDS`: as many writers in turn, each killed by SIGKILL at a random moment.

    The processes are forked from this one, which never opens the store: that is what makes hundreds of them quick.
    """
    if url.startswith("postgresql:"):
        import_module("model_orchestrator.infrastructure.store.postgres")  # here, and not in every child
    ready()
    for number in range(rounds):
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            os.close(reader)
            os.dup2(writer, 1)
            try:
                asyncio.run(work(url, number))
            finally:
                os._exit(1)
        os.close(writer)
        _kill_at_random(child, reader)


async def _write_until_killed(url: str, number: int) -> None:
    store = open_store(url)
    await asyncio.gather(*(_appends(store, f"round-{number}-{caller}", 10**6) for caller in range(1 + number % 4)))


async def _erase_until_killed(url: str, number: int) -> None:
    await erase_own(url, str(number), 10**6)


def _kill_at_random(child: int, reader: int) -> None:
    """Nine in ten after their first acknowledgement, so that they die while writing; the others anywhere."""
    acknowledged = b""
    if random.random() < 0.9:
        acknowledged = os.read(reader, 65536)
    time.sleep(random.random() * 0.01)  # the random moment itself; nothing waits for it
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"
    while part := os.read(reader, 65536):
        acknowledged += part
    os.close(reader)
    os.write(1, acknowledged)


async def acknowledge(url: str, synchronous: str) -> None:
    """`acknowledge URL SYNCHRONOUS`: alone and together, and quiet while it acknowledges; to be traced."""
    store = open_store(url)
    await appended(store, on_stream("first"))
    if synchronous != "FULL":  # break the promise behind the store's back
        store._writer._connection.execute(f"PRAGMA synchronous={synchronous}")  # type: ignore[attr-defined]
    ready()
    for n in range(20):
        await appended(store, on_stream("alone"))
        say(f"{n}")
        await asyncio.gather(*(appended(store, on_stream(f"together-{caller}")) for caller in range(8)))
        say(f"{n}")
    await store.aclose()


async def fill(url: str) -> None:
    """`fill URL`: append until the store says it is full; prints the ids acknowledged, then `full`, then goes on."""
    store = open_store(url)
    ready()
    try:
        for number in range(5000):
            await _acknowledged_append(store, "fill", number)
        say("full: never")
    except StoreUnavailable as error:
        say(f"full: {error}")
    sys.stdin.readline()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await _acknowledged_append(store, "after", 0)
    await store.aclose()


def _bound() -> None:
    """What the test set through the environment."""
    if frames := os.environ.get("STORE_CHECKPOINT_FRAMES"):
        sqlite_writer.CHECKPOINT_FRAMES = int(frames)
    if limit := os.environ.get("STORE_FILE_LIMIT"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))


def main(word: str, url: str, *rest: Any) -> None:
    _bound()
    match word:
        case "append":
            asyncio.run(append_alone(url, rest[0], int(rest[1])))
        case "together":
            asyncio.run(append_together(url, rest[0], int(rest[1]), int(rest[2])))
        case "claim":
            asyncio.run(claim_together(url, rest[0], int(rest[1]), int(rest[2])))
        case "kill":
            kill_rounds(url, int(rest[0]), _write_until_killed)
        case "kill-erasing":
            kill_rounds(url, int(rest[0]), _erase_until_killed)
        case "erase":
            asyncio.run(erase_own(url, rest[0], int(rest[1])))
        case "acknowledge":
            asyncio.run(acknowledge(url, rest[0]))
        case "fill":
            asyncio.run(fill(url))
        case _:
            raise SystemExit(f"unknown word {word}")


if __name__ == "__main__":
    main(*sys.argv[1:])
