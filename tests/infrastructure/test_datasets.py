"""Imported data sets: stored whole or not at all, on both databases, apart from everything that runs record."""

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from model_orchestrator.domain.dataset import Example, Outcome, evaluated
from model_orchestrator.domain.dataset_summary import output_to_hold, summarized
from model_orchestrator.domain.errors import ConfigurationError, InvalidRequest
from model_orchestrator.domain.pricing import worst_cost
from model_orchestrator.domain.request import prompt_request
from model_orchestrator.domain.tokens import bound_input
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.dataset_files import read_examples
from model_orchestrator.infrastructure.datasets import import_dataset, imported, open_dataset, recorded_example
from model_orchestrator.infrastructure.recorded import recorded_catalogue
from model_orchestrator.infrastructure.store.dataset_tables import DatasetTables, open_dataset_tables
from tests.database import Database

SAMPLES = Path(__file__).parents[2] / "examples" / "data"


def one(id_: str = "a", *, contaminated: bool = False, prompt: str | None = None, **outcomes: Outcome) -> Example:
    """A row, by default of one model that is right."""
    return Example(
        id=id_,
        task="sums",
        prompt=prompt or f"What is {id_}?",
        reference=None,
        input_tokens=10,
        contaminated=contaminated,
        outcomes=outcomes or {"small": Outcome(score=1.0, text="2", output_tokens=1, cost=Usd("0.000001"))},
    )


ROWS = [one("a"), one("b", contaminated=True), one("c é", prompt="half a \ud800 and \x00")]


@pytest.fixture
def tables(database: Database) -> Iterator[DatasetTables]:
    """Of a new database."""
    with closing(open_dataset_tables(database.url)) as opened:
        yield opened


def test_a_set_comes_back_as_it_was_given(tables: DatasetTables, database: Database) -> None:
    """In its order, half a character and NUL included; twice, since reading changes nothing."""
    found, is_new = import_dataset(tables, "set", lambda: ROWS, source="here", licence="MIT")
    assert is_new
    assert list(open_dataset("set", database.url)) == list(open_dataset("set", database.url)) == ROWS
    assert [row.id for row in evaluated(open_dataset("set", database.url))] == ["a", ROWS[2].id]
    assert [imported(stored) for stored in tables.every()] == [found]
    assert (found.source, found.licence, found.summary.rows, found.summary.contaminated) == ("here", "MIT", 3, 1)


def test_a_long_set_is_read_page_by_page(tables: DatasetTables, database: Database) -> None:
    """Over many pages, in order."""
    rows = [one(str(number)) for number in range(1000)]
    import_dataset(tables, "set", lambda: rows)
    assert list(open_dataset("set", database.url)) == rows


def test_the_same_rows_again_change_nothing(tables: DatasetTables) -> None:
    """Other rows under that name are an error, unless they are to replace it."""
    first, _ = import_dataset(tables, "set", lambda: ROWS)
    assert import_dataset(tables, "set", lambda: ROWS) == (first, False)
    with pytest.raises(InvalidRequest, match="there is another data set 'set': give --name, or --replace"):
        import_dataset(tables, "set", lambda: ROWS[:2])
    assert [imported(stored) for stored in tables.every()] == [first]
    second, is_new = import_dataset(tables, "set", lambda: ROWS[:2], is_replacement=True)
    assert is_new
    assert second.summary.rows == 2
    assert recorded_example(tables, "set", str(ROWS[2].prompt)) is None


def test_a_prompt_is_found_by_its_exact_words(tables: DatasetTables) -> None:
    """Of equal prompts the first row; another set's are not seen."""
    again = replace(one("z", prompt="What is a?"), reference="second")
    import_dataset(tables, "set", lambda: [*ROWS, again])
    import_dataset(tables, "other", lambda: [one("d")])
    assert recorded_example(tables, "set", "What is a?") == ROWS[0]
    assert recorded_example(tables, "set", "half a \ud800 and \x00") == ROWS[2]
    for other in ("What is a? ", "what is a?", "What is d?"):
        assert recorded_example(tables, "set", other) is None


def test_an_import_that_fails_leaves_what_was_there(tables: DatasetTables) -> None:
    """Nothing is half there: not after an error in the middle, not where the file changed between its two readings."""
    first, _ = import_dataset(tables, "set", lambda: ROWS)

    def broken() -> Iterable[Example]:
        yield ROWS[0]
        if readings:
            raise InvalidRequest("gone")
        readings.append(1)
        yield ROWS[1]

    readings: list[int] = []
    with pytest.raises(InvalidRequest, match="gone"):
        import_dataset(tables, "set", broken, is_replacement=True)
    versions = iter([ROWS, ROWS[:1]])
    with pytest.raises(InvalidRequest, match="changed while it was read"):
        import_dataset(tables, "set", lambda: next(versions), is_replacement=True)
    assert [imported(stored) for stored in tables.every()] == [first]
    assert recorded_example(tables, "set", "What is a?") == ROWS[0]


def killed(url: str) -> None:
    """A process that dies in the middle of writing."""

    readings = iter([False, True])

    def rows() -> Iterator[Example]:
        is_written = next(readings)
        for number in range(5_000):
            if is_written and number == 4_000:
                os._exit(9)
            yield one(str(number))

    import_dataset(open_dataset_tables(url), "set", rows)


def test_a_killed_import_leaves_nothing(tables: DatasetTables, database: Database) -> None:
    """And can be done again at once."""
    process = multiprocessing.get_context("fork").Process(target=killed, args=(database.url,))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert tables.every() == []
    assert database.count("dataset_rows") == 0
    assert import_dataset(tables, "set", lambda: ROWS)[1]
    assert database.count("dataset_rows") == len(ROWS)


def test_a_removed_set_is_gone(tables: DatasetTables, database: Database) -> None:
    """With its rows; who reads it meanwhile is told."""
    rows = [one(str(number)) for number in range(500)]
    import_dataset(tables, "set", lambda: rows)
    reading = open_dataset("set", database.url)
    next(reading)
    with tables.replacing("set") as writing:
        writing.remove()
    with pytest.raises(InvalidRequest, match="was replaced or removed while it was read"):
        list(reading)
    assert (database.count("datasets"), database.count("dataset_rows")) == (0, 0)
    with pytest.raises(InvalidRequest, match="there is no data set 'set'"):
        open_dataset("set", database.url)


@pytest.mark.parametrize("name", ["", "a b", "a/b", ".hidden", "x" * 56, "a:b", "é"])
def test_a_name_that_no_command_could_say_is_refused(name: str, tables: DatasetTables) -> None:
    with pytest.raises(InvalidRequest, match=r"cannot be called .*: give --name"):
        import_dataset(tables, name, lambda: ROWS)


def test_a_database_in_memory_keeps_no_sets() -> None:
    """It would be gone with the command that imported it."""
    with pytest.raises(ConfigurationError, match="in memory"):
        open_dataset_tables("sqlite:///:memory:")


def test_a_missing_file_has_no_sets_and_is_not_made(tmp_path: Path) -> None:
    tables = open_dataset_tables(f"sqlite:///{tmp_path / 'none.db'}")
    assert (tables.every(), tables.find("set")) == ([], None)
    assert list(tmp_path.iterdir()) == []


def test_means_leave_out_contaminated_rows_and_unknown_costs() -> None:
    """Unknown is not 0."""
    dirty = one("b", contaminated=True, m=Outcome(score=0, cost=Usd(9)))
    found = summarized([one("a", m=Outcome(score=1, cost=Usd("0.5"))), dirty, one("c", m=Outcome(score=0.5))])
    (model,) = found.models
    assert (model.mean_score, model.mean_cost, model.input_price, model.texts) == (0.75, Usd("0.5"), None, 0)
    (model,) = summarized([dirty]).models
    assert (model.mean_score, model.mean_cost) == (None, None)


@pytest.mark.parametrize("name", ["zeroeval", "mmlu_pro", "routerarena"])
def test_the_price_of_a_token_is_found_in_the_costs(name: str) -> None:
    """And the most a call can cost covers every recorded cost, whatever its tokens."""
    rows = list(read_examples(SAMPLES / f"{name}.sample.jsonl.gz"))
    summary = summarized(rows)
    longest = {
        model.name: max(output_to_hold(row, row.outcomes[model.name], model) for row in rows)
        for model in summary.models
    }
    models = tuple(replace(model, longest=longest[model.name]) for model in summary.models)
    catalogue = recorded_catalogue(name, replace(summary, models=models))
    for row in rows:
        bound = bound_input(prompt_request(row.prompt or ""))
        for model in catalogue.models:
            outcome = row.outcomes[model.name]
            assert model.price is not None
            assert outcome.cost is not None
            worst = worst_cost(model.price, input_tokens=bound, output_tokens=model.max_tokens)
            assert outcome.cost <= worst
            assert (outcome.output_tokens or 0) <= model.max_tokens
    haiku = next((one for one in summary.models if one.name == "claude-3-haiku-20240307"), None)
    if haiku is not None:
        assert (haiku.input_price, haiku.output_price) == (Usd("0.25"), Usd("1.25"))


def test_costs_that_no_price_of_tokens_explains_are_covered_too() -> None:
    """One row costs a hundred times its tokens."""
    rows = [one(str(number), m=Outcome(score=1, text="x", output_tokens=5, cost=Usd("0.001"))) for number in range(9)]
    rows.append(one("dear", m=Outcome(score=1, text="x", output_tokens=5, cost=Usd("0.1"))))
    (model,) = summarized(rows).models
    assert model.input_price
    assert model.output_price
    needed = max(output_to_hold(row, row.outcomes["m"], model) for row in rows)
    bound = bound_input(prompt_request(rows[-1].prompt or ""))
    assert bound * model.input_price + needed * model.output_price >= Usd("0.1") * 1_000_000


def test_every_sample_is_read(tables: DatasetTables) -> None:
    """Each is what its README says."""
    found = {}
    for path in sorted(SAMPLES.glob("*.jsonl.gz")):
        name = path.name.removesuffix(".sample.jsonl.gz")
        summary = import_dataset(tables, name, partial(read_examples, path))[0].summary
        found[name] = (summary.rows, len(summary.models), any(model.texts for model in summary.models))
    assert found == {
        "llmrouter": (300, 9, False),
        "mmlu_pro": (300, 5, True),
        "routellm_gsm8k": (300, 2, True),
        "routellm_mmlu": (300, 2, False),
        "routellm_mtbench": (39, 2, False),
        "routerarena": (300, 2, True),
        "zeroeval": (300, 11, True),
    }
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 2_500_000


def test_a_stored_body_is_the_line_it_came_from(tables: DatasetTables, database: Database) -> None:
    """Anyone can read it with SQL."""
    import_dataset(tables, "set", lambda: ROWS[:1])
    ((body,),) = database.rows("SELECT body FROM log.dataset_rows")
    assert json.loads(body) == {
        "id": "a",
        "task": "sums",
        "prompt": "What is a?",
        "in_tok": 10,
        "models": {"small": {"score": 1.0, "text": "2", "out_tok": 1, "cost": "0.000001"}},
    }
