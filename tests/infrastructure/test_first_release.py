"""A log that the first release wrote opens for ever: verified, folded and reported as it was then."""

import asyncio
import json
import lzma
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.balance_audit import balance_problems
from model_orchestrator.application.runs import load_run
from model_orchestrator.domain.units import picodollars, plain
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.store.log_audit import verify_database

from ..cli.command import command
from .first_release_log.make import EXPECTED, LOG
from .test_event_codec import GOLDEN


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A copy of the log, as the command line's database."""
    file = tmp_path / "log.db"
    file.write_bytes(lzma.decompress(LOG.read_bytes()))
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", f"sqlite:///{file}")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_PROVIDER", "simulated")
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def expected() -> Any:
    return json.loads(EXPECTED.read_text(encoding="utf-8"))


LATER = {"RunRescored.1", "FeedbackGiven.1", "KeyCreated.1", "KeyRevoked.1"}  # types that a later release added


def test_it_has_every_type_and_version_of_the_first_release(expected: Any) -> None:
    """What a later release adds has golden files only."""
    assert set(expected["types"]) == {file.stem for file in GOLDEN.glob("*.1.json")} - LATER


def test_it_is_sound_and_its_balances_are_its_events(url: str, expected: Any) -> None:
    done = verify_database(url)
    assert (done.problems, done.events) == ((), expected["events"])

    async def problems() -> list[str]:
        async with Orchestrator(Settings.load(env={}, database_url=url)) as orchestrator:
            found = [
                [one.scope, one.period, one.money.value, one.period_key, one.held, one.settled]
                for one in await orchestrator.store.balances()
            ]
            assert found == expected["balances"]
            (last,) = await orchestrator.store.read_backwards(limit=1)
            assert last.chain_hash.hex() == expected["head"]
            return await balance_problems(orchestrator.store, orchestrator.log)

    assert asyncio.run(problems()) == []


def test_every_run_folds_to_what_it_was(url: str, expected: Any) -> None:
    async def runs() -> dict[str, Any]:
        found = {}
        async with Orchestrator(Settings.load(env={}, database_url=url)) as orchestrator:
            for run_id in expected["runs"]:
                run = (await load_run(orchestrator.log, run_id)).run
                attempts = {
                    str(one.number): {
                        "model": one.model,
                        "status": one.status.value,
                        "cost": None if one.spent is None else plain(one.spent),
                    }
                    for one in run.attempts
                }
                found[run_id] = {"status": run.status.value, "version": run.version, "attempts": attempts}
        return found

    assert asyncio.run(runs()) == expected["runs"]


def test_its_read_models_come_to_the_same_totals(url: str, expected: Any) -> None:
    models = StoredReadModels(url)
    totals: dict[str, list[int]] = {}
    for row in models.costs(by=("model",)):
        known = totals.setdefault(str(row.group[0]), [0, 0])
        known[0] += row.calls
        known[1] += row.cost
    assert totals == {
        model: [one["calls"], picodollars(Decimal(one["cost"]))] for model, one in expected["models"].items()
    }
    assert {row.run: row.status for row in models.runs()} == {
        run: one["status"] for run, one in expected["runs"].items()
    }
    assert models.problems() == []


def test_the_command_line_reads_it_and_goes_on_writing(url: str, expected: Any) -> None:
    for run in expected["runs"]:
        assert command("audit", "trail", run).code == 0
    assert command("run", "hi").code == 0
    assert len(command("runs", "list", "--json").document) == len(expected["runs"]) + 1
    done = command("audit", "verify")
    assert (done.code, done.stdout) == (0, "")
