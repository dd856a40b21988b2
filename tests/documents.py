"""Documents as scripts: each snippet is run in turn, as a reader would, and its output is held against what is shown.

In a document, a ```bash block is run by one shell for the whole document, a ```python block by an interpreter of its
own, and a ```toml block becomes the settings file of the folder, which must load. A ```text or ```json block behind one
shows its output: a line `...` stands for any lines, and what differs from run to run (ids, times, folders, ports) may
differ. A block without a language is for the reader only: it needs the network, a key, a model, or runs the tests.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[1]
PORT = "8765"  # in documents; a free one while they run
HOME = "/home/you"
TIMEOUT = 90.0  # seconds for a document
DATABASE = re.compile(r"postgresql://(\w+)@localhost/(\w+)")

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONPYCACHEPREFIX")  # of the environment

MASKS = (
    (re.compile(r"Installing into \.venv \.\.\.\n"), ""),  # only the first time
    (re.compile(r"run-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "RUN"),
    (re.compile(r"mo-[\w-]{43}"), "TOKEN"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32,64}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:\+00:00|Z)"), "TIME"),
    (re.compile(r"\+? *\d+\.\d+ s\b"), " SECONDS"),
    (re.compile(r'("latency": )[\d.]+'), r"\1SECONDS"),
    (re.compile(r"[\d,]+ bytes"), "BYTES"),
    (re.compile(r'("size_bytes": )\d+'), r"\1BYTES"),
    (re.compile(r"\b\d{4}_[a-z_]+\b"), "SCHEMA"),
    (re.compile(r"(Python|SQLite|PostgreSQL) \d[\w.]*"), r"\1 VERSION"),
)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELLIPSIS = re.compile(r"^ *\.\.\.\n", re.MULTILINE)
ENDED = re.compile(r"@@(\d+) (\d+)@@\n")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A block that is run. `shown` is the output the document shows, from `shown_at` on; None: it shows none."""

    line: int
    language: str  # bash, python or toml
    text: str
    shown: str | None
    shown_at: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a snippet did."""

    snippet: Snippet
    output: str
    failed: int  # the last exit status other than 0, or 0

    @property
    def problem(self) -> str | None:
        """Why the document is wrong; None where it is right. A shown failure is right."""
        where = f"line {self.snippet.line}"
        if self.snippet.shown is None and self.failed:
            return f"{where}: exit {self.failed}:\n{self.output}"
        if self.snippet.shown is not None and not matches(self.output, self.snippet.shown):
            return f"{where}: it shows\n{self.snippet.shown}\nbut prints (exit {self.failed})\n{self.output}"
        return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is run: its folder, the home folder around that, and PostgreSQL's socket if it needs one."""

    folder: Path
    home: Path
    socket_dir: Path | None = None

    def environment(self) -> dict[str, str]:
        """A fresh user's, with our programs on the path: no keys, folders or settings, not even those of make."""
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {"HOME": str(self.home), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "80"}
        env["PATH"] = f"{programs(self.home / 'bin')}{os.pathsep}{env['PATH']}"
        return env if self.socket_dir is None else env | {"PGHOST": str(self.socket_dir), "PGUSER": "postgres"}


def programs(folder: Path) -> Path:
    """A folder with `python` and `model-orchestrator`, both of this interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in (("python", ""), ("model-orchestrator", " -m model_orchestrator")):
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{arguments} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def snippets(document: str) -> Iterator[Snippet]:
    """The blocks that are run, each with the output shown behind it. Raises ValueError for a block of another kind."""
    blocks = list(FENCE.finditer(document))
    for block, follower in zip_longest(blocks, blocks[1:]):
        line, (language, text) = document.count("\n", 0, block.start()) + 1, block.groups()
        if language in ("bash", "python", "toml"):
            shown = follower if follower and follower[1] in ("text", "json") else None
            yield Snippet(line, language, text, shown and shown[2], shown.start(2) if shown else 0)
        elif language not in ("text", "json", ""):
            raise ValueError(f"line {line}: a block of {language} is neither run nor compared")


def run(document: str, place: Place) -> list[Outcome]:
    """Run a document's snippets in turn. One that hangs, and those behind it, have failed."""
    found, port = list(snippets(document)), _free_port()
    script = place.home / "document.sh"
    script.write_text(_real(_script(found, place.home), place, port), encoding="utf-8")
    output = _shown(_output(["bash", str(script)], place), place, port)
    parts = ENDED.split(output)  # output, number, status, output, number, status, ..., rest
    by_snippet = zip(parts[:-1:3], parts[1::3], parts[2::3], strict=True)
    ended = {int(number): (text, int(status)) for text, number, status in by_snippet}
    return [Outcome(snippet, *ended.get(number, (parts[-1], -1))) for number, snippet in enumerate(found)]


def _output(command: list[str], place: Place) -> str:
    """What the command prints, on both streams, until it ends or the time is up."""
    done = subprocess.Popen(
        command, cwd=place.folder, env=place.environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        return done.communicate(timeout=TIMEOUT)[0].decode()
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGKILL)
        return done.communicate()[0].decode()


def matches(output: str, shown: str) -> bool:
    """Whether the output is the one shown, but for what `...` and the masks allow."""
    parts = ELLIPSIS.split(masked(shown))
    return re.fullmatch(r"(?:.*\n)*?".join(map(re.escape, parts)), masked(output)) is not None


def masked(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, word in MASKS:
        text = pattern.sub(word, text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def renewed(document: str, outcomes: list[Outcome]) -> str:
    """The document with the real output where the shown one is wrong and leaves nothing out."""
    for outcome in reversed(outcomes):
        shown, start = outcome.snippet.shown, outcome.snippet.shown_at
        if shown is not None and outcome.problem and not ELLIPSIS.search(shown) and "Traceback" not in outcome.output:
            document = document[:start] + outcome.output + document[start + len(shown) :]
    return document


def _script(found: list[Snippet], folder: Path) -> str:
    """One shell script; after each snippet it says that it ended and how."""
    lines = ["trap 'kill $(jobs -p) 2> /dev/null' EXIT", "trap 'failed=$?' ERR"]
    for number, snippet in enumerate(found):
        body = snippet.text if snippet.language == "bash" else _command(snippet, folder / f"snippet{number}.py")
        lines += ["failed=0", body.rstrip("\n"), f"printf '@@%s %s@@\\n' {number} $failed"]
    return "\n".join(lines) + "\n"


def _command(snippet: Snippet, file: Path) -> str:
    """A shell command for a snippet in another language."""
    if snippet.language == "python":
        return f"cat > {shlex.quote(str(file))} <<'SNIPPET'\n{snippet.text}SNIPPET\npython {shlex.quote(str(file))}"
    return f"cat > model-orchestrator.toml <<'SNIPPET'\n{snippet.text}SNIPPET\npython -c {shlex.quote(LOADS)}"


LOADS = (
    "from model_orchestrator.infrastructure.catalogues import load_catalogue\n"
    "from model_orchestrator.infrastructure.settings import Settings\n"
    "assert load_catalogue(Settings.load(), 'live').models"
)


def _real(text: str, place: Place, port: str) -> str:
    """The text with addresses that answer here."""
    if place.socket_dir is not None:
        text = DATABASE.sub(rf"postgresql://\1@/\2?host={place.socket_dir}", text)
    return re.sub(rf"\b{PORT}\b", port, text)


def _shown(text: str, place: Place, port: str) -> str:
    """The text with the addresses and folders that documents have."""
    if place.socket_dir is not None:
        address = rf"postgresql://(\w+)@/(\w+)\?host={re.escape(str(place.socket_dir))}"
        text = re.sub(address, r"postgresql://\1@localhost/\2", text)
    return text.replace(str(place.home), HOME).replace(f"127.0.0.1:{port}", f"127.0.0.1:{PORT}")


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
