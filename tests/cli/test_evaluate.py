"""`evaluate` as a user meets it: a table, JSON with fixed keys, predictions, pictures, and errors that say why."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from model_orchestrator.application.evaluation.recorded_set import recorded_set
from model_orchestrator.application.evaluation.report import KEYS
from model_orchestrator.cli.evaluate_asked import second_asked
from model_orchestrator.domain.confidence import SCORER
from model_orchestrator.infrastructure.learned_weights import digest
from model_orchestrator.infrastructure.weights_store import SHIPPED

from ..recorded import BIG, OTHER, SMALL, example, file_of
from .command import command

KINDS = {  # arguments, the field of a prediction, figures that are numbers
    "routing": (("--weak", SMALL, "--strong", BIG), "score", {"apgr", "cpt50", "cpt80", "quality", "usd_per_1000"}),
    "confidence": (("--model", SMALL), "confidence", {"auroc", "ece", "brier", "quality", "usd_per_1000"}),
    "cascade": (("--weak", SMALL, "--strong", BIG, "--second", OTHER), "confidence", set(KEYS)),
    "ensemble": (("--models", f"{BIG},{OTHER},{SMALL}", "--adaptive"), "model", {"quality", "usd_per_1000"}),
}

MMLU_PRO = Path(__file__).parents[2] / "examples" / "data" / "mmlu_pro.sample.jsonl.gz"
FLASH, PRO = "gemini-1.5-flash-002", "gemini-1.5-pro-002"


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """A file of sums."""
    return str(file_of(tmp_path / "sums.jsonl", [example(number) for number in range(1, 61)]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_in_full(kind: str, dataset: str, tmp_path: Path) -> None:
    """JSON has every key, null where it means nothing; a line a prompt is written; the picture is well-formed."""
    arguments, field, known = KINDS[kind]
    lines, chart = tmp_path / "out.jsonl", tmp_path / "out.svg"
    done = command(
        "evaluate", kind, "--dataset", dataset, *arguments, "--json", "--predictions", str(lines), "--chart", str(chart)
    )
    assert done.code == 0, done
    assert {key for key in KEYS if done.document[key] is not None} == known
    assert done.document["prompts"] == 60
    assert all(low <= high for low, high in done.document["intervals"].values())
    predictions = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    fields = {"id", field, "score"} if kind == "cascade" else {"id", field}
    assert [set(one) for one in predictions] == [fields] * 60
    assert ElementTree.parse(chart).getroot().tag.endswith("svg")
    text = command("evaluate", kind, "--dataset", dataset, *arguments)
    assert text.code == 0
    assert "60 prompts" in text.stdout.splitlines()[0]
    assert "95 % intervals of" in text.stdout


@pytest.mark.parametrize("models", [("--weak", FLASH, "--strong", PRO), ("--models", f"{FLASH},{PRO}")])
def test_prompts_that_weights_were_trained_on_are_told(models: tuple[str, ...]) -> None:
    """The shipped weights know those of the sample."""
    words = ("evaluate", "routing", "--dataset", str(MMLU_PRO), *models, "--policy", "learned", "--json")
    assert "trained on 300 of these 300 prompts" in command(*words).document["notes"][-1]


@pytest.fixture(scope="module")
def sums_of_zeroeval(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Some of the sample's prompts, as a file."""
    path = tmp_path_factory.mktemp("zeroeval") / "zeroeval.jsonl"
    with gzip.open(MMLU_PRO.with_name("zeroeval.sample.jsonl.gz"), "rt", encoding="utf-8") as lines:
        path.write_text("".join(islice(lines, 60)), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("options", "second", "rule"),
    [
        ((), "gemini-1.5-flash", "gain"),
        (("--second", "none"), None, "gain"),
        (("--second", "gemini-1.5-pro"), "gemini-1.5-pro", "threshold"),
        (("--threshold", "0.8"), None, "threshold"),
    ],
)
def test_a_cascade_is_the_best_that_was_trained_unless_told_otherwise(
    options: tuple[str, ...], second: str | None, rule: str, sums_of_zeroeval: str, tmp_path: Path
) -> None:
    """It says so; and the confidences of its predictions rank answers as it does."""
    lines = tmp_path / "out.jsonl"
    pair = ("--weak", "gpt-4o-mini-2024-07-18", "--strong", "gpt-4o-2024-08-06", "--policy", "learned", *options)
    words = ("evaluate", "cascade", "--dataset", sums_of_zeroeval, *pair, "--predictions", str(lines), "--json")
    done = command(*words).document
    assert done.get("second") == second
    assert rule in done
    told = "second answer by gemini-1.5-flash, as trained; --second none leaves it out"
    assert (told in done["notes"]) == (options == ())
    found = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    by_score, by_confidence = (sorted(found, key=key) for key in (itemgetter("score"), lambda one: -one["confidence"]))
    assert by_score == by_confidence
    assert all(0 <= one["confidence"] <= 1 for one in found)


def test_a_second_model_that_the_set_lacks_is_left_out() -> None:
    """And that is said."""
    data = recorded_set("sums", [example(1), example(2)])
    assert second_asked(None, OTHER, data).model == OTHER
    left = second_asked(None, "elsewhere", data)
    assert left.model is None
    assert "elsewhere, which the data set lacks" in left.notes[0]


OWN = """
[policies.frugal]
router = "routing.json"
target = 0.5
scorer = "learned"
scorer_weights = "confidence.json"
"""


def _reworked(kind: str) -> str:
    """The shipped weights with a word more, in the working folder; eight digits of their hash."""
    file = json.loads((SHIPPED / f"{kind}.json").read_text(encoding="utf-8"))
    file["weights"]["changed"] = True
    file["sha256"] = digest(file["weights"])
    Path(f"{kind}.json").write_text(json.dumps(file), encoding="utf-8")
    return str(file["sha256"][:8])


def test_a_policy_of_ones_own_is_judged_by_its_weights_and_target(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name in the settings or as a file; what it does not say is as under heuristic."""
    monkeypatch.chdir(tmp_path)
    Path("model-orchestrator.toml").write_text(OWN, encoding="utf-8")
    Path("alike.toml").write_text(OWN.partition("]")[2], encoding="utf-8")
    Path("plain.toml").write_text("", encoding="utf-8")
    own = {kind: _reworked(kind) for kind in ("routing", "confidence")}

    def judged(kind: str, *words: str) -> dict[str, Any]:
        done = command("evaluate", kind, "--json", *words)
        assert done.code == 0, done
        document: dict[str, Any] = done.document
        return document

    many = ("routing", "--dataset", str(MMLU_PRO), "--models", f"{FLASH},{PRO}")
    for name in ("frugal", "alike.toml"):
        found = judged(*many, "--policy", name)
        assert (found["target"], found["policy"]) == (0.5, f"routing-{own['routing']}")
        assert judged(*many, "--policy", name, "--target", "0.6")["target"] == 0.6
        found = judged("confidence", "--dataset", dataset, "--model", SMALL, "--policy", name)
        assert found["policy"] == f"learned-{own['confidence']}"
    assert judged(*many, "--policy", "learned")["target"] == 0.8
    assert judged("confidence", "--dataset", dataset, "--model", SMALL, "--policy", "plain.toml")["policy"] == SCORER


def test_what_learned_weights_do_not_know_is_told(dataset: str) -> None:
    """A pair that no data set held, and models whose answers were never read."""
    pair = ("--weak", SMALL, "--strong", BIG)
    found = command("evaluate", "routing", "--dataset", dataset, *pair, "--policy", "learned", "--json").document
    assert "knows no pair small and big: it went by the plain difficulty" in found["notes"][-1]
    panel = ("ensemble", "--models", f"{SMALL},{BIG}")
    for words, named in (
        (("confidence", "--model", SMALL), SMALL),
        (("cascade", *pair), SMALL),
        (panel, f"{SMALL}, {BIG}"),
    ):
        told = command("evaluate", *words, "--dataset", dataset, "--policy", "learned", "--json").document["notes"]
        assert any(f"was not trained on answers of {named}:" in note for note in told)
        assert "trained on answers" not in command("evaluate", *words, "--dataset", dataset).stdout


@pytest.mark.parametrize("policy", ["heuristic", "learned"])
def test_answers_can_be_judged_where_the_prompts_are_not_told(policy: str, tmp_path: Path) -> None:
    """Only a router needs them."""
    rows = [replace(example(number), prompt=None) for number in range(1, 61)]
    silent = str(file_of(tmp_path / "silent.jsonl", rows))
    for words in (("confidence", "--model", SMALL), ("cascade", "--weak", SMALL, "--strong", BIG), ("ensemble",)):
        assert command("evaluate", *words, "--dataset", silent, "--policy", policy).code == 0


def test_a_page_is_drawn_too(dataset: str, tmp_path: Path) -> None:
    """With the figures below it."""
    page = tmp_path / "out.html"
    done = command("evaluate", "routing", "--dataset", dataset, "--weak", SMALL, "--strong", BIG, "--chart", str(page))
    assert done.code == 0
    assert "<table>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("routing", "--weak", SMALL), "name both --weak and --strong"),
        (("routing", "--weak", SMALL, "--strong", BIG, "--target", "0.9"), "choose among many models"),
        (("routing",), "policy heuristic does not know how likely"),
        (("routing", "--policy", "learned", "--target", "2"), "target 2.0: expected 0 to 1"),
        (("routing", "--policy", "learned", "--target", "0.5", "--budget", "1"), "not both"),
        (("routing", "--policy", "learned", "--budget", "-1"), "budget -1.0: expected US dollars"),
        (("routing", "--weak", SMALL, "--strong", "bog"), "has no model 'bog': did you mean big?"),
        (
            ("routing", "--weak", SMALL, "--strong", BIG, "--policy", "best"),
            "there is no policy 'best'; policies are heuristic, learned; or a TOML file",
        ),
        (("routing", "--weak", SMALL, "--strong", BIG, "--chart", "x.png"), "ends in .svg or .html"),
        (("confidence", "--model", SMALL, "--policy", "heuristic", "--weights", "w"), "heuristic has no weights"),
        (("confidence", "--model", SMALL, "--policy", "own.toml", "--weights", "w"), "own.toml names its own weights"),
        (("confidence", "--model", SMALL, "--policy", "judged.toml"), "asks judge:gpt-4o about answers"),
        (("routing", "--policy", "judged.toml"), "policy judged does not know how likely"),
        (("cascade", "--weak", SMALL, "--strong", BIG, "--threshold", "7"), "threshold 7.0: expected 0 to 1"),
        (("ensemble", "--method", "judge"), "expected vote or score"),
        (("ensemble", "--models", f"{SMALL},{SMALL}"), "one is named twice"),
        (("ensemble", "--models", f"{SMALL},"), "no model ''"),
    ],
)
def test_misuse_is_told(
    arguments: tuple[str, ...], said: str, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with exit 2."""
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text('scorer = "learned"', encoding="utf-8")
    Path("judged.toml").write_text('scorer = "judge:gpt-4o"', encoding="utf-8")
    kind, *rest = arguments
    done = command("evaluate", kind, "--dataset", dataset, *rest)
    assert done.code == 2
    assert said in done.complaint


def test_a_set_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By the name asked for."""
    env = {"MODEL_ORCHESTRATOR_DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}"}
    done = command("evaluate", "confidence", "--dataset", "nope", "--model", SMALL, **env)
    assert done.code == 2
    assert "nope" in done.complaint
