"""Hosts of our own: network namespaces on a bridge in a namespace of its own, and no way out of it.

Nothing here touches the machine's own network. What an earlier run left behind (it was killed, or the machine was) is
found by its names and removed first.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "mohosts-"  # of every namespace here
SWITCH = f"{PREFIX}switch"
HOSTS = ("h1", "h2", "h3")
ADDRESSES = {
    "h1": "10.203.77.11",
    "h2": "10.203.77.12",
    "h3": "10.203.77.13",
    "db": "10.203.77.21",
    "provider": "10.203.77.22",
    "balancer": "10.203.77.31",
    "clients": "10.203.77.41",
}
PORT = 8080  # of every service
LOCK = Path("/run/lock/model-orchestrator-hosts.lock")


class Network:
    """The cables between the hosts."""

    def address(self, host: str, port: int = PORT) -> str:
        """Of an HTTP service on a host."""
        return f"http://{ADDRESSES[host]}:{port}"

    def cut(self, host: str) -> None:
        """Pull the host's cable: packets are lost, and nobody is told."""
        _ip("-n", SWITCH, "link", "set", host, "down")

    def heal(self, host: str) -> None:
        """Plug it in again."""
        _ip("-n", SWITCH, "link", "set", host, "up")


def inside(host: str, command: Sequence[str]) -> list[str]:
    """The command as it runs on a host, under the host's own name."""
    named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host]
    return ["nsenter", f"--net=/run/netns/{PREFIX}{host}", *named, *command]


@contextmanager
def network() -> Iterator[Network]:
    """The hosts while the block runs, one such network at a time on a machine. Raises PermissionError, RuntimeError."""
    if os.geteuid() != 0:
        raise PermissionError("network namespaces are made by root only")
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError("another run of this program is under way on this machine") from None
        remove()
        try:
            _make()
            yield Network()
        finally:
            remove()


def _make() -> None:
    _ip("netns", "add", SWITCH)
    _ip("-n", SWITCH, "link", "add", "bridge", "type", "bridge")
    _ip("-n", SWITCH, "link", "set", "bridge", "up")
    for host, address in ADDRESSES.items():
        name = PREFIX + host
        _ip("netns", "add", name)
        _ip("link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", host, "netns", SWITCH)
        _ip("-n", SWITCH, "link", "set", host, "master", "bridge", "up")
        _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "set", "eth0", "up")


def remove() -> None:
    """End every process that runs on one of these hosts, and take the hosts away."""
    names = [line.split()[0] for line in _ip("netns", "list").splitlines() if line.startswith(PREFIX)]
    for _ in range(50):
        left = [int(pid) for name in names for pid in _ip("netns", "pids", name).split()]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
        time.sleep(0.1)
    for name in names:
        _ip("netns", "delete", name)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
