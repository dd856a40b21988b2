"""A process that folds: `python -m tests.contracts.read_model_process URL catch-up|rebuild STEP [slow]`.

It waits for a line on stdin. With `slow` it prints each checkpoint and then waits, so that it can be killed there.
"""

from __future__ import annotations

import sys
import threading
from contextlib import closing

from model_orchestrator.infrastructure.read_models.catch_up import CatchUp
from model_orchestrator.infrastructure.read_models.log_source import open_log
from model_orchestrator.infrastructure.read_models.state import open_state


def main(url: str, what: str, step: str, pace: str = "") -> None:
    sys.stdin.readline()

    def progress(done: int, total: int) -> None:
        if pace:
            print(done, flush=True)
            if done >= 5 * int(step):
                threading.Event().wait()  # until it is killed

    with closing(open_log(url)) as log:
        catch_up = CatchUp(log, open_state(url), step=int(step))
        (catch_up.rebuild if what == "rebuild" else catch_up.live)(None, progress)


if __name__ == "__main__":
    main(*sys.argv[1:])
