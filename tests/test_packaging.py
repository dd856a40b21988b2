"""What is shipped: every package of the tree, under one name, and nothing of the machine it was built on."""

import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import model_orchestrator

ROOT = Path(__file__).parents[1]
FOLDERS = ("application", "cli", "domain", "infrastructure", "projections")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

pytestmark = pytest.mark.xdist_group("packaging")  # one worker builds once

FORBIDDEN = {
    "a registry's host": re.compile(r"(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com)"),
    "a path of one machine": re.compile(r"(?<![\w./])/(?:work|root|opt/pypi)(?:/|\b)"),
}


def git_files() -> list[Path]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


def run(*command: object, cwd: Path) -> str:
    """What `command` prints; its failure shows both of its streams."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the committed tree in a folder of another name."""
    copy = tmp_path_factory.mktemp("source") / "any name"
    for file in git_files():
        target = copy / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return copy


def build_wheel(source: Path, target: Path) -> Path:
    """The wheel of `source`, built offline with the setuptools at hand."""
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        target,
        source,
        cwd=target,
    )
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the copied tree."""
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(source: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the copied tree, unpacked."""
    target = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_sdist({str(target)!r})", cwd=source)
    shutil.unpack_archive(next(target.glob("*.tar.gz")), target, filter="data")
    return next(path for path in target.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts' folder of an environment with the wheel and, by path alone, this one's libraries."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False)
    scripts = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    run(sys.executable, "-m", "pip", "--python", scripts / "python", "install", "-q", "--no-deps", "--no-index", wheel,
        cwd=folder)  # fmt: skip
    own = run(scripts / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    Path(own, "libraries.pth").write_text(str(Path(pytest.__file__).parents[1]), encoding="utf-8")
    return scripts


def names_in(wheel: Path) -> set[str]:
    """The files of a wheel, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_every_package_of_the_tree_is_listed() -> None:
    """A new folder of modules is shipped or fails here."""
    inits = [file for folder in FOLDERS for file in (ROOT / folder).rglob("__init__.py")]
    packages = {".".join(("model_orchestrator", *init.relative_to(ROOT).parent.parts)) for init in inits}
    assert {"model_orchestrator", *packages} == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_every_folder_with_modules_is_a_package() -> None:
    """A forgotten `__init__.py` would leave modules out of the wheel; migrations' revisions are data."""
    folders = {file.parent for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")}
    missing = {folder.relative_to(ROOT).as_posix() for folder in folders if not (folder / "__init__.py").exists()}
    assert missing <= {"infrastructure/migrations/versions"}


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel: Path) -> None:
    """One top-level name; no `domain` or `tests` in somebody's site-packages."""
    assert {name.partition("/")[0] for name in names_in(wheel)} == {"model_orchestrator"}


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Modules, SQL, templates and snapshots alike."""
    files = {file.relative_to(ROOT).as_posix() for file in git_files() if file.relative_to(ROOT).parts[0] in FOLDERS}
    assert {f"model_orchestrator/{name}" for name in files | {"__init__.py", "__main__.py", "py.typed"}} == names_in(
        wheel
    )


def test_the_source_distribution_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    """What is published as source is complete."""
    assert names_in(build_wheel(sdist, tmp_path)) == names_in(wheel)


def test_the_installed_package_imports_from_anywhere(installed: Path, tmp_path: Path) -> None:
    """From a foreign folder, the wheel's own copy is found and the bare folder names are not."""
    code = (
        "import sys, importlib.util as util, model_orchestrator\n"
        "print(model_orchestrator.__file__, *map(util.find_spec, sys.argv[1:]), sep='\\n')"
    )
    file, *bare = run(installed / "python", "-c", code, *FOLDERS, cwd=tmp_path).splitlines()
    assert Path(file).is_relative_to(installed.parent)
    assert bare == ["None"] * len(FOLDERS)


@pytest.mark.parametrize("command", [["model-orchestrator"], ["python", "-m", "model_orchestrator"]], ids=" ".join)
def test_the_installed_program_names_its_version(command: list[str], installed: Path, tmp_path: Path) -> None:
    """The console script and the module are one program."""
    shown = run(installed / command[0], *command[1:], "--version", cwd=tmp_path)
    assert model_orchestrator.__version__ in shown


def test_no_committed_file_names_a_registry_or_this_machine() -> None:
    """A fresh machine has its own index and its own folders."""
    found = [
        f"{file.relative_to(ROOT)}:{number}: {what}"
        for file in git_files()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-e2e.lock"])
def test_a_lock_holds_hashed_pins_and_no_options(lock: str) -> None:
    """Every requirement is exact and hashed; where to get it is the machine's affair."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert [pin for pin in pins if not re.match(r"[a-z0-9-]+(?:\[[a-z,]+\])?==\S+ .*--hash=sha256:", pin)] == []


def test_the_development_lock_contains_the_runtime_lock() -> None:
    """`make test` tests the versions that `make run` installs."""
    runtime, development = (
        set(re.findall(r"^[a-z0-9-]+(?:\[[a-z,]+\])?==\S+", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime <= development
