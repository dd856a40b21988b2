"""Chromium on a served database; every error in a page's console fails the test that opened it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.generated_log import write_log

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE = 15_000  # milliseconds until something that should be there is missed


class Served:
    """A service in a process of its own."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "model_orchestrator", "serve", "--port", "0", "--provider", "simulated"]
        self._process = subprocess.Popen([*command, "--database", url], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address.startswith("http://"), "the service tells its address once it listens"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard over some weeks of simulated, recorded and real runs."""
    url = f"sqlite:///{tmp_path_factory.mktemp('browser') / 'log.db'}"
    with ThreadPoolExecutor(1) as apart:  # from the loop that Playwright runs in this thread
        apart.submit(write_log, url, runs=300, seed=5, days=40, end=datetime.now(UTC), texts=True).result()
    served = Served(url)
    yield served.address
    served.stop()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard over nothing."""
    served = Served(f"sqlite:///{tmp_path_factory.mktemp('browser') / 'empty.db'}")
    yield served.address
    served.stop()


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a dashboard that needs a login, and a key that opens it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('browser') / 'locked.db'}"
    command = [sys.executable, "-m", "model_orchestrator", "keys", "create", "alice", "--database", url]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    served = Served(url)
    yield served.address, made.stdout.strip()
    served.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.fail(f"there is no {CHROMIUM}: install Debian's package chromium, or set CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that may complain of nothing; the parameter is the colour scheme."""
    is_dark = getattr(request, "param", "light") == "dark"
    context = chromium.new_context(color_scheme="dark" if is_dark else "light", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    outside: list[str] = []
    opened.on("request", lambda asked: outside.append(asked.url))
    yield opened
    host = opened.url.split("/")[2] if "//" in opened.url else ""
    context.close()
    assert complaints == []
    assert [url for url in outside if not url.startswith((f"http://{host}/", "data:"))] == []
