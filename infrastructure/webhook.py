"""A budget's alert as a POST to an address of the user's; it never holds up a run, nor fails one."""

from __future__ import annotations

import atexit
import json
import threading
import time
from collections.abc import Callable
from typing import Any

TIMEOUT = 5.0  # seconds; a process that ends waits no longer for a post under way, however slowly it is taken


def post(url: str, body: dict[str, Any], failed: Callable[[str], None]) -> threading.Thread:
    """Send the JSON body from a thread; `failed` hears why it did not arrive, never the address."""
    latest = time.monotonic() + TIMEOUT
    thread = threading.Thread(target=_send, args=(url, json.dumps(body).encode(), failed), name="webhook", daemon=True)
    thread.start()
    atexit.register(lambda: thread.join(max(0.0, latest - time.monotonic())))
    return thread


def _send(url: str, body: bytes, failed: Callable[[str], None]) -> None:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            pass
    except urllib.error.HTTPError as error:
        failed(f"HTTP {error.code}")
    except Exception as error:  # whatever it is, the run has nothing to do with it
        failed(type(error).__name__)
