"""`backtest`, over a data set and over the log."""

from __future__ import annotations

import gzip
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .command import command

SAMPLE = Path(__file__).parents[2] / "examples" / "data" / "zeroeval.sample.jsonl.gz"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_PROVIDER", "simulated")
    lines = gzip.decompress(SAMPLE.read_bytes()).decode().splitlines()[:40]
    Path("some.jsonl").write_text("\n".join(lines) + "\n")


def test_a_data_set_is_played_by_two_policies() -> None:
    """Every outcome is observed; models, oracle and front stand beside them."""
    done = command(
        "backtest", "--policy", "heuristic:ensemble", "--against", "heuristic", "--dataset", "some.jsonl", "--json"
    )
    found = done.document
    first, second = found["policies"]
    assert (first["name"], first["strategy"], second["strategy"]) == ("heuristic:ensemble", "ensemble", "auto")
    assert first["counts"]["quality_observed"] == first["counts"]["runs"] == 40
    assert first["figures"]["quality"]["low"] <= first["figures"]["quality"]["value"]
    assert (found["of"], len(found["models"])) == ("some", 11)
    assert all(found["oracle"]["quality"] >= one["quality"] for one in found["models"])
    assert found["pareto_front"]
    table = command("backtest", "--policy", "heuristic", "--dataset", "some.jsonl").stdout
    assert "40 (100.0%)" in table
    assert "ON THE FRONT" in table


@pytest.mark.parametrize("strategy", ["cheapest", "fallback", "ensemble", "auto"])
@pytest.mark.parametrize("policy", ["heuristic", "mine.toml"])
def test_what_a_backtest_plays_is_what_runs_do(strategy: str, policy: str) -> None:
    """The same chain, panel and classes from the file, from the imported set and in runs on it: the same calls."""
    Path("mine.toml").write_text('router = "shipped"\ntarget = 0.7\n')
    asked = ("--policy", f"{policy}:{strategy}", "--json")
    of_file = command("backtest", *asked, "--dataset", "some.jsonl").document
    assert command("datasets", "import", "some.jsonl").code == 0
    assert command("backtest", *asked, "--dataset", "some").document == of_file
    words = ("batch", "recorded:some", "--strategy", strategy, "--policy", policy, "--json", "--output", "answers")
    ran = command(*words).document
    assert (ran["completed"], ran["labelled"]) == (40, 40)
    (played,) = of_file["policies"]
    assert played["counts"]["cost_observed"] == 40
    assert played["figures"]["quality"]["value"] == pytest.approx(ran["accuracy"])
    assert played["figures"]["usd_per_1000"]["value"] == pytest.approx(float(ran["recorded_cost"]) / 40 * 1000)


def test_prompts_that_weights_were_trained_on_are_told() -> None:
    """The shipped ones know the sample's; the heuristics were never trained."""
    Path("mine.toml").write_text('router = "shipped"\n')
    words = ("backtest", "--policy", "mine.toml:cheapest", "--against", "heuristic", "--dataset", "some.jsonl")
    assert "mine:cheapest was trained on 40 of these prompts" in command(*words).stdout
    assert [one["trained_on"] for one in command(*words, "--json").document["policies"]] == [40, 0]


@pytest.mark.parametrize("name", ["out.svg", "out.html"])
def test_a_picture_is_written(name: str) -> None:
    """With the policy, the models, chance and the front."""
    assert command("backtest", "--policy", "heuristic", "--dataset", "some.jsonl", "--chart", name).code == 0
    text = Path(name).read_text()
    for word in ("heuristic", "gpt-4o-mini-2024-07-18", "oracle", "random mixing", "Pareto front", "claude-3-opus"):
        assert word in text
    if name.endswith("svg"):
        ElementTree.fromstring(text)


def test_the_log_is_played_and_explored_runs_weigh_in() -> None:
    """Money of different kinds stands apart; chances are earned by exploring."""
    for number in range(6):
        command("run", f"What is {number}+1?", "--explore", "1", "--quiet")
    done = command("backtest", "--policy", "heuristic", "--against", "heuristic:fallback", "--json")
    (found,) = done.document
    assert (found["of"], found["source"]) == ("simulated", "log")
    assert [one["name"] for one in found["policies"]] == ["heuristic", "heuristic:fallback", "as it ran"]
    assert found["policies"][0]["counts"]["drawn"] == 6
    assert found["policies"][2]["counts"]["cost_observed"] == 6
    assert found["policies"][0]["counts"]["quality_unknown"] == 6
    shown = command("backtest", "--policy", "heuristic").stdout
    assert "6 runs with simulated money" in shown
    chosen = command("backtest", "--policy", "heuristic", "--where", "model = none", "--json")
    assert chosen.document == []
    assert (
        command("backtest", "--policy", "heuristic", "--since", "2020-01", "--until", "2020-02", "--json").document
        == []
    )


def test_runs_on_a_data_set_that_is_gone_are_unknown() -> None:
    """Removed, or with other rows under its name; what really happened is known all the same."""
    command("run", "What is 2+2?", "--quiet")
    command("datasets", "import", "some.jsonl")
    command("batch", "recorded:some", "--quiet", "--output", "answers")
    Path("other.jsonl").write_text(Path("some.jsonl").read_text().replace("gpt-4o-2024-08-06", "gpt-4o-later"))
    for gone in (("import", "other.jsonl", "--name", "some", "--replace"), ("remove", "some")):
        command("datasets", *gone)
        done = command("backtest", "--policy", "heuristic", "--json").document
        counts = {one["of"]: [policy["counts"] for policy in one["policies"]] for one in done}
        assert [one["cost_unknown"] for one in counts["simulated"]] == [0, 0]
        assert [one["cost_unknown"] for one in counts["recorded"]] == [40, 0]
        found = command("runs", "replay", "--since", "1d", "--policy", "heuristic", "--json").document["totals"]
        assert found["why_not"] == {"its data set was removed or replaced": 40}


def test_runs_in_which_a_judge_was_asked_are_no_history() -> None:
    """No policy decides whom they ask; what they cost is in no figure."""
    command("run", "What is 2+2?", "--quiet")
    before = command("backtest", "--policy", "heuristic", "--json").document
    command("runs", "rescore", "last", "--scorer", "judge:gpt-4o", "--max-cost", "0.5")
    assert len(command("runs", "list", "--json").document) == 2
    assert command("backtest", "--policy", "heuristic", "--json").document == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--policy", "heuristics"), "there is no policy 'heuristics'; did you mean heuristic?"),
        (("--policy", "heuristic:best"), "expected NAME, or NAME:STRATEGY"),
        (("--policy", "heuristic", "--chart", "a.png"), "expected a name that ends in .svg or .html"),
        (("--policy", "heuristic", "--dataset", "some.jsonl", "--since", "7d"), "leave them out with --dataset"),
        (("--policy", "heuristic", "--dataset", "none.jsonl"), "none.jsonl"),
        (("--policy", "heuristic", "--dataset", "empty.jsonl"), "empty"),
    ],
)
def test_mistakes_are_said(arguments: tuple[str, ...], complaint: str) -> None:
    """In one line, with exit 2."""
    Path("empty.jsonl").write_text("")
    command("run", "hi", "--quiet")
    done = command("backtest", *arguments)
    assert done.code == 2
    assert complaint in done.stderr


def test_without_runs_there_is_nothing_to_play() -> None:
    """As everywhere, no file is made."""
    done = command("backtest", "--policy", "heuristic")
    assert done.code == 1
    assert "there is no run yet" in done.stderr
    assert not Path("runs.db").exists()
