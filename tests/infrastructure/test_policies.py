"""Policies by name: in the settings, in a file of their own, with weights that are kept in the database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from model_orchestrator.application.runs import load_run
from model_orchestrator.domain.errors import ConfigurationError, InvalidRequest
from model_orchestrator.domain.units import probability
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.catalogues import load_catalogue
from model_orchestrator.infrastructure.policies import PolicyInForce, policy_in_force, policy_names
from model_orchestrator.infrastructure.policy import policy_from_json, policy_json
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.weights_store import stored_router, stored_scorer, weights_ref
from tests.weights import fake_weights, write_router, write_scorer

MINI, HAIKU, GPT4O = "gpt-4o-mini", "claude-haiku-3.5", "gpt-4o"
OWN = """
[policies.careful]
router = "mine.json"
target = 0.9
scorer = "learned"
scorer_weights = "score.json"
explore = 0.05
default_chain = "short"
[policies.careful.chains.short]
models = ["gpt-4o-mini", "gpt-4o"]
threshold = 0.85
[policies.careful.matrix]
question = "fallback"
[policies.plain]
scorer = "judge:gpt-4o"
"""


@pytest.fixture(autouse=True)
def _weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_weights(monkeypatch, tmp_path / "shipped")
    write_router(tmp_path / "shipped/routing.json", {MINI: 0.3, HAIKU: 0.85})
    write_scorer(tmp_path / "shipped/confidence.json", Python=0.9)
    write_router(tmp_path / "mine.json", {MINI: 0.5, GPT4O: 0.95})
    write_scorer(tmp_path / "score.json", Python=0.2)


def settings(tmp_path: Path, text: str = OWN, **env: str) -> Settings:
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    return Settings.load(file, env=env, database_url=f"sqlite:///{tmp_path / 'runs.db'}", provider="simulated")


def policy(tmp_path: Path, name: str, text: str = OWN) -> PolicyInForce:
    found = settings(tmp_path, text)
    return policy_in_force(found, load_catalogue(found, "simulated"), name)


def test_a_named_policy_has_its_own_tables_weights_and_figures(tmp_path: Path) -> None:
    """Over what the settings say for all; its version names it, and its document comes back as it was."""
    found = policy(tmp_path, "careful")
    assert found.router is not None
    assert found.scorer is not None
    one = found.policy
    assert (one.router, one.scorer) == (found.router.model.version, found.scorer.model.version)
    assert (one.target, one.explore, one.default_chain) == (probability(0.9), probability(0.05), "short")
    assert one.chains["short"].threshold == probability(0.85)
    assert one.version.startswith("careful-")
    assert policy_from_json(policy_json(one)) == one
    assert policy(tmp_path, "plain").policy.scorer == "judge:gpt-4o"


def test_other_weights_are_another_policy(tmp_path: Path) -> None:
    """What a decision rests on is in the document, so its hash changes with the weights."""
    before = policy_json(policy(tmp_path, "careful").policy)
    write_router(tmp_path / "mine.json", {MINI: 0.6, GPT4O: 0.95})
    assert policy_json(policy(tmp_path, "careful").policy) != before


def test_the_heuristic_policys_document_is_what_it_always_was(tmp_path: Path) -> None:
    """Runs of earlier releases are started under its hash."""
    document = policy_json(policy(tmp_path, "heuristic", "").policy)
    assert "router" not in document
    assert "explore" not in document


def test_a_file_is_a_policy_named_after_it(tmp_path: Path) -> None:
    """Weights are looked for beside it."""
    file = tmp_path / "night.toml"
    file.write_text('router = "mine.json"\n[panels]\nbasic = ["gpt-4o-mini", "gpt-4o"]\n')
    found = policy(tmp_path, str(file), "")
    assert found.name == "night"
    assert found.policy.version.startswith("night-")
    assert found.policy.panels["basic"] == (MINI, GPT4O)


def test_the_policies_there_are(tmp_path: Path) -> None:
    assert policy_names(settings(tmp_path)) == ("heuristic", "learned", "careful", "plain")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("policies = 5", "policies in .*own.toml: expected tables such as"),
        ("[policies.learned]", "policies.learned in .*: learned is built in"),
        ("[policies.x]\nrouterr = 1", "policies.x.routerr in .*: there is no such setting; did you mean router"),
        ("[policies.x]\ntarget = 0.5", "policies.x.target in .*: expected beside a router"),
        ('[policies.x]\nrouter = "shipped"\ntarget = 7', "policies.x.target in .*: expected 0 to 1"),
        ('[policies.x]\nscorer = "heuristic-1"\nscorer_weights = "a.json"', "scorer_weights in .*: expected beside"),
        ('[policies.x.chains.c]\nmodels = ["gpt-5o"]', r"policies.x.chains.c.models in .*: unknown model 'gpt-5o'"),
        (
            '[policies.x]\ndefault_chain = "mixxed"',
            "default_chain in .*: there is no chain 'mixxed'; did you mean mixed",
        ),
        ('[policies.x]\nscorer = "hunch"', "policies.x.scorer: expected heuristic-1, learned or judge:MODEL"),
    ],
)
def test_what_is_wrong_in_a_policy_is_said(tmp_path: Path, text: str, complaint: str) -> None:
    """With the place."""
    with pytest.raises(ConfigurationError, match=complaint):
        policy(tmp_path, "x", text)


def test_an_unknown_policy_or_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="there is no policy 'lerned'; did you mean learned"):
        policy(tmp_path, "lerned")
    with pytest.raises(InvalidRequest, match=r"cannot read the policy .*none.toml: No such file"):
        policy(tmp_path, str(tmp_path / "none.toml"))
    with pytest.raises(InvalidRequest, match=r"cannot read the weights .*gone.json: No such file"):
        policy(tmp_path, "x", '[policies.x]\nrouter = "gone.json"')


def test_a_run_keeps_its_weights_in_the_database(tmp_path: Path) -> None:
    """By their version, as events name it; a file that changes afterwards changes nothing of it."""

    async def work() -> None:
        async with Orchestrator(settings(tmp_path)) as orchestrator:
            result = await orchestrator.run("What is Python?", policy="learned")
            assert result.model_used == HAIKU
            run = (await load_run(orchestrator.log, result.run_id)).run
            assert run.started is not None
            assert run.routing is not None
            assert run.routing.forecast is not None
            write_router(tmp_path / "shipped/routing.json", {MINI: 0.99})
            router = await stored_router(orchestrator.store, run.routing.forecast.weights)
            assert router is not None
            assert router.model.success("What is Python?") == {MINI: 0.3, HAIKU: 0.85}
            assert run.started.settings.scorer is not None
            scorer = await stored_scorer(orchestrator.store, run.started.settings.scorer)
            assert scorer is not None
            assert run.attempts[0].confidence is not None
            assert run.attempts[0].confidence.scorer == scorer.model.version
            assert await stored_router(orchestrator.store, "routing-none") is None
            stored = await orchestrator.store.contents(["policy-" + run.started.policy])
            assert policy_from_json(stored["policy-" + run.started.policy].body).version == run.routing.policy

    asyncio.run(work())


def test_a_run_that_is_resumed_has_the_weights_it_was_started_with(tmp_path: Path) -> None:
    """From the database, whatever file holds the newest; without them it is not resumed by others."""

    async def work() -> None:
        async with Orchestrator(settings(tmp_path)) as orchestrator:
            result = await orchestrator.run("What is Python?", policy="learned")
            run = (await load_run(orchestrator.log, result.run_id)).run
        write_router(tmp_path / "shipped/routing.json", {MINI: 0.99})
        write_scorer(tmp_path / "shipped/confidence.json", Python=0.1)
        assert run.started is not None
        assert run.routing is not None
        assert run.routing.forecast is not None
        async with Orchestrator(settings(tmp_path)) as orchestrator:
            world = await orchestrator._worlds.world_of(replace(run, routing=None), orchestrator.log)
            assert world.router is not None
            assert world.scorer is not None
            assert world.router.version == run.routing.forecast.weights
            assert world.scorer.version == run.started.settings.scorer
            foreign = replace(run.started, settings=replace(run.started.settings, scorer="learned-gone"))
            with pytest.raises(InvalidRequest, match="needs the weights learned-gone"):
                await orchestrator._worlds.world_of(replace(run, started=foreign), orchestrator.log)

    asyncio.run(work())


def test_the_scorer_can_be_learned_under_any_policy(tmp_path: Path) -> None:
    """`--scorer learned` alone takes the shipped weights, and stores them."""

    async def work() -> None:
        async with Orchestrator(settings(tmp_path, "")) as orchestrator:
            result = await orchestrator.run("What is Python?", scorer="learned")
            assert result.metadata["scorer"].startswith("learned-")
            assert await orchestrator.store.contents([weights_ref(result.metadata["scorer"])])
            heuristic = await orchestrator.run("What is Python?", policy="learned", scorer="heuristic-1")
            assert heuristic.metadata["scorer"] == "heuristic-1"

    asyncio.run(work())


def test_a_run_that_explores_is_not_cached(tmp_path: Path) -> None:
    """Its answer may be another model's than the next one's would be."""

    async def work() -> None:
        async with Orchestrator(settings(tmp_path, "")) as orchestrator:
            for _ in range(2):
                result = await orchestrator.run("What is Python?", explore=0.5, cache="1h")
                assert result.metadata["cached"] is None
                assert result.metadata["exploration"]["epsilon"] == 0.5

    asyncio.run(work())


def test_the_settings_name_the_policy_in_force(tmp_path: Path) -> None:
    """By file or environment."""
    found = Orchestrator(settings(tmp_path, 'policy = "learned"'))
    assert found.plan("What is Python?").calls[0].model == HAIKU
    assert found.plan("What is Python?", policy="heuristic").calls[0].model == MINI
    by_environment = Settings.load(None, env={"MODEL_ORCHESTRATOR_POLICY": "learned"})
    assert by_environment.policy == "learned"
