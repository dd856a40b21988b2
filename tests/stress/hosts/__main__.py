"""Try the service on three hosts: `python -m tests.stress.hosts`, or `make hosts`.

In parts: `measures` what it carries, then has the `faults` happen to it, then `deploy`s another release. As root, on
Linux, with HAProxy, wrk and a C compiler; see docs/scaling.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from .checks import Row, table
from .deploy import deploy
from .load import load
from .measuring import measure
from .network import PREFIX, network

PARTS = ("measures", "faults", "deploy")


def main() -> int:
    """Print figures and a table; 1 where something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.hosts", description=__doc__)
    parser.add_argument("--seed", default="1", help="of questions and faults")
    parser.add_argument("--parts", default=",".join(PARTS), help="with commas", metavar="PARTS")
    parser.add_argument("--keep", type=Path, help="an empty folder for the logs of all processes", metavar="FOLDER")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    began, rows = time.monotonic(), list[Row]()
    with network() as net:
        forget()  # what killed runs left: nobody else has a network now
        scratch = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            for part in given.parts.split(","):
                folder = made((given.keep or scratch) / part)
                if part == "measures":
                    print(*measure(net, folder), sep="\n", flush=True)
                    continue
                found = load(net, folder, given.seed) if part == "faults" else deploy(net, folder, given.seed)
                print(table(found), flush=True)
                rows += found
        finally:
            forget()
    failed = sum(not row.holds for row in rows)
    print(f"{len(rows)} checks, {failed} failed; {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}")
    return 1 if failed else 0


def forget() -> None:
    """Remove the folders of this run and of those that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


def made(folder: Path) -> Path:
    """A new folder that the account of PostgreSQL can enter."""
    folder.mkdir()
    for one in (folder.parent, folder):
        one.chmod(0o755)
    return folder


if __name__ == "__main__":
    sys.exit(main())
