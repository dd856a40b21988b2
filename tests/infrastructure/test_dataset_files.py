"""Data sets are read line by line, plain or gzip, with exact costs; what cannot be used says where and why."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.dataset import evaluated
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.dataset_csv import parse_columns
from model_orchestrator.infrastructure.dataset_files import read_examples
from model_orchestrator.infrastructure.dataset_rows import example, row_of
from model_orchestrator.infrastructure.datasets import name_of, open_dataset

LINE = (
    '{"id": "a", "task": "t", "prompt": "1 + 1?", "in_tok": 4, "models":'
    ' {"small": {"score": 1, "answer": "2", "text": "It is 2.", "out_tok": 5, "cost": 1.5e-06},'
    ' "big": {"score": 0.25, "in_tok": 6}}}\n'
)


def line(id_: str = "a", **changes: Any) -> str:
    """A row with one model, `small`, and with these fields changed; None leaves one out."""
    row = {"id": id_, "prompt": "1 + 1?", "models": {"small": {"score": 1}}} | changes
    return json.dumps({name: value for name, value in row.items() if value is not None}) + "\n"


def outcome(**changes: Any) -> str:
    """A row whose model's outcome has these fields."""
    return line(models={"small": {"score": 1} | changes})


def test_plain_and_gzip_say_the_same(tmp_path: Path) -> None:
    """Costs keep every digit; what is absent is None."""
    (tmp_path / "a.jsonl").write_text(LINE)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINE.encode()))
    plain, packed = (list(read_examples(tmp_path / name)) for name in ("a.jsonl", "a.jsonl.gz"))
    assert plain == packed
    small, big = plain[0].outcomes["small"], plain[0].outcomes["big"]
    assert (small.cost, small.is_right) == (Usd("0.0000015"), True)
    assert (big.text, big.cost, big.is_right, big.input_tokens) == (None, None, False, 6)


def test_a_row_comes_back_as_it_was(tmp_path: Path) -> None:
    """What is stored is what was read."""
    (tmp_path / "a.jsonl").write_text(LINE + line("b", contaminated=True).replace("small", "big"))
    (found,) = [example(json.loads(one)) for one in [LINE]]
    assert example(json.loads(json.dumps(row_of(found)))) == found


def test_contaminated_rows_are_kept_and_not_evaluated(tmp_path: Path) -> None:
    """Who measures drops them by name."""
    path = tmp_path / "set.jsonl"
    path.write_text(line("a") + line("b", contaminated=True))
    assert [one.id for one in open_dataset(str(path))] == ["a", "b"]
    assert [one.id for one in evaluated(open_dataset(str(path)))] == ["a"]


def test_the_order_of_the_models_does_not_matter(tmp_path: Path) -> None:
    """Every line needs the same ones, in any order."""
    path = tmp_path / "set.jsonl"
    both = {"small": {"score": 1}, "big": {"score": 0}}
    path.write_text(line("a", models=both) + line("b", models=dict(reversed(both.items()))))
    assert len(list(read_examples(path))) == 2


OFF = {
    "not JSON": ("{'id': 1}\n", "it is not JSON"),
    "cut JSON": (LINE[:50], "it is not JSON"),
    "no object": ("[1]\n", "it is not a JSON object"),
    "a deep one": ("[" * 100_000 + "\n", "it is not JSON"),
    "a long number": ('{"id": ' + "9" * 5000 + "}\n", "it is not JSON"),
    "no id": (line("a", id=None), "id: expected a text"),
    "an id of half a character": (line("\ud800"), "id: expected a text"),
    "no models": (line(models=None), "models: expected an object"),
    "empty models": (line(models={}), "models: expected an object"),
    "models as a list": (line(models=["small"]), "models: expected an object"),
    "a nameless model": (line(models={" ": {"score": 1}}), "models: expected a name"),
    "a model that looks like two": (line(models={"a,b": {"score": 1}}), "without a comma"),
    "a bare score": (line(models={"small": 1}), "models.small: expected an object"),
    "no score": (line(models={"small": {"text": "2"}}), "models.small.score: expected a number, got nothing"),
    "NaN": (outcome(score=float("nan")), "models.small.score: expected a number, got nan"),
    "infinity": (outcome(score=float("inf")), "models.small.score: expected a number, got inf"),
    "a score beyond numbers": (line().replace("1}", "1e999}"), "models.small.score: expected a number"),
    "a score of too many digits": (line().replace("1}", "9" * 400 + "}"), "models.small.score: expected a number"),
    "a score in words": (outcome(score="good"), "models.small.score: expected a number, got good"),
    "a negative cost": (outcome(cost=-1), "models.small.cost: expected US dollars"),
    "a NaN cost": (outcome(cost=float("nan")), "models.small.cost: expected US dollars"),
    "a cost in words": (outcome(cost="cheap"), "models.small.cost: expected US dollars"),
    "a contaminated in words": (line(contaminated="no"), "contaminated: expected true or false, got no"),
    "half a token": (outcome(out_tok=1.5), "models.small.out_tok: expected a count of tokens"),
    "negative tokens": (line(in_tok=-1), "in_tok: expected a count of tokens"),
    "a prompt that is no text": (line(prompt=["hi"]), "prompt: expected text, got list"),
    "an answer's text that is no text": (outcome(text=2), "models.small.text: expected text"),
}


@pytest.mark.parametrize(("text", "message"), OFF.values(), ids=OFF)
def test_a_damaged_row_is_named_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    """The blank line counts; the good one before is read."""
    path = tmp_path / "set.jsonl"
    path.write_text(line("good") + "\n" + text, encoding="utf-8", errors="surrogatepass")
    examples = read_examples(path)
    assert next(examples).id == "good"
    with pytest.raises(InvalidRequest) as caught:
        next(examples)
    assert f"{path}, line 3: " in str(caught.value)
    assert message in str(caught.value)


def test_a_line_without_one_of_the_models_is_an_error(tmp_path: Path) -> None:
    """The message names what is missing and what is too much."""
    path = tmp_path / "set.jsonl"
    path.write_text(line("a") + line("b", models={"big": {"score": 1}}))
    with pytest.raises(InvalidRequest, match=r"line 2: models: .*it lacks small and the lines before lack big"):
        list(read_examples(path))


def test_an_id_that_comes_twice_is_an_error(tmp_path: Path) -> None:
    """Predictions are told apart by it."""
    path = tmp_path / "set.jsonl"
    path.write_text(line("a") + line("b") + line("a"))
    with pytest.raises(InvalidRequest, match="line 3: id 'a' stands on an earlier line too"):
        list(read_examples(path))


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_an_error(content: str, tmp_path: Path) -> None:
    """Nothing to measure is no result."""
    path = tmp_path / "set.jsonl"
    path.write_text(content)
    with pytest.raises(InvalidRequest, match="it has no rows"):
        list(read_examples(path))


def test_broken_gzip_is_an_error(tmp_path: Path) -> None:
    """Cut short, or with a wrong byte inside."""
    path, packed = tmp_path / "set.jsonl.gz", gzip.compress("".join(line(str(n)) for n in range(1000)).encode())
    for damaged in (packed[:-9], packed[:300] + b"\xff\xff\xff" + packed[303:]):
        path.write_bytes(damaged)
        with pytest.raises(InvalidRequest, match=r"set\.jsonl\.gz.*"):
            list(read_examples(path))


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A missing one, a folder, and one of other bytes."""
    (tmp_path / "bytes.jsonl").write_bytes(b'{"id": "\xff"}')
    for name, message in {"none.jsonl": "No such file", ".": "directory", "bytes.jsonl": "not UTF-8"}.items():
        with pytest.raises(InvalidRequest, match=message):
            list(open_dataset(str(tmp_path / name)))


def test_a_pipe_is_an_error(tmp_path: Path) -> None:
    """A set is read more than once; nobody waits for a writer."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InvalidRequest, match="is a pipe, and a data set is read more than once"):
        list(open_dataset(str(tmp_path / "pipe.jsonl")))


def test_a_name_without_a_set_says_how_to_get_one() -> None:
    """Not a file, not imported."""
    with pytest.raises(InvalidRequest, match=r"there is no data set 'zeroeval'.*`datasets import FILE`"):
        open_dataset("zeroeval")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("zeroeval.jsonl", "zeroeval"),
        ("a/zeroeval.dev.jsonl.gz", "zeroeval.dev"),
        ("x.csv", "x"),
        ("zeroeval.dev", "zeroeval.dev"),
    ],
)
def test_a_set_is_named_after_its_file(file: str, name: str) -> None:
    """Without what says the format."""
    assert name_of(Path(file)) == name


def test_a_column_map_goes_before_a_heading_of_the_same_name(tmp_path: Path) -> None:
    """A column called `prompt` is passed over where the map has the prompt elsewhere."""
    path = tmp_path / "set.csv"
    path.write_text("prompt,question,small,small.score\nP,Q,1,0\n")
    (found,) = read_examples(path, parse_columns("prompt=question,small=small"))
    assert (found.prompt, found.outcomes["small"].score) == ("Q", 1.0)


def test_two_columns_for_one_field_are_an_error(tmp_path: Path) -> None:
    """Neither is quietly the one that counts."""
    path = tmp_path / "set.csv"
    path.write_text("prompt,small.score,small.score\nP,1,0\n")
    with pytest.raises(InvalidRequest, match=r"set\.csv has two columns 'small\.score'"):
        list(read_examples(path))
    with pytest.raises(InvalidRequest, match="--columns says twice where prompt stands"):
        parse_columns("prompt=question,prompt=text")


def test_a_cell_that_is_no_number_is_named_with_its_line(tmp_path: Path) -> None:
    """Also one that says so with a signal."""
    path = tmp_path / "set.csv"
    for cell in ("NaN", "sNaN", "inf", "good"):
        path.write_text(f"prompt,small.score\nP,{cell}\n")
        with pytest.raises(InvalidRequest, match=r"line 2: models\.small\.score: expected a number"):
            list(read_examples(path))
