"""HAProxy as it comes from Debian, in front of the hosts; its configuration is the one in docs/scaling.md."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .network import ADDRESSES, HOSTS, PORT
from .processes import Processes

CONFIGURATION = """\
defaults
    mode http
    timeout connect 1s
    timeout check 1s
    timeout client 150s
    timeout server 150s
    timeout queue 5s
    option redispatch
    retries 2
    retry-on conn-failure

frontend clients
    bind {address}:{port}
    default_backend hosts

backend hosts
    balance leastconn
    option httpchk GET /readyz
    default-server check inter 500ms fall 2 rise 2 on-marked-down shutdown-sessions
{servers}
"""


def balance(all_: Processes, folder: Path) -> subprocess.Popen[bytes]:
    """HAProxy on its host. Raises FileNotFoundError where it is not installed."""
    servers = "\n".join(f"    server {host} {ADDRESSES[host]}:{PORT}" for host in HOSTS)
    file = folder / "haproxy.cfg"
    file.write_text(CONFIGURATION.format(address=ADDRESSES["balancer"], port=PORT, servers=servers))
    return all_.start("balancer", ["/usr/sbin/haproxy", "-db", "-f", str(file)], name="haproxy")
