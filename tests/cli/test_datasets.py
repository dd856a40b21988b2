"""`datasets`, and every strategy end to end on recorded answers."""

import gzip
import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.dataset import Example
from model_orchestrator.infrastructure.dataset_files import read_examples
from tests.cli.command import command
from tests.database import Database

SAMPLES = Path(__file__).parents[2] / "examples" / "data"
ZEROEVAL = SAMPLES / "zeroeval.sample.jsonl.gz"
ROWS = list(read_examples(ZEROEVAL))
SURE = next(row for row in ROWS if all(one.is_right for one in row.outcomes.values()))
TORN = next(row for row in ROWS if row.id == "gsm-gsm8k-main-test-#765")  # gemini-1.5-flash is wrong


def recorded(row: Example, model: str) -> Any:
    """The model's outcome."""
    return row.outcomes[model]


def ask(row: Example, *options: str) -> Any:
    """A run on the set, as JSON."""
    done = command("run", str(row.prompt), "--provider", "recorded:zeroeval", "--json", *options)
    assert done.code == 0, done
    return done.document


@pytest.fixture
def zeroeval(database: Database) -> Database:
    """A database with the set."""
    assert command("datasets", "import", str(ZEROEVAL), "--name", "zeroeval").code == 0
    return database


def test_import_list_show_and_remove(database: Database) -> None:
    """The life of a set; nothing of it is an event."""
    assert "no data set yet" in command("datasets", "list").stderr
    words = ("datasets", "import", str(ZEROEVAL), "--licence", "Apache-2.0", "--source", "ZeroEval", "--json")
    done = command(*words)
    assert (done.document["name"], done.document["rows"], done.document["imported"]) == ("zeroeval.sample", 300, True)
    again = command(*words)
    assert again.document["imported"] is False
    assert "there already" in again.stderr
    (listed,) = command("datasets", "list", "--json").document
    shown = command("datasets", "show", "zeroeval.sample", "--json").document
    assert listed == shown == {name: value for name, value in done.document.items() if name != "imported"}
    assert (shown["licence"], shown["source"], len(shown["models"])) == ("Apache-2.0", "ZeroEval", 11)
    text = command("datasets", "show", "zeroeval.sample").stdout
    assert "gpt-4o-mini-2024-07-18            0.757  $0.0002219725        300" in text
    assert "zeroeval.sample   300      11" in command("datasets", "list").stdout
    assert command("datasets", "remove", "zeroeval.sample").code == 0
    assert "there is no data set" in command("datasets", "show", "zeroeval.sample").complaint
    assert "there is no data set" in command("datasets", "remove", "zeroeval.sample").complaint
    assert [database.count(table) for table in ("events", "contents", "datasets", "dataset_rows")] == [0, 0, 0, 0]


def test_csv_with_a_column_map(database: Database, tmp_path: Path) -> None:
    """Other headings, quoted lines, a missing id; a wrong map says what there is."""
    file = tmp_path / "graded.csv"
    file.write_text('question,says,right,price\n"1 +\n1?",2,true,0.5\n1 + 2?,4,0,\n', encoding="utf-8-sig")
    map_ = "prompt=question,m=right,m.text=says,m.cost=price"
    found = command("datasets", "import", str(file), "--columns", map_, "--json").document
    assert (found["name"], found["rows"]) == ("graded", 2)
    assert found["models"][0]["mean_score"] == 0.5
    assert found["models"][0]["mean_cost"] == "0.5"
    done = command("run", "1 +\n1?", "--provider", "recorded:graded", "--json")
    assert (done.document["response"], done.document["cost"]) == ("2", "0.5")
    for wrong, message in {
        "prompt=nothing,m=right": "has no column 'nothing': its first line names question, says, right, price",
        "prompt": "expected FIELD=COLUMN",
        "m=right,n=right": "names the column 'right' twice",
        "prompt=question": "has no model's score",
        "m=says,prompt=question,m.in_tok=right": "line 3: models.m.in_tok: expected a count of tokens, got 'true'",
        "m=question": "models.m.score: expected a number",
    }.items():
        done = command("datasets", "import", str(file), "--name", "other", "--columns", wrong)
        assert (done.code, message in done.complaint) == (2, True), done
    file.write_text("m.score,prompt\n1\n")
    assert "line 2: it has 1 cells, and the heading has 2" in command("datasets", "import", str(file)).complaint
    file.write_text("m.score,prompt\n")
    assert "it has no rows" in command("datasets", "import", str(file)).complaint
    assert "--columns is for CSV" in command("datasets", "import", str(ZEROEVAL), "--columns", "a=b").complaint
    assert database.count("datasets") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has no rows"),
        (b'{"id": "1"}', "line 1: models: expected an object"),
        (b'{"id": "1", "models": {"m": {"score": NaN}}}', "line 1: models.m.score: expected a number, got nan"),
        (b"\x1f\x8b broken", "its gzip data is damaged"),
        (gzip.compress(b'{"id": "1", "models": {"m": {"score": 1}}}' * 99, mtime=0)[:-9], "its gzip data is damaged"),
        (b"hello", "line 1: it is not JSON"),
        (b'{"id": "1", "models": {"m": {"score": 1}}}\n' * 2, "line 2: id '1' stands on an earlier line too"),
    ],
)
def test_a_bad_file_is_one_line_and_leaves_nothing(content: bytes, message: str, database: Database) -> None:
    """Exit 2; a missing file likewise."""
    Path("bad.jsonl").write_bytes(content)
    done = command("datasets", "import", "bad.jsonl")
    assert (done.code, message in done.complaint) == (2, True), done
    assert "cannot read none.jsonl: No such file" in command("datasets", "import", "none.jsonl").complaint
    assert command("datasets", "list", "--json").document == []


def test_a_content_key_is_said_not_to_cover_it(database: Database) -> None:
    """The texts stand there as they are."""
    key = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDc="
    done = command("datasets", "import", str(ZEROEVAL), MODEL_ORCHESTRATOR_CONTENT_KEY=key)
    assert "the content key encrypts those of runs only" in done.stderr


def test_cheapest_answers_as_recorded(zeroeval: Database) -> None:
    """The recorded text, tokens and cost, as recorded money."""
    done = ask(SURE)
    outcome = recorded(SURE, done["model_used"])
    assert done["response"] == outcome.text
    assert Decimal(done["cost"]) == outcome.cost
    assert (done["input_tokens"], done["output_tokens"]) == (SURE.input_tokens, outcome.output_tokens)
    assert (done["metadata"]["money"], done["metadata"]["simulated"]) == ("recorded", False)
    report = command("costs", "report", "--json").document
    assert Decimal(report["recorded"]["total"]) == outcome.cost
    assert report["real"]["rows"] == report["simulated"]["rows"] == []


def test_fallback_escalates_on_real_answers(zeroeval: Database) -> None:
    """A high threshold asks the whole chain; each answer costs what it did."""
    done = ask(TORN, "--strategy", "fallback", "--threshold", "1")
    chain = ["gemini-1.5-flash", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "claude-3-5-sonnet-20241022"]
    assert done["fallback_chain"] == chain
    assert Decimal(done["cost"]) == sum(recorded(TORN, name).cost for name in chain)


def test_an_ensemble_outvotes_a_wrong_answer(zeroeval: Database) -> None:
    """The third is asked because two differ; the wrong one dissents."""
    done = ask(TORN, "--strategy", "ensemble")
    assert done["ensemble_models"] == [
        "gemini-1.5-flash",
        "gpt-4o-mini-2024-07-18",
        "Meta-Llama-3.1-70B-Instruct",
    ]
    assert done["metadata"]["dissent"] == ["gemini-1.5-flash"]
    assert recorded(TORN, done["model_used"]).is_right
    assert Decimal(done["cost"]) == sum(recorded(TORN, name).cost for name in done["ensemble_models"])


def test_streaming_compare_and_strategies_show(zeroeval: Database) -> None:
    """Wherever a provider can be named."""
    done = command("run", str(SURE.prompt), "--provider", "recorded:zeroeval", "--stream")
    assert "(recorded)" in done.stderr
    row = command("compare", str(SURE.prompt), "--provider", "recorded:zeroeval", "--live", "--max-cost", "1", "--json")
    assert [one["strategy"] for one in row.document["strategies"] if one["result"]] == [
        "cheapest",
        "fallback",
        "ensemble",
    ]
    shown = command("strategies", "show", "--provider", "recorded:zeroeval", "--json").document
    assert shown["panels"]["hard"] == ["gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "claude-3-5-sonnet-20241022"]
    listed = command("models", "list", "--json", MODEL_ORCHESTRATOR_PROVIDER="recorded:zeroeval").document
    assert len(listed["models"] if isinstance(listed, dict) else listed) == 11


@pytest.mark.parametrize("strategy", ["cheapest", "fallback", "ensemble", "auto"])
def test_a_whole_set_runs_through_each_strategy(strategy: str, zeroeval: Database) -> None:
    """Every line is answered, and the money is what the answers cost; nothing is wrong with the log."""
    words = ("batch", "recorded:zeroeval", "--strategy", strategy, "--json", "--output", "out.jsonl")
    summary = command(*words).document
    assert (summary["completed"], summary["failed"], summary["invalid"]) == (300, 0, 0)
    assert (summary["cost"], summary["simulated_cost"], summary["unknown_costs"]) == ("0", "0", 0)
    lines = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == [row.id for row in ROWS]
    assert all(
        line["response"] == recorded(row, line["model_used"]).text for line, row in zip(lines, ROWS, strict=True)
    )
    grades = [recorded(row, line["model_used"]).score for line, row in zip(lines, ROWS, strict=True)]
    assert [line["grade"] for line in lines] == grades
    assert (summary["labelled"], summary["accuracy"]) == (300, pytest.approx(sum(grades) / 300))
    if strategy == "cheapest":
        paid = sum(recorded(row, line["model_used"]).cost for line, row in zip(lines, ROWS, strict=True))
        assert Decimal(summary["recorded_cost"]) == paid
    assert command("audit", "verify").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("another prompt",), "the data set 'zeroeval' does not have this prompt"),
        ((str(SURE.prompt), "--system", "Be brief."), "answers single prompts: give one, and no system message"),
        (
            (str(SURE.prompt), "--model", "gpt-6-luna"),
            "holds nothing of gpt-6-luna; it can answer as gpt-3.5-turbo-0125, gpt-4o-mini",
        ),
        ((str(SURE.prompt), "--strategy", "ensemble", "--method", "judge"), "no answers to the questions of a judge"),
        ((str(SURE.prompt), "--scorer", "judge:gemini-1.5-flash"), "no answers to the questions of a judge"),
    ],
)
def test_what_a_set_cannot_answer_is_said_before_anything_is_done(
    options: tuple[str, ...], message: str, zeroeval: Database
) -> None:
    """Exit 2, nothing recorded; a dry run says it too."""
    for more in ((), ("--dry-run",)):
        done = command("run", *options, "--provider", "recorded:zeroeval", *more)
        assert (done.code, message in done.complaint) == (2, True), done
    assert zeroeval.count("events") == 0


def test_an_answer_beyond_a_limit_fails_the_run(zeroeval: Database) -> None:
    """It is not cut, and costs nothing; the message says what to do."""
    done = command("run", str(SURE.prompt), "--provider", "recorded:zeroeval", "--max-tokens", "3")
    assert done.code == 1
    assert "no answer of it to this prompt that --max-tokens and --max-cost allow" in done.complaint


def test_a_set_of_scores_cannot_be_asked(database: Database) -> None:
    """It says so, and where it can be used."""
    command("datasets", "import", str(SAMPLES / "routellm_mmlu.sample.jsonl.gz"), "--name", "mmlu")
    done = command("run", "hi", "--provider", "recorded:mmlu")
    assert (done.code, "'mmlu' has no answers: it holds scores only" in done.complaint) == (2, True), done


def test_a_set_without_costs_runs_unpriced(database: Database) -> None:
    """Unknown is not nothing; no budget takes it."""
    path = SAMPLES / "routellm_gsm8k.sample.jsonl.gz"
    command("datasets", "import", str(path), "--name", "gsm8k")
    prompt = str(next(read_examples(path)).prompt)
    done = command("run", prompt, "--provider", "recorded:gsm8k", "--strategy", "ensemble", "--json")
    assert done.document["cost"] is None
    assert done.document["output_tokens"] > 0
    assert "no price" in command("run", prompt, "--provider", "recorded:gsm8k", "--max-cost", "1").complaint


def test_a_set_grades_its_own_answers(zeroeval: Database) -> None:
    """Each answer of a run, once, exactly as recorded; another set under the name says nothing of an old answer."""
    chain = "gemini-1.5-flash,gpt-4o-mini-2024-07-18"
    key = ("--idempotency-key", "once")
    done = ask(TORN, "--strategy", "fallback", "--chain", chain, "--threshold", "1", *key)
    assert done["metadata"]["grade"] == recorded(TORN, done["model_used"]).score
    ask(TORN, "--strategy", "fallback", "--chain", chain, "--threshold", "1", *key)
    given = command("runs", "show", done["run_id"], "--json").document["feedback"]
    chosen = done["model_used"]
    (other,) = (number for number, model in enumerate(chain.split(","), 1) if model != chosen)
    assert [(one["attempt"], one["by"], one["value"]) for one in given] == [
        (other, "dataset", recorded(TORN, chain.split(",")[other - 1]).score),
        (None, "dataset", recorded(TORN, chosen).score),
    ]
    lines = [json.loads(line) for line in gzip.decompress(ZEROEVAL.read_bytes()).splitlines()]
    for line in lines:
        for one in line["models"].values():
            one.update(text=one["text"].swapcase(), score=1 - one["score"])
    Path("other.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert command("datasets", "import", "other.jsonl", "--name", "zeroeval", "--replace").code == 0
    again = ask(TORN, "--strategy", "fallback", "--chain", chain, "--threshold", "1", *key)
    assert (again["run_id"], again["metadata"].get("grade")) == (done["run_id"], None)
    assert len(command("runs", "show", done["run_id"], "--json").document["feedback"]) == 2


def test_answers_of_others_are_compared_with_the_reference(zeroeval: Database) -> None:
    """The set has no grade of those."""
    summary = command("batch", "recorded:zeroeval", "--provider", "simulated", "--output", "o", "--json").document
    assert summary["labelled"] == 300
    line = json.loads(Path("o").read_text(encoding="utf-8").splitlines()[0])
    assert (line["grade"], type(line["as_expected"])) == (None, bool)


def test_a_hold_covers_every_recorded_answer(zeroeval: Database) -> None:
    """Under a budget each run holds first; what it settles is never more."""
    assert command("budgets", "set", "global", "100").code == 0
    summary = command("batch", "recorded:zeroeval", "--model", "gpt-4o-2024-08-06", "--json", "--output", "o").document
    assert summary["completed"] == 300
    assert Decimal(summary["recorded_cost"]) == sum(recorded(row, "gpt-4o-2024-08-06").cost for row in ROWS)
    for hold, spent in zeroeval.rows("SELECT held, settled FROM log.balances WHERE money = 'recorded'"):
        assert (hold, spent > 0) == (0, True)


def dying(**plan: Any) -> int:
    """How a worker ended that goes by the plan."""
    words = [sys.executable, "-m", "tests.dying_worker", json.dumps(plan)]
    return subprocess.run(words, env={**os.environ, "PYTHONPATH": path_of_imports()}, check=False).returncode


def path_of_imports() -> str:
    return os.pathsep.join([str(Path(__file__).parents[2]), *(entry for entry in sys.path if entry)])


def test_a_run_whose_worker_died_goes_on_from_the_set(zeroeval: Database) -> None:
    """Its world is made again; the answer that was heard is not asked again, and a set that is gone is said."""
    options = {"strategy": "fallback", "threshold": 1.0, "provider": "recorded:zeroeval"}
    for _ in range(2):
        assert dying(run={"prompt": TORN.prompt, **options}, after_answer=2, lease=0.01) == -signal.SIGKILL
    first, second = [one["run_id"] for one in command("runs", "list", "--json").document]
    assert command("runs", "resume", first, "--json").code == 0
    shown = command("runs", "show", first, "--json").document
    chain = ["gemini-1.5-flash", "gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"]
    assert [one["model"] for one in shown["attempts"]][:4] == chain
    assert shown["attempts"][1]["status"] == "lost"
    command("datasets", "remove", "zeroeval")
    assert "there is no data set 'zeroeval'" in command("runs", "resume", second).complaint


def test_contaminated_rows_are_not_asked(database: Database) -> None:
    """`batch` leaves them out; a prompt by itself is answered."""
    path = SAMPLES / "routellm_gsm8k.sample.jsonl.gz"
    command("datasets", "import", str(path), "--name", "gsm8k")
    done = command("batch", "recorded:gsm8k", "--json", "--output", "out.jsonl")
    assert done.document["lines"] == 297
    assert command("batch", "recorded:none").code == 2


def test_a_backup_keeps_the_sets(zeroeval: Database) -> None:
    """They are in the same file."""
    if not zeroeval.is_file:
        return
    assert command("db", "backup", "copy.db").code == 0
    assert command("db", "restore", "copy.db", "--database", "sqlite:///again.db").code == 0
    (found,) = command("datasets", "list", "--json", "--database", "sqlite:///again.db").document
    assert found["rows"] == 300
