"""Try the service on three hosts: `python -m tests.stress.hosts`, or `make hosts`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from .checks import table
from .load import load
from .network import network


def main() -> int:
    """Print a table; 1 where something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.hosts", description=__doc__)
    parser.add_argument("--seed", default="1", help="of questions and faults")
    parser.add_argument("--keep", type=Path, help="an empty folder for the logs of all processes", metavar="FOLDER")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    began = time.monotonic()
    with network() as net, tempfile.TemporaryDirectory(prefix="hosts-", ignore_cleanup_errors=True) as name:
        folder = given.keep or Path(name)
        found = load(net, folder, given.seed)
    print(table(found))
    failed = sum(not row.holds for row in found)
    print(f"{len(found)} checks, {failed} failed; {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
