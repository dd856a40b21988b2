"""The documents are true: every snippet runs, shown output is real, and the reference names all there is.

`DOCUMENTS=write pytest tests/test_documents.py` puts the real output in the place of what is wrong.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

import model_orchestrator
from model_orchestrator.application.run_options import RunOptions
from model_orchestrator.cli.main import COMMANDS, app
from model_orchestrator.domain.catalogue import Feature
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.infrastructure.model_settings import (
    ADDRESS_VARIABLES,
    KEY_VARIABLES,
    ModelSettings,
    ProviderSettings,
)
from model_orchestrator.infrastructure.policy_settings import PANELS, POLICY_TABLES, ChainSettings, WeightSettings
from model_orchestrator.infrastructure.service_settings import ServiceSettings
from model_orchestrator.infrastructure.setting_keys import keys_of
from model_orchestrator.infrastructure.settings import CONFIG_VARIABLE, PREFIX, SECRETS, Settings
from model_orchestrator.infrastructure.simulate.faults import Fault

from .documents import ROOT, Place, programs, renewed, run, snippets
from .test_packaging import git_files

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
REFERENCE = ROOT / "docs" / "quick-reference.md"
UNSAID = {"--help", "--install-completion", "--show-completion"}
ALL_PROSE = sorted([*DOCUMENTS, ROOT / "CHANGELOG.md", ROOT / "DECISIONS.md"])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder in a home of its own."""
    folder = tmp_path / "home" / "project"
    folder.mkdir(parents=True)
    return Place(folder, tmp_path / "home")


@pytest.fixture
def checkout(tmp_path: Path) -> Place:
    """A copy of the tree as `make run` leaves it; its programs are those of this interpreter."""
    folder = tmp_path / "home" / "model-orchestrator"
    for file in git_files():
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    (programs(folder / ".venv" / "bin") / "activate").touch()
    (folder / ".venv" / "runtime").write_text(f"{folder}\n")
    return Place(folder, tmp_path / "home")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_snippet_does_what_its_document_says(path: Path, request: pytest.FixtureRequest) -> None:
    """Run in turn, as a reader would: nothing fails that is not shown to, and shown output is real."""
    document = path.read_text(encoding="utf-8")
    place: Place = request.getfixturevalue("checkout" if path.name == "README.md" else "place")
    if "examples/data/" in document and not (place.folder / "examples").exists():
        (place.folder / "examples").symlink_to(ROOT / "examples")
    if "postgresql://" in "".join(snippet.text for snippet in snippets(document)):
        place = Place(place.folder, place.home, request.getfixturevalue("postgres").socket_dir)
    outcomes = run(document, place)
    if os.environ.get("DOCUMENTS") == "write":
        path.write_text(renewed(document, outcomes), encoding="utf-8")
    assert outcomes
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    assert not problems, "\n\n".join(problems)


def test_the_tour_runs_to_its_end(place: Place) -> None:
    """Offline, in a folder of its own."""
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / "tour.sh")], cwd=place.folder, env=place.environment(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(place.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("shown", "problem"),
    [("two\n", "but prints"), ("one\n", None), ("...\n", None), ("one\n...\n", None), ("...\ntwo\n", "but prints")],
)
def test_a_wrong_output_is_a_problem(shown: str, problem: str | None, place: Place) -> None:
    """The tests of this file can fail."""
    (outcome,) = run(f"```bash\necho one\n```\n\n```text\n{shown}```\n", place)
    assert (problem is None and outcome.problem is None) or (problem and problem in (outcome.problem or ""))


def test_a_command_that_fails_unseen_is_a_problem(place: Place) -> None:
    """In the middle of a block too; what comes after it still runs."""
    first, second = run("```bash\nfalse\ntrue\n```\n```python\nprint(1)\n```\n", place)
    assert (first.failed, second.failed, second.output) == (1, 0, "1\n")
    assert first.problem
    assert second.problem is None


def test_settings_that_do_not_load_are_a_problem(place: Place) -> None:
    """A misspelt key in a document is found."""
    (outcome,) = run("```toml\ntimeuot = 5\n```\n", place)
    assert "did you mean timeout?" in (outcome.problem or "")


def options(command: str) -> dict[str, set[str]]:
    """The options of a command, or of each of its subcommands, by full name."""
    group: Any = typer.main.get_command(app)
    found: Any = group.get_command(None, command)
    subs = getattr(found, "commands", None)
    named = {f"{command} {name}": one for name, one in subs.items()} if subs else {command: found}
    return {
        name: {option for parameter in one.params for option in parameter.opts if option.startswith("--")} - UNSAID
        for name, one in named.items()
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_has_every_option(command: str) -> None:
    """In the table of its command, and no other."""
    text = REFERENCE.read_text(encoding="utf-8")
    common = {"--database", "--config", "--json"}
    for name, there in options(command).items():
        section = re.search(rf"^### {name}$.*?(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, f"there is no section for {name}"
        shown = set(re.findall(r"^\| `(--[\w-]+)", section[0], re.MULTILINE))
        assert there - common <= shown, name
        assert shown <= there, name


def test_the_reference_has_every_setting() -> None:
    """With its environment variable."""
    text = REFERENCE.read_text(encoding="utf-8")
    for name in keys_of(Settings):
        assert re.search(rf"^\| `{name}` \| `{PREFIX}{name.upper()}` \|", text, re.MULTILINE), name
    tables = (ProviderSettings, ModelSettings, ChainSettings, WeightSettings, ServiceSettings)
    named = {name for table in tables for name in keys_of(table)} | set(PANELS)
    assert {name for name in POLICY_TABLES if not re.search(rf"`\[{name}[.\]]", text)} == set()
    assert {name for name in named if f"`{name}`" not in text} == set()
    variables = {*KEY_VARIABLES.values(), *ADDRESS_VARIABLES.values(), CONFIG_VARIABLE, *SECRETS}
    assert {name for name in variables if f"`{name}`" not in text} == set()


@pytest.mark.parametrize(
    "names",
    [model_orchestrator.__all__, [*RunOptions.__annotations__], [*ErrorKind], [*Feature], [*Fault]],
    ids=["public names", "options", "errors", "features", "faults"],
)
def test_the_reference_has_every_name(names: list[str]) -> None:
    """Of whatever is named by users or shown to them."""
    text = REFERENCE.read_text(encoding="utf-8")
    assert {str(name) for name in names if not re.search(rf"`{name}[`(]", text)} == set()


@pytest.mark.parametrize("path", ALL_PROSE, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    """To a file of the tree, and to a heading in it."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        found = path.parent / file if file else path
        assert found.exists(), target
        assert not anchor or anchor in headings(found), target


def headings(path: Path) -> set[str]:
    """The anchors of a document, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_decisions_are_numbered_and_short() -> None:
    """One after the other, five lines each at most."""
    text = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (\d+)\. .+\n", text, flags=re.MULTILINE)
    assert [int(number) for number in parts[1::2]] == list(range(1, len(parts) // 2 + 1))
    for number, body in zip(parts[1::2], parts[2::2], strict=True):
        assert len(body.strip().splitlines()) <= 5, f"decision {number}"
        assert "Decision:" in body, f"decision {number}"
        assert "Consequence:" in body, f"decision {number}"
