"""What is imported when: the package loads nothing, and a simulated run on SQLite loads nothing heavy."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import model_orchestrator

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    file
    for folder in ("application", "cli", "domain", "infrastructure", "projections")
    for file in (ROOT / folder).rglob("*.py")
)

HEAVY = {
    "aiohttp",
    "alembic",
    "anthropic",
    "cryptography",
    "genai_prices",
    "httpx",
    "httpx2",
    "openai",
    "psycopg",
    "pydantic",
    "rich",
    "sqlalchemy",
}

# Where clocks, chance and the world outside come from; the domain gets what they yield as arguments.
IMPURE = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "time",
    "urllib",
    "uuid",
}

MODULES_AFTER = """
import atexit, json, sys
before = set(sys.modules)
atexit.register(lambda: print(json.dumps(sorted(set(sys.modules) - before)), file=open({report!r}, "w")))
{code}
"""


def modules_loaded_by(code: str, tmp_path: Path) -> set[str]:
    """The modules that a fresh interpreter holds after `code`, beyond those it starts with."""
    report = tmp_path / "modules.json"
    script = MODULES_AFTER.format(report=str(report), code=code)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(report.read_text()))


def packages(modules: set[str]) -> set[str]:
    """The top-level names of `modules`."""
    return {module.partition(".")[0] for module in modules}


def imported_by(path: Path) -> set[str]:
    """The top-level names that a file imports absolutely, at any depth."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return packages(names)


def test_importing_the_package_loads_nothing_else(tmp_path: Path) -> None:
    """`import model_orchestrator` reads one file."""
    assert modules_loaded_by("import model_orchestrator", tmp_path) == {"model_orchestrator"}


@pytest.mark.parametrize("name", model_orchestrator.__all__)
def test_every_public_name_loads(name: str) -> None:
    """What `__all__` promises is there, and `dir` shows it."""
    assert getattr(model_orchestrator, name) is not None
    assert name in dir(model_orchestrator)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt public name fails like that of any module."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = model_orchestrator.nonsense


def test_a_simulated_run_loads_nothing_heavy(tmp_path: Path) -> None:
    """A run on SQLite with the simulator needs no SQLAlchemy, Alembic, pydantic, rich, SDK or HTTP client."""
    arguments = ["run", "hi", "--provider", "simulated", "--database", f"sqlite:///{tmp_path / 'runs.db'}"]
    code = f"sys.argv = ['model-orchestrator', *{arguments!r}]\nfrom model_orchestrator.cli.main import main\nmain()"
    loaded = packages(modules_loaded_by(code, tmp_path))
    assert {"model_orchestrator", "msgspec"} <= loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("path", sorted((ROOT / "domain").rglob("*.py")), ids=lambda path: path.stem)
def test_the_domain_is_pure_standard_library(path: Path) -> None:
    """No third-party module, clock, chance or I/O inside the domain."""
    assert imported_by(path) <= sys.stdlib_module_names - IMPURE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_import_is_a_declared_dependency(path: Path) -> None:
    """What only the development lock brings, or another package happens to need, is missing after a plain install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    declared = {re.split(r"[^\w-]", name)[0].replace("-", "_") for name in (*project["dependencies"], *extras)}
    alone = {
        "model_orchestrator",
        "genai_prices",
    }  # Alembic runs env.py outside the package; `make prices` is for developers
    called = {"sklearn": "scikit_learn", "opentelemetry": "opentelemetry_sdk"}
    imported = {called.get(name, name) for name in imported_by(path)}
    assert imported <= sys.stdlib_module_names | declared | alone
