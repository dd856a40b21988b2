"""`strategies` and `compare`, and what `run` says of a chain and of an ensemble."""

from pathlib import Path

import pytest

from .command import Done, command

CHAIN = ("run", "What is 2+2?", "--strategy", "fallback", "--threshold", "0.95")
SPLIT = ("run", "What is 2+2?", "--strategy", "ensemble")  # gpt-4o-mini is unsure of it


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_PROVIDER", "simulated")


def compare(*arguments: str) -> Done:
    return command("compare", *arguments)


def test_strategies_show_prints_chains_panels_and_the_matrix() -> None:
    """With thresholds, for people and for programs."""
    done = command("strategies", "show")
    assert done.code == 0
    assert "mixed (default)  0.70" in done.stdout
    assert "gpt-4o-mini > claude-haiku-3.5 > claude-sonnet-3.5 > claude-opus-3" in done.stdout
    document = command("strategies", "show", "--json").document
    assert document["default_chain"] == "mixed"
    assert document["chains"]["fast"] == {
        "models": ["gpt-4o-mini", "claude-haiku-3.5"], "threshold": 0.6, "backup": None,
    }  # fmt: skip
    assert document["panels"]["architecture"] == ["claude-sonnet-3.5", "gpt-4o"]
    assert document["matrix"]["research"] == "ensemble"


def test_strategies_show_follows_the_catalogue_in_force() -> None:
    """Live runs have today's models."""
    document = command("strategies", "show", "--json", "--provider", "live").document
    assert document["chains"]["mixed"]["models"][0] == "gpt-6-luna"


def test_compare_shows_every_strategy_and_sends_nothing() -> None:
    """Prices as a range; a time that nobody knows is null."""
    done = compare("Compare REST vs GraphQL", "--json")
    rows = {row["strategy"]: row for row in done.document["strategies"]}
    assert list(rows) == ["cheapest", "fallback", "ensemble"]
    assert rows["cheapest"]["models"] == ["claude-haiku-3.5"]
    assert len(rows["fallback"]["models"]) == 4
    assert [row["expected_seconds"] for row in rows.values()] == [None] * 3
    assert [row["result"] for row in rows.values()] == [None] * 3
    assert sum(row["chosen_by_auto"] for row in rows.values()) == 1
    assert not Path("runs.db").exists()


def test_compare_expects_what_was_measured_before() -> None:
    """In this database, of the same kind of money; a model that was never asked makes it unknown."""
    asked = command("run", "hi", "--json").document
    rows = {row["strategy"]: row for row in compare("hi", "--json").document["strategies"]}
    assert rows["cheapest"]["expected_seconds"] == rows["fallback"]["expected_seconds"]
    assert 0 < rows["cheapest"]["expected_seconds"] <= 2 * asked["latency"]
    assert rows["ensemble"]["expected_seconds"] is None


def test_compare_for_people_is_a_table() -> None:
    """Who auto would choose is talk."""
    done = compare("What is Python?")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["STRATEGY", "cheapest", "fallback", "ensemble"]
    assert "auto would choose cheapest" in done.stderr


def test_compare_live_answers_within_the_limit() -> None:
    """All together cost no more than the limit."""
    done = compare("What is 2+2?", "--live", "--max-cost", "0.01", "--json")
    results = [row["result"] for row in done.document["strategies"]]
    assert all(result["response"].startswith("[simulated ") for result in results)
    assert sum(float(result["cost"]) for result in results) <= 0.01
    assert len(command("runs", "list", "--json").document) == 3


def test_compare_live_without_a_limit_is_refused() -> None:
    """Nobody pays three times by mistake."""
    done = compare("hi", "--live")
    assert done.code == 2
    assert "say with --max-cost what that may cost" in done.complaint


def test_a_strategy_that_nothing_fits_says_what_would() -> None:
    """Its row stays."""
    done = compare("Design a distributed system", "--max-cost", "0.0005")
    assert "cheapest: no model fits the limit of $0.0005" in done.stderr
    assert len(done.stdout.splitlines()) == 4


def test_verbose_tells_how_a_chain_went_on() -> None:
    """Threshold, each escalation with its reason, and why it ended."""
    said = command(*CHAIN, "--verbose").stderr
    assert "strategy: fallback, threshold 0.95" in said
    assert "escalated gpt-4o-mini -> claude-haiku-3.5: low_confidence (confidence 0.28)" in said
    assert "stopped: last_model" in said


def test_verbose_tells_how_an_ensemble_came_to_its_answer() -> None:
    """Members with scores, agreement, dissent, the justification; the one line names its members."""
    said = command(*SPLIT, "--verbose").stderr
    assert "  member gpt-4o-mini: 0.33" in said
    assert "  by vote: agreement 0.67; dissent: gpt-4o-mini" in said
    assert "2 of 3 models answered" in said
    assert "claude-sonnet-3.5 of claude-haiku-3.5 + gpt-4o-mini + claude-sonnet-3.5 | $" in said.splitlines()[-1]


def test_simulated_models_judge_and_fuse() -> None:
    """A judge ranks all members; an aggregator reads no sum out of the members' names."""
    judged = command("run", "Summarise REST", "--strategy", "ensemble", "--method", "judge", "--verbose").stderr
    assert "The judge's order, best first: " in judged
    fused = command("run", "Summarise REST", "--strategy", "ensemble", "--method", "fuse", "--verbose")
    assert "by fuse: agreement not comparable" in fused.stderr
    assert "The answer is" not in fused.stdout


def test_the_result_has_all_of_it() -> None:
    """For programs, under metadata."""
    chain = command(*CHAIN, "--json").document
    assert [one["to"] for one in chain["metadata"]["escalations"]] == chain["fallback_chain"][1:]
    assert (chain["metadata"]["stop_reason"], chain["metadata"]["threshold"]) == ("last_model", 0.95)
    split = command(*SPLIT, "--json").document["metadata"]
    assert split["dissent"] == ["gpt-4o-mini"]
    assert split["agreement"] == pytest.approx(2 / 3, abs=1e-6)
    assert split["justification"].startswith("2 of 3 models answered")
    assert [one["model"] for one in split["members"]] == ["claude-haiku-3.5", "gpt-4o-mini", "claude-sonnet-3.5"]


@pytest.mark.parametrize(
    ("chain", "hint"),
    [
        ("mixd", "did you mean mixed?"),
        ("gpt-4o-mni", "did you mean gpt-4o-mini"),
        ("nosuch", "chains are mixed, anthropic, openai, fast"),
        ("gpt-6-luna", "is not in the catalogue seed but in current"),
        ("gpt-4o-mini,nosuch", "unknown model 'nosuch'"),
    ],
)
def test_an_unknown_chain_names_the_nearest(chain: str, hint: str) -> None:
    """Chain or model, whichever was meant."""
    done = command("run", "hi", "--strategy", "fallback", "--chain", chain)
    assert done.code == 2
    assert hint in done.complaint


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--strategy", "fallback", "--threshold", "1.5"), "threshold 1.5 is not possible: expected 0 to 1"),
        (("--strategy", "ensemble", "--models", "gpt-4o"), "an ensemble of gpt-4o: expected 2 to 3 models"),
        (("--strategy", "ensemble", "--models", "gpt-4o-mini, ,gpt-4o"), "expected model names, none of them empty"),
        (("--strategy", "ensemble", "--models", "gpt-4o,gpt-4o"), "an ensemble names a model twice"),
        (("--strategy", "fallback", "--chain", "a,b,c,d,e,f"), "expected 1 to 5 models"),
        (("--strategy", "fallback", "--chain", ","), "a chain of ['', '']: expected model names"),
        (("--chain", "mixed"), "chain is for the strategy fallback, and this run's is cheapest"),
        (("--strategy", "ensemble", "--threshold", "0"), "threshold is for the strategy fallback"),
        (("--strategy", "fallback", "--full-panel"), "full panel is for the strategy ensemble"),
        (("--models", "gpt-4o,gpt-4"), "models is for the strategy ensemble"),
        (("--strategy", "fallback", "--chain", "mixed", "--model", "gpt-4o"), "model and chain both say who is asked"),
    ],
)
def test_what_no_strategy_can_do_is_refused(arguments: tuple[str, ...], complaint: str) -> None:
    """Before anything is opened."""
    done = command("run", "hi", *arguments)
    assert done.code == 2
    assert complaint in done.complaint
    assert not Path("runs.db").exists()


def test_auto_takes_the_options_of_any_strategy() -> None:
    """It may choose the one they are for."""
    assert (
        command("run", "hi", "--strategy", "auto", "--chain", "fast", "--models", "gpt-4o,gpt-4", "--quiet").code == 0
    )


OWN = """
default_chain = "mine"
max_attempts = 2
on_unknown = "fail"
[chains.mine]
models = ["gpt-4o-mini", "gpt-6-luna"]
threshold = 0.8
[chains.today]
models = ["gpt-6-luna"]
[matrix]
question.basic = "fallback"
"""


@pytest.fixture
def _own_policy() -> None:
    Path("model-orchestrator.toml").write_text(OWN, encoding="utf-8")


@pytest.mark.usefixtures("_own_policy")
def test_strategies_show_says_what_is_the_users_own() -> None:
    """With its file."""
    document = command("strategies", "show", "--json").document
    file = str(Path("model-orchestrator.toml").absolute())
    assert document["default_chain"] == "mine"
    assert document["policy"].startswith("own-")
    assert document["chains"]["mine"] == {"models": ["gpt-4o-mini", "gpt-6-luna"], "threshold": 0.8, "backup": None}
    assert document["sources"]["chains"]["mine"] == document["sources"]["matrix"]["question.basic"] == file
    assert document["sources"]["chains"]["mixed"] == document["sources"]["matrix"]["question"] == "built in"
    assert "mine (default)  0.80       gpt-4o-mini > gpt-6-luna" in command("strategies", "show").stdout


@pytest.mark.usefixtures("_own_policy")
def test_a_run_goes_by_the_users_policy_and_records_it() -> None:
    """Chain, threshold and attempts are its own; a model of another catalogue is left out, with the reason."""
    shown = command("run", "What is Python?", "--strategy", "auto", "--json").document["metadata"]
    assert (shown["strategy"], shown["strategy_reason"]) == ("fallback", "task question, basic")
    assert shown["threshold"] == 0.8
    assert {"model": "gpt-6-luna", "reason": "not in this catalogue"} in shown["excluded"]
    events = {one["type"]: one["payload"] for one in command("audit", "trail", "last", "--json").document}
    started, decided = events["RunStarted"], events["RoutingDecided"]
    assert (started["settings"]["max_attempts"], started["settings"]["on_unknown"]) == (2, "fail")
    assert decided["policy"].startswith("own-")


@pytest.mark.usefixtures("_own_policy")
def test_a_chain_whose_models_are_all_of_another_catalogue_says_so() -> None:
    """A failure of the run, not of the settings."""
    done = command("run", "hi", "--strategy", "fallback", "--chain", "today")
    assert done.code == 1
    assert "not in this catalogue (gpt-6-luna)" in done.complaint


def test_a_bad_policy_is_one_line_and_nothing_is_done() -> None:
    """Exit 2."""
    Path("model-orchestrator.toml").write_text('[chains.mine]\nmodels = ["gpt-4o-mni"]', encoding="utf-8")
    done = command("run", "hi")
    assert done.code == 2
    assert "chains.mine.models in " in done.complaint
    assert "did you mean gpt-4o-mini" in done.complaint
    assert not Path("runs.db").exists()
