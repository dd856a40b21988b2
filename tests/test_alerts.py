"""Alerts: each mark a budget passes is recorded once a period, logged, and posted; the run never waits for that."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.budget_marks import pass_marks
from model_orchestrator.application.budget_reports import budget_history
from model_orchestrator.application.budgets import set_budget
from model_orchestrator.application.ports import Append
from model_orchestrator.application.result import OrchestrationResult
from model_orchestrator.domain.errors import RunFailure
from model_orchestrator.domain.events import BudgetAlerted, Money
from model_orchestrator.domain.units import Timestamp, Usd, duration, picodollars, plain, usd
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.simulate.faults import Fault

from .application.world import SetClock, Stage
from .cli.command import KEY, command, ended, process, until
from .simulator import running_simulator

DATABASE = "sqlite:///runs.db"


class Hook:
    """A loopback address that takes posts; `status` answers them, `hold` keeps them waiting."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.hold = threading.Event()
        self.hold.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                hook.hold.wait(30)
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    opened = Hook()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", DATABASE)


def opened(url: str | None = None) -> Orchestrator:
    env = {"MODEL_ORCHESTRATOR_WEBHOOK_URL": url} if url else {}
    return Orchestrator(Settings.load(env=env, database_url=DATABASE))


async def ask(orchestrator: Orchestrator) -> OrchestrationResult:
    return await orchestrator.run("hi there", provider="simulated", max_tokens=20)


async def refused_at_last(orchestrator: Orchestrator) -> str:
    """Ask until the budget is used up; what the refusal is."""
    for _ in range(20):
        try:
            await ask(orchestrator)
        except RunFailure as failure:
            return failure.kind
    return "never"


async def told(orchestrator: Orchestrator) -> list[tuple[str, int]]:
    """Period key and per cent of each alert in the log, in order."""
    facts = await budget_history(orchestrator.store, orchestrator.log)
    return [(fact.event.period_key, fact.event.percent) for fact in facts if isinstance(fact.event, BudgetAlerted)]


def lines(text: str, what: str) -> list[dict[str, Any]]:
    """The log lines about it."""
    return [line for line in map(json.loads, text.splitlines()) if line["event"] == what]


def test_each_mark_is_told_once_when_spending_passes_it(hook: Hook, capsys: pytest.CaptureFixture[str]) -> None:
    """As an event, a log line and a post, with what was spent of what."""

    async def scenario() -> None:
        async with opened(hook.url) as orchestrator:
            price = (await ask(orchestrator)).cost
            assert price is not None
            await orchestrator.set_budget("global", usd(picodollars(price) * 10), period="total")
            assert await told(orchestrator) == []
            assert await refused_at_last(orchestrator) == "budget"
            assert await told(orchestrator) == [("total", 50), ("total", 80)]
            (row,) = await orchestrator.store.balances()
            await orchestrator.set_budget("global", usd(row.settled), period="total")
            assert await told(orchestrator) == [("total", 50), ("total", 80), ("total", 100)]
            until(lambda: len(hook.bodies) == 3)
            at_fifty = {"percent": 50, "limit": plain(usd(picodollars(price) * 10)), "spent": plain(price * 5)}
            about = {"scope": "global", "period": "total", "period_key": "total", "money": "simulated"}
            assert {"event": "budget_alerted", **about, **at_fifty} in hook.bodies
            logged = lines(capsys.readouterr().err, "BudgetAlerted")
            assert [line["percent"] for line in logged] == [50, 80, 100]
            assert logged[0].items() >= (about | at_fifty).items()

    asyncio.run(scenario())


def test_every_kind_of_money_and_every_period_has_its_own_marks() -> None:
    """Simulated spending says nothing of real; the day's mark nothing of the month's."""

    async def scenario() -> None:
        stage = Stage()
        stage.store._clock = stage.clock.now
        for period in ("day", "month"):
            await set_budget(
                stage.store, stage.log, stage.clock, scope="global", period=period, limit=Usd("1"), alerts=(1,)
            )
        budgets = {("global", "day"), ("global", "month")}
        stage.budgets = tuple(sorted(budgets))
        for number in range(2):
            await stage.loop(run_id=f"run-{number}", max_cost=Usd("1")).run()
            stage.clock.time += 86_400 * 1_000_000

        async def told_now(moment: Timestamp) -> list[tuple[str, Money]]:
            passed = await pass_marks(stage.store, stage.log, budgets, [moment])
            return [(one.period_key, one.money) for one in passed]

        for period in ("day", "month"):
            await set_budget(
                stage.store, stage.log, stage.clock, scope="global", period=period, limit=Usd("0.00002"), alerts=(1,)
            )
        first, second = (Timestamp(1_800_000_000_000_000 + day * 86_400 * 1_000_000) for day in range(2))
        assert await told_now(first) == [("2027-01-15", Money.REAL), ("2027-01", Money.REAL)]
        assert await told_now(second) == [("2027-01-16", Money.REAL)]
        assert await told_now(second) == []

    asyncio.run(scenario())


def test_of_two_that_pass_a_mark_together_one_tells() -> None:
    """The other finds it recorded."""

    async def scenario() -> None:
        stage = Stage()
        await set_budget(stage.store, stage.log, stage.clock, scope="global", period="total", limit=Usd("1"))
        stage.budgets = (("global", "total"),)
        await stage.loop().run()
        await set_budget(stage.store, stage.log, stage.clock, scope="global", period="total", limit=Usd("0.00002"))
        first: list[BudgetAlerted] = []

        async def be_first(append: Append) -> None:
            first.extend(await pass_marks(stage.store, stage.log, set(stage.budgets), [stage.clock.now()]))

        stage.store.before_append = be_first
        assert await pass_marks(stage.store, stage.log, set(stage.budgets), [stage.clock.now()]) == []
        assert [one.percent for one in first] == [50, 80, 100]

    asyncio.run(scenario())


def test_two_processes_tell_a_mark_once(hook: Hook) -> None:
    """Both of their runs find it passed."""

    async def passed_and_not_told() -> None:
        async with opened() as orchestrator:
            await ask(orchestrator)
            store, log, clock = orchestrator.store, orchestrator.log, orchestrator.clock
            await set_budget(store, log, clock, scope="global", period="total", limit=Usd("0.01"), alerts=(1,))
            await set_budget(store, log, clock, scope="global", period="total", limit=Usd("0.001"))

    asyncio.run(passed_and_not_told())
    asked = ("run", "hi there", "--provider", "simulated", "--max-tokens", "20")
    started = [process(*asked, MODEL_ORCHESTRATOR_WEBHOOK_URL=hook.url) for _ in range(2)]
    assert [ended(one).code for one in started] == [0, 0]
    alerts = [one for one in command("budgets", "history", "--json").document if one["type"] == "BudgetAlerted"]
    assert [one["percent"] for one in alerts] == [1]
    assert len(hook.bodies) == 1


@pytest.mark.parametrize("trouble", ["down", "500", "slow"])
def test_a_webhook_in_trouble_is_the_run_s_no_trouble(
    hook: Hook, trouble: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is there before the post is; what went wrong is logged, without the address."""
    url = hook.url
    if trouble == "down":
        hook.close()
    elif trouble == "500":
        hook.status = 500
    else:
        hook.hold.clear()

    async def scenario() -> None:
        async with opened(url) as orchestrator:
            await orchestrator.set_budget("global", Usd("0.001"), alerts=(1,))
            for _ in range(4):
                assert (await ask(orchestrator)).response
            assert len(await told(orchestrator)) == 1

    asyncio.run(scenario())
    hook.hold.set()
    for thread in threading.enumerate():
        if thread.name == "webhook":
            thread.join(30)
    said = capsys.readouterr().err
    assert len(lines(said, "BudgetAlerted")) == 1
    failed = [line["error"] for line in lines(said, "WebhookFailed")]
    assert failed == {"down": ["URLError"], "500": ["HTTP 500"], "slow": []}[trouble]
    assert "127.0.0.1" not in said


def test_a_process_ends_though_the_webhook_never_answers() -> None:
    """It waits so long as TIMEOUT says, and no longer: a byte now and then does not keep it."""
    program = """
import sys
from model_orchestrator.infrastructure import webhook
webhook.TIMEOUT = 0.2
webhook.post(sys.argv[1], {}, lambda why: None)
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            taken, _ = server.accept()
            with taken:
                try:
                    while not stop.wait(0.05):
                        taken.sendall(b"H")
                except OSError:
                    pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        try:
            done = subprocess.run(
                [sys.executable, "-c", program, url],
                cwd=Path(__file__).parents[2],
                capture_output=True,
                timeout=30,
                check=False,
            )
        finally:
            stop.set()
            dripping.join(30)
    assert (done.returncode, done.stderr) == (0, b"")


def test_money_of_a_lost_attempt_passes_marks_when_it_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Resolved by a person, or assumed after a day; in the period that held it."""
    monkeypatch.setenv("MODEL_ORCHESTRATOR_CATALOGUE", "seed")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert command("budgets", "set", "global", "1", "--period", "day", "--alert", "1,50").code == 0
    with running_simulator() as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.openai_url)
        provider.fail(Fault.CUT, count=2)
        for _ in range(2):
            assert command("run", "hi there", "--on-unknown", "fail").code == 1
    first, _ = command("attempts", "list", "--lost", "--json").document
    resolved = command("attempts", "resolve", first["id"], "--billed", "0.5")
    assert [line["percent"] for line in map(json.loads, resolved.stderr.splitlines()[:2])] == [1, 50]

    async def a_day_later() -> list[tuple[str, int]]:
        async with Orchestrator() as orchestrator:
            await orchestrator.set_budget("global", Usd("0.5001"), period="day", alerts=(100,))
            later: Any = SetClock(orchestrator.clock.now() + duration("24h"))
            orchestrator._clock = orchestrator.alerts._clock = later
            await orchestrator.resume_all()
            return await told(orchestrator)

    today = command("budgets", "show", "global", "--json").document[0]["balances"][0]["period"]
    assert asyncio.run(a_day_later()) == [(today, 1), (today, 50), (today, 100)]
