"""What the command line says of calls that are held back: by a model's rate limit, or by a breaker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_orchestrator.application.limits import model_breaker, provider_breaker
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.infrastructure.availability import account
from model_orchestrator.infrastructure.catalogues import load_catalogue
from model_orchestrator.infrastructure.limits.opening import open_breakers
from model_orchestrator.infrastructure.settings import Settings

from ..simulator import RunningSimulator, running_simulator
from .command import KEY, command

MODEL = "gpt-4o-mini"
ASK = ("run", "hi", "--model", MODEL, "--timeout", "0.5")  # too little to wait for the second place


@pytest.fixture(autouse=True)
def _provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A live provider whose model takes one call a minute."""
    monkeypatch.chdir(tmp_path)
    Path("model-orchestrator.toml").write_text(f"[models.{MODEL}]\nrpm = 1\n", encoding="utf-8")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_CATALOGUE", "seed")
    with running_simulator() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield running


def test_a_wait_for_a_rate_limit_is_told_and_logged() -> None:
    """With its seconds, before it begins; with --quiet it is not told."""
    assert "waiting" not in command("run", "hi", "--model", MODEL).stderr
    done = command(*ASK, MODEL_ORCHESTRATOR_LOG_LEVEL="info")
    assert f"s for {MODEL}'s rate limit\n" in done.stderr
    assert f'"model": "{MODEL}", "seconds": ' in next(
        line for line in done.stderr.splitlines() if "RateLimitWait" in line
    )
    assert "rate limit\n" not in command(*ASK, "--quiet").stderr


def fail(name: str, kind: ErrorKind, times: int) -> None:
    async def record() -> None:
        breakers = open_breakers("sqlite:///runs.db")
        for _ in range(times):
            await breakers.record(name, kind)
        await breakers.aclose()

    asyncio.run(record())


def status(model: str) -> tuple[str, dict[str, object] | None]:
    document = command("models", "list", "--json").document
    row = next(one for one in document["models"] if one["name"] == model)
    return row["status"], row["breaker"]


def test_an_open_breaker_is_shown() -> None:
    """By `models list` and `doctor`, until when; nothing is made where no call was."""
    assert status(MODEL) == ("usable until 2027-01-14", None)
    assert not list(Path().glob("*.db"))
    fail(model_breaker(MODEL), ErrorKind.SERVER, 5)
    text, shown = status(MODEL)
    assert shown is not None
    assert (shown["status"], shown["failures"]) == ("open", 5)
    assert text == f"usable until 2027-01-14; breaker open until {shown['open_until']}"
    assert text in command("models", "list").stdout
    assert status("gpt-4o")[1] is None
    found = {one["name"]: one for one in command("doctor", "--json").document}
    assert found[f"breaker {MODEL}"]["breaker"] == shown
    assert f"note  breaker {MODEL}: breaker open until " in command("doctor").stdout


def test_a_refused_key_holds_back_every_model_of_its_provider() -> None:
    """At once, and only the key that was refused."""
    settings = Settings.load()
    mini = load_catalogue(settings, "live").get(MODEL)
    assert mini is not None
    fail(provider_breaker("openai", account(mini, settings)), ErrorKind.AUTH, 1)
    assert "breaker open until" in status(MODEL)[0]
    assert "breaker open until" in status("gpt-4o")[0]
    other = command("models", "list", OPENAI_API_KEY="another").stdout
    assert "breaker" not in other
