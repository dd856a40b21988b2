"""The user's policy: merged over the built-in one, checked when it is made, and stored as one document by its hash."""

import asyncio
from pathlib import Path

import pytest

from model_orchestrator.application.runs import load_run
from model_orchestrator.domain.catalogue import ModelCapability
from model_orchestrator.domain.complexity import TaskType
from model_orchestrator.domain.errors import ConfigurationError
from model_orchestrator.domain.policy import Policy
from model_orchestrator.domain.synthesis import ScoreWeights
from model_orchestrator.domain.units import probability
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.catalogues import load_catalogue
from model_orchestrator.infrastructure.policy import CURRENT_POLICY, load_policy, policy_from_json, policy_json
from model_orchestrator.infrastructure.settings import Settings

EXPERT, ADVANCED = ModelCapability.EXPERT, ModelCapability.ADVANCED
OWN = """
default_chain = "mine"
[chains.mine]
models = ["gpt-4o-mini", "claude-opus-3"]
threshold = 0.8
backup = "fast"
[chains.mixed]
threshold = 0.9
[panels]
analysis = ["gpt-4o", "claude-opus-3"]
[matrix]
question = "fallback"
analysis.expert = "ensemble"
[score_weights]
length = 0
"""
LLAMA = """
[models.llama]
provider = "openai"
base_url = "http://localhost:1/v1"
[chains.local]
models = ["llama"]
"""


def settings(tmp_path: Path, text: str, **env: str) -> Settings:
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    return Settings.load(file, env=env)


def policy(tmp_path: Path, text: str, provider: str = "simulated", **env: str) -> Policy:
    found = settings(tmp_path, text, **env)
    return load_policy(found, load_catalogue(found, provider))


def test_the_users_chains_panels_and_choices_go_over_the_built_in_ones(tmp_path: Path) -> None:
    """What is not said stays, also of a built-in chain."""
    own = policy(tmp_path, OWN)
    assert own.default_chain == "mine"
    assert own.chains["mine"].models == ("gpt-4o-mini", "claude-opus-3")
    assert (own.chains["mine"].threshold, own.chains["mine"].backup) == (probability(0.8), "fast")
    assert (own.chains["mixed"].threshold, len(own.chains["mixed"].models)) == (probability(0.9), 4)
    assert own.panel(TaskType.ANALYSIS, EXPERT) == "analysis"
    assert own.score_weights == ScoreWeights(confidence=5, capability=3, length=0)
    assert own.strategy(TaskType.QUESTION, EXPERT) == ("fallback", "task question")
    assert own.strategy(TaskType.ANALYSIS, EXPERT) == ("ensemble", "task analysis, expert")
    assert own.strategy(TaskType.ANALYSIS, ADVANCED) == ("fallback", "task analysis")


@pytest.mark.parametrize(
    "text", ["", 'default_chain = "mixed"', "[chains.mixed]\nthreshold = 0.7", "[score_weights]\nlength = 2"]
)
def test_what_changes_nothing_is_the_built_in_policy(tmp_path: Path, text: str) -> None:
    """Under its own version."""
    assert policy(tmp_path, text, "live") is CURRENT_POLICY


@pytest.mark.parametrize(
    "text",
    [
        'default_chain = "fast"',
        "[chains.mixed]\nthreshold = 0.71",
        '[chains.mixed]\nbackup = "openai"',
        '[panels]\nhard = ["gpt-4o", "gpt-4"]',
        '[matrix]\nresearch = "cheapest"',
        '[matrix]\nresearch.basic = "cheapest"',
        "[score_weights]\nlength = 3",
    ],
)
def test_every_choice_gives_another_version_and_document(tmp_path: Path, text: str) -> None:
    """And the same choices the same ones; the document gives the policy back."""
    own, built_in = policy(tmp_path, text), policy(tmp_path, "")
    assert own.version.startswith("own-")
    assert policy_json(own) != policy_json(built_in)
    assert policy(tmp_path, text) == own
    assert policy_from_json(policy_json(own)) == own


def test_a_chain_may_name_the_users_models_and_those_of_another_catalogue(tmp_path: Path) -> None:
    """Both exist; a run leaves out what its own catalogue lacks."""
    own = policy(tmp_path, LLAMA + '[chains.both]\nmodels = ["gpt-6-luna", "gpt-4o"]\n')
    assert own.chains["local"].models == ("llama",)
    assert own.chains["both"].models == ("gpt-6-luna", "gpt-4o")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '[chains.a]\nmodels = ["gpt-4o-mni"]',
            "chains.a.models in FILE: unknown model 'gpt-4o-mni' in the catalogue seed; did you mean gpt-4o-mini",
        ),
        (
            '[panels]\nhard = ["gpt-4o", "nosuch"]',
            "panels.hard in FILE: unknown model 'nosuch' in the catalogue seed; known are",
        ),
        ("[chains.a]\nthreshold = 0.5", "chains.a.models in FILE: expected a list of 1 to 5 models"),
        ('default_chain = "mixd"', "default_chain in FILE: there is no chain 'mixd'; did you mean mixed?"),
        (
            '[chains.a]\nmodels = ["gpt-4"]\nbackup = "fst"',
            "chains.a.backup in FILE: there is no chain 'fst'; did you mean fast?",
        ),
        ('[chains.mixed]\nbackup = "mixed"', "that does not come back to it, got mixed > mixed"),
        (
            '[chains.mixed]\nbackup = "fast"\n[chains.fast]\nbackup = "openai"\n[chains.openai]\nbackup = "mixed"',
            "expected another chain that does not come back to it, got mixed > fast > openai > mixed",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_an_error_when_the_policy_is_made(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """With file, key and the nearest."""
    with pytest.raises(ConfigurationError) as error:
        policy(tmp_path, text)
    assert complaint.replace("FILE", str(tmp_path / "own.toml")) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[chains.a]\nmodels = []", "chains.a.models in FILE: expected a list of 1 to 5 models, each once (it has 0)"),
        ('[chains.a]\nmodels = ["a", "b", "c", "d", "e", "f"]', "1 to 5 models, each once (it has 6)"),
        ('[chains.a]\nmodels = ["a", "b", "a"]', "1 to 5 models, each once (a comes twice)"),
        (
            '[chains.a]\nmodels = "a,b"',
            "chains.a.models in FILE: expected a list of 1 to 5 models, each once, got 'a,b'",
        ),
        ("[chains.a]\nthreshold = 1.5", "chains.a.threshold in FILE: expected 0 to 1, such as 0.7, got 1.5"),
        ("[chains.a]\nthreshold = nan", "chains.a.threshold in FILE: expected 0 to 1"),
        ("[chains.a]\nthresold = 1", "chains.a.thresold in FILE: there is no such setting; did you mean threshold?"),
        ('[chains."a,b"]\nmodels = ["a"]', "expected a name without commas, got 'a,b'"),
        ("chains = 3", "chains in FILE: expected tables such as [chains.NAME]"),
        ("chains.a = 3", "chains.a in FILE: expected a table, [chains.a]"),
        ('[panels]\nhard = ["a"]', "panels.hard in FILE: expected a list of 2 or 3 models, each once (it has 1)"),
        ('[panels]\nhard = ["a", "b", "c", "d"]', "2 or 3 models, each once (it has 4)"),
        ('[panels]\nharder = ["a", "b"]', "panels.harder in FILE: there is no such setting; did you mean hard?"),
        ('[matrix]\nanalyse = "fallback"', "matrix.analyse in FILE: there is no such setting; did you mean analysis?"),
        (
            '[matrix]\nanalysis = "fallbck"',
            "matrix.analysis in FILE: expected one of cheapest, fallback, ensemble, got 'fallbck'",
        ),
        ('[matrix]\nanalysis = "auto"', "matrix.analysis in FILE: expected one of cheapest, fallback, ensemble"),
        ('[matrix]\nanalysis.exprt = "fallback"', "matrix.analysis.exprt in FILE: there is no such setting"),
        ("[score_weights]\nlenght = 3", "score_weights.lenght in FILE: there is no such setting; did you mean length?"),
        ("[score_weights]\nlength = -1", "score_weights.length in FILE: expected a whole number, 0 to 1000, got -1"),
        ("[score_weights]\nconfidence = 0\ncapability = 0\nlength = 0", "score_weights in FILE: "),
        ("max_attempts = 0", "max_attempts in FILE: expected a number, 1 to 10, got 0"),
        ('on_unknown = "rety"', "on_unknown in FILE: expected retry or fail, got 'rety'"),
        ('settle_lost_after = "soon"', "settle_lost_after in FILE: expected hours above 0"),
        ("settle_lost_after = 0", "settle_lost_after in FILE: expected hours above 0"),
    ],
)
def test_a_value_that_cannot_be_is_an_error_when_the_file_is_read(tmp_path: Path, text: str, complaint: str) -> None:
    """One line that says what was expected."""
    with pytest.raises(ConfigurationError) as error:
        settings(tmp_path, text)
    assert complaint.replace("FILE", str(tmp_path / "own.toml")) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("said", "hours"), [("36", 36), ('"36"', 36), ('"90m"', 1.5), ('"24h"', 24), ('"7 d"', 168), ("0.5", 0.5)]
)
def test_settle_lost_after_is_hours_or_says_its_unit(tmp_path: Path, said: str, hours: float) -> None:
    """Up to a year."""
    assert settings(tmp_path, f"settle_lost_after = {said}").settle_lost_after == hours


def test_the_plain_ones_can_come_from_the_environment(tmp_path: Path) -> None:
    """As every setting; the error names the variable."""
    own = policy(tmp_path, "", MODEL_ORCHESTRATOR_DEFAULT_CHAIN="fast")
    assert own.default_chain == "fast"
    with pytest.raises(ConfigurationError, match="default_chain in environment MODEL_ORCHESTRATOR_DEFAULT_CHAIN: "):
        policy(tmp_path, "", MODEL_ORCHESTRATOR_DEFAULT_CHAIN="fats")


def test_a_run_is_resumed_under_the_policy_it_was_started_with(tmp_path: Path) -> None:
    """The file may say something else by then."""

    async def scenario() -> tuple[Policy, Policy]:
        database = f"sqlite:///{tmp_path / 'runs.db'}"
        before = settings(tmp_path, OWN, MODEL_ORCHESTRATOR_DATABASE_URL=database)
        async with Orchestrator(before) as orchestrator:
            run_id = (await orchestrator.run("hi", provider="simulated")).run_id
        after = settings(tmp_path, 'default_chain = "fast"', MODEL_ORCHESTRATOR_DATABASE_URL=database)
        async with Orchestrator(after) as orchestrator:
            run = (await load_run(orchestrator.log, run_id)).run
            world = await orchestrator._worlds.world_of(run, orchestrator.log)
            assert run.started is not None
            assert world.policy_hash == run.started.policy
            return world.policy, load_policy(before, load_catalogue(before, "simulated"))

    resumed, own = asyncio.run(scenario())
    assert resumed == own
