"""`audit verify` of read models: what is not what the log comes to is named, wherever it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.read_models.registry import PROJECTIONS, Registry
from model_orchestrator.infrastructure.read_models.state import State, open_state
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.projections.projection import Table, Tables
from tests.contracts.read_models import add, add_raw, fill
from tests.read_models import completed, of_category
from tests.scenario import MINI, answered, asked, costed


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def models(url: str) -> StoredReadModels:
    return StoredReadModels(url)


@pytest.fixture
def state(url: str) -> State:
    return open_state(url)


def test_what_is_kept_is_what_the_log_comes_to(url: str, models: StoredReadModels) -> None:
    """Absent and behind are no problems."""
    fill(url)
    assert models.problems() == []
    models.catch_up("runs")
    assert models.problems() == []
    models.catch_up()
    add(url, "run-5", of_category("chat", tags={"b": "1", "a": "ü"}), asked(MINI), answered(1), costed(1, "0.1"))
    assert models.problems() == []
    models.catch_up()
    assert models.problems() == []
    assert all(one.lag == 0 for one in models.status())


def test_a_changed_cell_of_any_table_is_named_and_a_rebuild_heals_it(
    url: str, models: StoredReadModels, state: State
) -> None:
    fill(url)
    models.catch_up()
    tried = [
        _corrupted_and_healed(models, state, projection.name, table)
        for projection in PROJECTIONS
        for table in projection.tables
    ]
    assert sum(tried) > 8


def _corrupted_and_healed(models: StoredReadModels, state: State, projection: str, table: Table) -> bool:
    """Change the last column of the first row; False where the table is empty."""
    name = _named(state, projection, table.name)
    keys = ", ".join(table.key)
    rows = _ask(state, f"SELECT {keys} FROM {name} ORDER BY {keys} LIMIT 1")
    if not rows:
        return False
    column, kind = table.columns[-1]
    value = "77" if kind == "INTEGER" else "'changed'"
    place = " AND ".join(f"{key} = ?" for key in table.key)
    _ask(state, f"UPDATE {name} SET {column} = {value} WHERE {place}", rows[0])
    problems = models.problems()
    assert problems[0].startswith(f"projection {projection}: {table.name} {table.key[0]} {rows[0][0]}"), problems
    if column not in table.key:
        assert len(problems) == 1
        assert f"{column} is {value}, the log comes to " in problems[0]
    models.rebuild([projection])
    assert models.problems() == []
    return True


def test_missing_and_added_rows_are_named(url: str, models: StoredReadModels, state: State) -> None:
    fill(url)
    models.catch_up()
    runs = _named(state, "runs", "runs")
    _ask(state, f"DELETE FROM {runs} WHERE run = 'run-2'")
    assert models.problems() == ["projection runs: runs run run-2: the row is missing"]
    models.rebuild()
    runs = _named(state, "runs", "runs")
    _ask(state, f"UPDATE {runs} SET run = 'run-9' WHERE run = 'run-4'")
    assert models.problems() == [
        "projection runs: runs run run-4: the row is missing",
        "projection runs: runs run run-9: the log has no such row",
    ]


def test_many_differences_are_counted(url: str, models: StoredReadModels, state: State) -> None:
    for number in range(6):
        add(url, f"run-{number}", of_category("chat"), asked(MINI), answered(1), costed(1, "0.1"), completed())
    models.catch_up()
    runs = _named(state, "runs", "runs")
    _ask(state, f"UPDATE {runs} SET category = 'code'")
    problems = models.problems()
    assert len(problems) == 4
    assert problems[0] == "projection runs: runs run run-0: category is 'code', the log comes to 'chat'"
    assert problems[3] == "projection runs: runs: 3 more rows differ"


def test_a_stopped_read_model_is_compared_up_to_where_it_stands(
    url: str, models: StoredReadModels, state: State
) -> None:
    fill(url)
    add_raw(url, "run-8", "RunStarted", "{}")
    models.catch_up()
    assert {one.state for one in models.status()} == {"stopped"}
    assert models.problems() == []
    _ask(state, f"UPDATE {_named(state, 'runs', 'runs')} SET category = 'code' WHERE run = 'run-1'")
    assert len(models.problems()) == 1


def test_another_way_of_writing_the_same_json_is_no_difference(
    url: str, models: StoredReadModels, state: State
) -> None:
    add(url, "run-1", of_category("chat", tags={"bb": "1", "a": "2"}))
    models.catch_up()
    runs = _named(state, "runs", "runs")
    _ask(state, f"UPDATE {runs} SET tags = ?", (json.dumps({"bb": "1", "a": "2"}, indent=1),))
    assert models.problems() == []


def _ask(state: State, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
    def work(tables: Tables) -> list[tuple[object, ...]]:
        return tables.execute(sql, parameters)

    return state.write(work)


def _named(state: State, projection: str, table: str) -> str:
    """The live table."""
    with state.reading() as tables:
        entries = Registry(tables, state.schema).entries()
    return next(one for one in entries if one.name == projection and one.live).names(state.schema)(table)
