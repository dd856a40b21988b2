"""The command line as a whole: its table of commands, its exit codes and how it fails."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import model_orchestrator
from model_orchestrator.cli.main import COMMANDS

from .command import command, ended, process


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_version_is_the_packages() -> None:
    """On stdout, for scripts."""
    assert command("--version").stdout == f"model-orchestrator {model_orchestrator.__version__}\n"


def test_help_lists_every_command() -> None:
    """In the table's order, and without a command it is the same text."""
    done = command("--help")
    table = done.stdout.partition("Commands:")[2]
    assert re.findall(r"^  (\w+)  ", table, flags=re.MULTILINE) == list(COMMANDS)
    assert done.code == 0
    bare = command()
    assert bare.code == 2
    assert all(name in bare.stderr + bare.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """Each module of the table loads."""
    done = command(name, "--help")
    assert done.code == 0
    assert done.stdout.startswith(f"Usage: model-orchestrator {name} ")


def test_an_unknown_command_names_the_nearest() -> None:
    """And where none is near, all of them."""
    done = command("rnu", "What is Python?")
    assert (done.code, done.stdout) == (2, "")
    assert "No such command 'rnu'. Did you mean 'run'?" in done.stderr
    far = command("zzzzzz")
    assert far.code == 2
    assert f"Commands: {', '.join(COMMANDS)}." in far.stderr


@pytest.mark.parametrize("arguments", [["run", "hi", "--nosuch"], ["run", "hi", "--max-tokens", "many"], ["runs", "x"]])
def test_misuse_is_two(arguments: list[str]) -> None:
    """Options that do not exist, values of another kind; no traceback."""
    done = command(*arguments)
    assert (done.code, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["run", ""], ["runs", "show", "nosuch"], ["runs", "cancel", "nosuch"], ["audit", "trail", "nosuch"]]
)
def test_with_json_every_command_fails_in_json(arguments: list[str]) -> None:
    """One object on stdout; a script never has to read stderr."""
    done = command(*arguments, "--json")
    assert done.code in (1, 2)
    assert set(done.error) >= {"kind", "message", "run_id"}
    assert "model-orchestrator:" not in done.stderr
    assert command(*arguments).complaint == done.error["message"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the shell one is in, and for a shell that is named."""
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
    shown = command("--show-completion")
    named = command(_MODEL_ORCHESTRATOR_COMPLETE=f"source_{shell}")
    assert (shown.code, named.code) == (0, 0)
    assert shown.stdout.split() == named.stdout.split()
    assert f"_MODEL_ORCHESTRATOR_COMPLETE=complete_{shell}" in shown.stdout


def test_completion_completes_commands() -> None:
    """What the shell asks for at `model-orchestrator ru<TAB>`."""
    done = command(_MODEL_ORCHESTRATOR_COMPLETE="complete_bash", COMP_WORDS="model-orchestrator ru", COMP_CWORD="1")
    assert done.stdout.split() == ["run", "runs"]


def test_an_answer_is_shown_in_every_encoding() -> None:
    """It is paid for: what the terminal cannot show is escaped, and JSON stays JSON."""
    done = command("run", "What is héllo 中?", encoding="ascii")
    assert done.code == 0
    assert "h\\xe9llo \\u4e2d" in done.stdout
    document = json.loads(command("run", "What is héllo 中?", "--json", encoding="ascii").stdout)
    assert "héllo 中" in document["response"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_output_that_cannot_be_written_is_one_line() -> None:
    """A full disk; the run itself is in the log."""
    with open("/dev/full", "wb") as full:
        done = ended(process("run", "hi", "--quiet", stdout=full))
    assert (done.code, done.stderr) == (1, "model-orchestrator: No space left on device\n")
    assert [run["status"] for run in command("runs", "list", "--json").document] == ["completed"]


def test_a_reader_who_leaves_early_gets_no_traceback() -> None:
    """As in `model-orchestrator run ... | head -0`."""
    started = process("run", "hi", "--quiet")
    assert started.stdout is not None
    started.stdout.close()
    assert started.stderr is not None
    assert started.stderr.read() == b""
    assert started.wait(60) == 1


def test_the_module_is_the_console_script() -> None:
    """`python -m model_orchestrator`."""
    done = subprocess.run([sys.executable, "-m", "model_orchestrator", "--version"], capture_output=True, timeout=60)
    assert done.stdout.decode() == f"model-orchestrator {model_orchestrator.__version__}\n"
