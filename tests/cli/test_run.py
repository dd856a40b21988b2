"""`run`: a prompt in, an answer out; what it costs, what it says, and how it fails."""

import asyncio
import io
import json
import os
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from model_orchestrator.application.result import OrchestrationResult
from model_orchestrator.domain.units import plain
from model_orchestrator.infrastructure.simulate.faults import Fault

from ..simulator import RunningSimulator, running_simulator
from .command import KEY, PROMPT, Done, command, ended, facts, in_call, logged, piped, process, until

RUNS = Path("runs.db")


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A live provider on loopback, with a key for it in the environment."""
    with running_simulator() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield running


def run(*arguments: str, **env: str) -> Done:
    return command("run", *arguments, **env)


def shown() -> dict[str, object]:
    document: dict[str, object] = command("runs", "show", "last", "--json").document
    return document


# ---- the prompt ----


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["What is Python?"], b""),
        (["--prompt", "What is Python?"], b""),
        (["--file", "prompt.txt"], b""),
        (["-"], b"What is Python?"),
        ([], b"What is Python?"),
        (["--", "What is Python?"], b""),
    ],
    ids=["argument", "option", "file", "dash", "pipe", "after the options"],
)
def test_the_prompt_comes_from_one_place(arguments: list[str], stdin: bytes) -> None:
    """Wherever it was given, it is the same request."""
    Path("prompt.txt").write_text("What is Python?", encoding="utf-8")
    done = piped(stdin, "run", *arguments)
    assert done.code == 0
    assert "Python is a high-level" in done.stdout
    assert shown()["prompt"] == "What is Python?"


def test_a_prompt_is_taken_as_it_is() -> None:
    """Line ends, other scripts and what looks like an option."""
    text = " --json\r\n\tÜber 日本語 🎉\n"
    assert run("--prompt", text).code == 0
    assert shown()["prompt"] == text
    assert piped(text.encode(), "run", "-").code == 0
    assert shown()["prompt"] == text


@pytest.mark.parametrize(
    "arguments", [["a", "--prompt", "b"], ["a", "--file", "prompt.txt"], ["--prompt", "a", "--file", "prompt.txt"]]
)
def test_a_prompt_given_twice_is_refused(arguments: list[str]) -> None:
    """Nobody knows which was meant."""
    done = piped(b"c", "run", *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert "given more than once: use one of the argument, --prompt or --file" in done.complaint
    assert not RUNS.exists()


class Terminal(io.TextIOWrapper):
    """Standard input that is a person."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stdin", [Terminal(io.BytesIO()), None], ids=["terminal", "closed"])
def test_no_prompt_at_all_is_refused(stdin: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person at a terminal is not kept waiting; a closed input is no crash."""
    from model_orchestrator.cli.run import read_prompt
    from model_orchestrator.domain.errors import InvalidRequest

    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(InvalidRequest, match="no prompt: give one, as in"):
        read_prompt(None, None, None)


# ---- the answer ----


def test_the_answer_is_on_stdout_and_what_it_took_on_stderr() -> None:
    """The second run no longer says where prompts are stored."""
    first, second = run("What is Python?"), run("What is Python?")
    assert first.stdout == second.stdout
    assert first.stdout.count("\n") == 1
    notice, stored, line = first.stderr.splitlines()
    assert notice.startswith("no API key and no base_url is set: the simulated provider answers.")
    assert stored.startswith("prompts and answers are stored in sqlite:///runs.db; to keep them out, set ")
    model, cost, seconds, confidence, run_id = line.split(" | ")
    assert model == "gpt-4o-mini"
    assert re.fullmatch(r"\$0\.0000\d+ \(simulated\)", cost)
    assert seconds.endswith(" s")
    assert confidence.startswith("confidence 0.")
    assert second.stderr.splitlines()[0] == notice
    assert len(second.stderr.splitlines()) == 2
    assert [row["run_id"] for row in command("runs", "list", "--json").document][1] == run_id


def test_quiet_is_the_answer_only() -> None:
    """Nothing on stderr, also at the first run."""
    done = run("What is Python?", "--quiet")
    assert done.stdout.startswith("[simulated gpt-4o-mini")
    assert done.stderr == ""


def test_streamed_is_the_same_answer() -> None:
    """In pieces, and with a line end."""
    assert run("What is Python?", "--stream", "--quiet") == run("What is Python?", "--quiet")


def test_verbose_says_how_the_model_was_chosen() -> None:
    """Signals, candidates, exclusions with their reasons, attempts, tokens and scores."""
    talk = run("Review this function for bugs: def add(a, b): return a - b", "--verbose").stderr
    assert "assessed: intermediate, code_review; signals: " in talk
    assert "  candidate claude-haiku-3.5: expected $0." in talk
    assert "  excluded  gpt-4o-mini: answers prompts up to basic only" in talk
    assert "attempt 1: claude-haiku-3.5 (simulated) answered" in talk
    assert " in, " in talk
    assert "confidence by heuristic-1: " in talk


def test_json_is_the_whole_result() -> None:
    """Every field of OrchestrationResult, amounts as plain decimal strings, and no word around it."""
    done = run("What is Python?", "--json", "--stream", "--verbose")
    document = done.document
    assert list(document) == list(OrchestrationResult.__dataclass_fields__)
    tokens = (document["input_tokens"], document["output_tokens"])
    cost = plain((tokens[0] * Decimal("0.15") + tokens[1] * Decimal("0.60")) / 1_000_000)
    assert document["cost"] == cost
    assert document["model_used"] == "gpt-4o-mini"
    assert document["fallback_chain"] == ["gpt-4o-mini"]
    assert document["ensemble_models"] == []
    assert document["strategy"] == "cheapest"
    assert document["timestamp"].endswith("+00:00")
    metadata = document["metadata"]
    assert metadata["simulated"] is True
    assert (metadata["task_type"], metadata["capability"], metadata["excluded"]) == ("question", "basic", [])
    assert metadata["warnings"] == []
    assert metadata["attempts"][0]["cost"] == cost
    amounts = [one["expected_cost"] for one in metadata["candidates"]]
    assert amounts == [plain(Decimal(amount)) for amount in amounts]
    assert shown()["run_id"] == document["run_id"]


def test_a_cut_answer_is_a_warning() -> None:
    """The caller asked for so few tokens."""
    done = run("Explain Python.", "--max-tokens", "5")
    assert "warning: the answer of gpt-4o-mini was cut at 5 tokens" in done.stderr
    assert done.code == 0


def test_labels_are_recorded() -> None:
    """Category and tags, for reports."""
    assert run("hi", "--category", "chat bot", "--tag", "team=a=b", "--tag", "env=test").code == 0
    document = shown()
    assert (document["category"], document["tags"]) == ("chat bot", {"team": "a=b", "env": "test"})
    assert run("hi").code == 0
    assert shown()["category"] == "orchestration"


def test_what_was_asked_reaches_the_provider(provider: RunningSimulator) -> None:
    """The model, the system message and the parameters; the answer says that it is simulated, money apart."""
    done = run("hi", "--model", "gpt-6-luna", "--system", "Be brief.", "--max-tokens", "5", "--json")
    assert done.code == 0
    assert done.stderr.startswith("prompts and answers are stored in ")
    assert done.stderr.count("\n") == 1
    assert done.document["model_used"] == "gpt-6-luna"
    assert done.document["output_tokens"] <= 5
    assert done.document["metadata"]["simulated"] is True
    assert done.document["metadata"]["attempts"][0]["provider"] == "openai"
    assert list(provider.stats()["by_model"]) == ["gpt-6-luna"]


def test_a_live_answer_is_streamed(provider: RunningSimulator) -> None:
    """Whole in the log, and in pieces on stdout."""
    done = run("What is Python?", "--stream")
    assert done.code == 0
    assert done.stdout == f"{shown()['response']}\n"
    assert provider.calls == 1


def test_without_content_no_text_is_stored() -> None:
    """The answer is shown once; prompt and answer are not in the file."""
    env = {"MODEL_ORCHESTRATOR_STORE_CONTENT": "false"}
    done = run(PROMPT, **env)
    assert done.code == 0
    assert "are stored in" not in done.stderr
    stored = b"".join(path.read_bytes() for path in Path().glob("runs.db*"))
    assert b"sentinel-of-the-prompt" not in stored
    assert done.stdout.strip()[40:80].encode() not in stored
    assert (shown()["prompt"], shown()["response"]) == (None, None)


# ---- the price ----


def test_a_dry_run_shows_the_plan_and_sends_nothing(provider: RunningSimulator) -> None:
    """Nothing is called, stored or even opened."""
    document = run("What is Python?", "--dry-run", "--json").document
    (call,) = document["plan"]
    assert call["model"] == "gpt-6-luna"
    assert set(document["price_range"]) == {"min", "max"}
    low, high = Decimal(document["price_range"]["min"]), Decimal(document["price_range"]["max"])
    assert 0 < low <= Decimal(call["expected_cost"]) <= high
    assert document["price_range"] == {"min": plain(low), "max": plain(high)}
    assert {"model": "claude-haiku-5-5", "reason": "no key: set ANTHROPIC_API_KEY"} in document["excluded"]
    talk = run("What is Python?", "--dry-run").stdout
    assert talk.startswith("assessed: basic, question\nwould ask gpt-6-luna (live)\n  price: $0.0")
    assert provider.calls == 0
    assert not list(Path().iterdir())


def test_a_dry_run_needs_no_usable_database() -> None:
    """It is not looked at."""
    assert run("hi", "--dry-run", "--database", "sqlite:////proc/none/runs.db").code == 0


@pytest.mark.parametrize("prompt", ["hi", "Design a distributed system", "日本語 " * 300, "x" * 20_000])
def test_the_limit_that_would_fit_fits(prompt: str) -> None:
    """The error names the figure; a picodollar less is refused, and the cost stays below it."""
    refused = run(prompt, "--max-cost", "0", "--json")
    assert refused.code == 1
    error = refused.error
    assert error["kind"] == "budget"
    assert (error["limit"], error["held"], error["needed"]) == ("0", "0", error["would_fit"])
    assert error["run_id"].startswith("run-")
    fits = error["would_fit"]
    assert f"(--max-cost {fits})" in error["message"]
    less = plain(Decimal(fits) - Decimal("0.000000000001"))
    assert run(prompt, "--max-cost", less, "--json").error["would_fit"] == fits
    result = run(prompt, "--max-cost", fits, "--json")
    assert result.code == 0
    assert Decimal(result.document["cost"]) <= Decimal(fits)


def test_a_limit_refuses_before_the_wire(provider: RunningSimulator) -> None:
    """The refusal is a run in the log; no call left."""
    done = run("hi", "--max-cost", "0.0000000001")
    assert done.complaint.startswith("no model fits the limit of $0.0000000001: $0.")
    assert provider.calls == 0
    assert facts(asyncio.run(logged("runs.db"))) == ["RunStarted", "PromptAssessed", "RoutingDecided", "RunFailed"]


# ---- bad input ----

LIVE = {"MODEL_ORCHESTRATOR_PROVIDER": "live"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([""], "the prompt is empty"),
        ([" \n\t "], "the prompt is empty"),
        (["\udcff\udcfe hi"], "the prompt is not valid UTF-8 (at character 1)"),
        (["--file", "latin1.txt"], "latin1.txt is not valid UTF-8 (at byte 2)"),
        (["--file", "empty.txt"], "the prompt is empty"),
        (["--file", "none.txt"], "cannot read none.txt: No such file or directory"),
        (["--file", "."], "cannot read .: Is a directory"),
        (["hi", "--system", "\udcff"], "the system message is not valid UTF-8"),
        (["hi", "--system", "  "], "the system message is empty"),
        (["hi", "--strategy", "cheepest"], "unknown strategy 'cheepest': did you mean 'cheapest'?"),
        (["hi", "--strategy", "zzz"], "unknown strategy 'zzz': expected one of cheapest"),
        (["hi", "--model", "gpt4o-mini"], "unknown model 'gpt4o-mini' in the catalogue seed; did you mean gpt-4o-mini"),
        (["hi", "--model", "zzz"], "unknown model 'zzz' in the catalogue seed; known are: claude-haiku-3.5, "),
        (["hi", "--model", "\udcff"], "unknown model '\\udcff' in the catalogue seed"),
        (["hi", "--provider", "zzz"], "unknown provider 'zzz': expected live, simulated, anthropic, openai"),
        (["hi", "--provider", "recorded:x"], "there is no data set 'x': `datasets list`"),
        (["hi", "--provider", ""], "option provider is empty"),
        (["hi", "--category", ""], "option category is empty"),
        (["hi", "--category", "x" * 65], "is not a label of 1 to 64 printable characters"),
        (["hi", "--tag", "x"], "--tag 'x' is not key=value"),
        (["hi", "--tag", "a=b\nc"], "is not a label of 1 to 64 printable characters"),
        (["hi", "--tag", "a=b", "--tag", "a=c"], "--tag a was given twice"),
        (["hi", "--max-tokens", "0"], "max tokens 0 is not possible: expected 1 or more"),
        (["hi", "--max-tokens", "-1"], "max tokens -1 is not possible"),
        (["hi", "--temperature", "nan"], "temperature nan is not possible: expected 0 to 2"),
        (["hi", "--top-p", "2"], "top p 2.0 is not possible: expected 0 to 1"),
        (["hi", "--temperature", "2.1"], "temperature 2.1 is not possible"),
        (["hi", "--timeout", "0"], "timeout 0.0 is not possible: expected seconds above 0"),
        (["hi", "--timeout", "inf"], "timeout inf is not possible"),
        (
            ["hi", "--database", "mysql://host/db"],
            "database_url in the arguments: expected sqlite:///PATH or postgresql",
        ),
        (["hi", "--database", ""], "database_url in the arguments: expected sqlite:///PATH or postgresql"),
        (["hi", "--config", "none.toml"], "none.toml does not exist; `config init --config "),
    ],
)
def test_misuse_is_one_line_and_nothing_is_written(arguments: list[str], complaint: str) -> None:
    """Exit 2, what was expected, and no database."""
    Path("latin1.txt").write_bytes(b"a\xe9b")
    Path("empty.txt").write_bytes(b"")
    done = run(*arguments)
    assert (done.code, done.stdout) == (2, "")
    assert complaint in done.complaint
    document = run(*arguments, "--json")
    assert document.error["kind"] in ("invalid_request", "configuration")
    assert complaint in document.error["message"]
    assert document.error["run_id"] is None
    assert sorted(path.name for path in Path().iterdir()) == ["empty.txt", "latin1.txt"]


@pytest.mark.parametrize(
    "amount",
    ["-1", "-0.01", "nan", "inf", "-inf", "1e400", "1e-13", "1e-1000000000000", "1.0000000000000000000000000000000001",
     "9000000.1", "9" * 400, "abc", "$1", "0,05", "1 000", ""],
)  # fmt: skip
def test_an_impossible_amount_is_refused(amount: str) -> None:
    """Negative, endless, too fine, too large, or no number at all."""
    done = run("hi", "--max-cost", amount)
    assert (done.code, done.stdout) == (2, "")
    assert "max" in done.complaint
    assert not RUNS.exists()


@pytest.mark.parametrize("amount", ["0", "-0", "0e-1000000000000", "0.000000000001000"])
def test_an_odd_way_to_say_an_amount_is_shown_plainly(amount: str) -> None:
    """No sign, no exponent, no trailing zero."""
    assert run("hi", "--max-cost", amount, "--json").error["limit"] in ("0", "0.000000000001")


def test_input_that_is_not_utf8_is_refused() -> None:
    """It is named by its first bad byte."""
    assert piped(b"a\xffb", "run", "-").complaint == "standard input is not valid UTF-8 (at byte 2)"
    assert piped(b"", "run").complaint == "the prompt is empty"
    assert not RUNS.exists()


def test_argument_bytes_that_are_not_utf8_are_refused() -> None:
    """As the system hands them over."""
    done = ended(process("run", os.fsdecode(b"caf\xe9"), "--quiet"))
    assert (done.code, done.complaint) == (2, "the prompt is not valid UTF-8 (at character 4)")


def test_a_large_file_comes_through_a_pipe() -> None:
    """`cat big.txt | model-orchestrator run -`."""
    text = "word and more words " * 5_000
    assert piped(text.encode(), "run", "-", "--model", "gpt-4o-mini", "--quiet").code == 0
    assert shown()["prompt"] == text


def test_a_prompt_over_every_context_window_is_refused() -> None:
    """5 MB; every window is named, and what to do."""
    done = piped(b"word and more words " * 250_000, "run", "-")
    assert (done.code, done.stdout) == (1, "")
    assert "context window 128,000 tokens (gpt-4o" in done.complaint
    assert done.complaint.endswith("; shorten the prompt")
    run_ = asyncio.run(logged("runs.db"))
    assert facts(run_)[-1] == "RunFailed"
    assert run_.run.attempts == ()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite:///file/runs.db", "database file/runs.db: "),
        ("sqlite:////proc/runs.db", "database /proc/runs.db: "),
        ("sqlite:///folder", "database folder: "),
        ("sqlite:///text.db", "database text.db: file is not a database"),
        ("sqlite:///other.db", "database other.db: a SQLite file of another program"),
        ("postgresql://me:secret-word@127.0.0.1:1/db", "postgresql://me:****@127.0.0.1:1/db: connection failed"),
    ],
    ids=["below a file", "no permission", "a folder", "a text", "another program's", "no server"],
)
def test_a_database_that_cannot_be_used_is_one_line(url: str, complaint: str) -> None:
    """Exit 1, before any call, and what was there stays as it was."""
    Path("file").write_bytes(b"")
    Path("folder").mkdir()
    Path("text.db").write_text("not a database, but long enough to look like one" * 3, encoding="utf-8")
    with sqlite3.connect("other.db") as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    done = run("hi", "--database", url)
    assert (done.code, done.stdout) == (1, "")
    assert complaint in done.complaint
    assert "secret-word" not in done.stderr
    assert run("hi", "--database", url, "--json").error["kind"].startswith("store")
    assert {path: path.read_bytes() for path in before} == before


def test_a_database_of_a_newer_release_is_left_alone() -> None:
    """It says so, and what to do."""
    assert run("hi").code == 0
    with sqlite3.connect("runs.db") as file:
        file.execute("UPDATE alembic_version SET version_num = '9999_future'")
    file.close()
    done = run("hi")
    assert done.code == 1
    assert "its schema is '9999_future', this release knows up to" in done.complaint
    assert "upgrade model-orchestrator" in done.complaint
    assert run("hi", "--json").error["kind"] == "store_too_new"


def test_a_damaged_database_is_one_line() -> None:
    """Whatever the command."""
    assert run("hi").code == 0
    data = RUNS.read_bytes()
    for companion in Path().glob("runs.db-*"):
        companion.unlink()
    RUNS.write_bytes(data[:4096] + b"\x5a" * (len(data) - 4096))
    for arguments in (["run", "hi"], ["runs", "list"], ["runs", "show", "last"], ["audit", "trail", "last"]):
        done = command(*arguments)
        assert (done.code, done.stdout) == (1, "")
        assert "runs.db: database disk image is malformed: the file is damaged: restore a backup" in done.complaint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("timeout = ", "is not TOML: "),
        ("timeout = 'x'", "timeout in {file}: expected seconds above 0, such as 120, got 'x'"),
        ("tiemout = 1", "tiemout in {file}: there is no such setting; did you mean timeout?"),
        ("max_cost = -1", "max_cost in {file}: expected US dollars"),
        ("[models.x]\nopenai_api_key = 'sk-1'", "keys are read from environment variables only"),
    ],
)
def test_a_bad_settings_file_is_one_line(text: str, complaint: str) -> None:
    """Key, file and what was expected."""
    file = Path("model-orchestrator.toml").absolute()
    file.write_text(text, encoding="utf-8")
    done = run("hi")
    assert done.code == 2
    assert complaint.format(file=file) in done.complaint
    assert "sk-1" not in done.stderr
    assert not RUNS.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL_ORCHESTRATOR_TIMEOUT", "soon"),
        ("MODEL_ORCHESTRATOR_MAX_COST", "-1"),
        ("MODEL_ORCHESTRATOR_PROVIDER", "zzz"),
        ("MODEL_ORCHESTRATOR_LOG_LEVEL", "loud"),
        ("MODEL_ORCHESTRATOR_STORE_CONTENT", "maybe"),
        ("MODEL_ORCHESTRATOR_MAX_OUTPUT_TOKENS", "0"),
        ("MODEL_ORCHESTRATOR_TIEMOUT", "1"),
        ("OPENAI_BASE_URL", "ftp://host"),
    ],
)
def test_a_bad_variable_is_one_line(name: str, value: str) -> None:
    """It is named, and what was expected."""
    done = run("hi", **{name: value})
    assert (done.code, done.stdout) == (2, "")
    assert done.complaint.startswith(f"{name} in the environment: ")
    assert not RUNS.exists()


# ---- a provider that fails ----


@pytest.mark.parametrize(
    ("fault", "kind", "complaint", "outcome"),
    [
        (Fault.AUTH, "auth", "the key was refused: check it with `model-orchestrator doctor` (HTTP 401)",
         "AttemptFailed"),
        (Fault.RATE_LIMIT, "rate_limited", "rate limited: wait, or ask another model (HTTP 429, retry after 1 s)",
         "AttemptFailed"),
        (Fault.CONTEXT_WINDOW, "context_window", "longer than the model's context window: shorten it", "AttemptFailed"),
        (Fault.SERVER_ERROR, "server", "the provider failed: try again later (HTTP 500)", "AttemptLost"),
        (Fault.CUT, "cut", "the connection broke before the answer was whole", "AttemptLost"),
        (Fault.HTML, "malformed", "the reply was not what the protocol says: check the base_url", "AttemptLost"),
    ],
)  # fmt: skip
def test_a_failed_call_is_one_line(
    provider: RunningSimulator, fault: Fault, kind: str, complaint: str, outcome: str
) -> None:
    """Exit 1; the log says whether it may have been billed."""
    provider.fail(fault, count=2)
    once = ("--max-attempts", "1", "--on-unknown", "fail")
    done = run("hi", *once, "--database", "sqlite:///other.db")  # whose breakers are its own
    assert (done.code, done.stdout) == (1, "")
    assert done.complaint.startswith("gpt-6-luna: ")
    assert complaint in done.complaint
    assert ("whether it was billed is unknown" in done.complaint) == (outcome == "AttemptLost")
    error = run("hi", *once, "--json").error
    assert error["kind"] == kind
    failed = asyncio.run(logged("runs.db", error["run_id"]))
    assert facts(failed)[-3:] == ["AttemptStarted", outcome, "RunFailed"]


def test_no_network_is_one_line(provider: RunningSimulator) -> None:
    """Nobody listens there: the call is known not to be billed."""
    done = run("hi", OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert done.complaint == "gpt-6-luna: no connection: check the network and the base_url"
    last = asyncio.run(logged("runs.db"))
    assert facts(last)[-2:] == ["AttemptFailed", "RunFailed"]
    assert last.run.cost == 0


def test_no_answer_in_time_is_one_line(provider: RunningSimulator) -> None:
    """The deadline of the whole run; whether it was billed is unknown."""
    provider.fail(Fault.TIME_OUT)
    done = run("hi", "--timeout", "0.2")
    assert done.complaint.startswith("gpt-6-luna: no answer in time: raise --timeout")
    assert asyncio.run(logged("runs.db")).run.cost is None


def test_without_a_key_a_live_run_says_which() -> None:
    """It never falls back on simulated answers."""
    done = run("hi", "--provider", "openai")
    assert done.complaint.startswith("no usable model can answer: no key: set OPENAI_API_KEY (gpt-6-luna, ")
    assert done.stdout == ""
    assert run("hi", ANTHROPIC_API_KEY=KEY, OPENAI_BASE_URL="http://127.0.0.1:1/v1", **LIVE).code == 1


# ---- interrupted, killed, and at the same time ----


def test_an_interrupted_run_is_recorded_as_cancelled(provider: RunningSimulator) -> None:
    """Ctrl-C while the model thinks: exit 130; the call that left is lost, and what it cost is unknown."""
    provider.fail(Fault.TIME_OUT)
    started = process("run", "hi")
    in_call(started, provider)
    started.send_signal(signal.SIGINT)
    done = ended(started)
    assert (done.code, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    assert "interrupted: if the run had begun, it is recorded as cancelled" in done.stderr
    cancelled = asyncio.run(logged("runs.db"))
    assert facts(cancelled)[-3:] == ["AttemptStarted", "AttemptLost", "RunCancelled"]
    assert cancelled.run.cost is None
    until(lambda: provider.open == 0)
    assert provider.calls == 1


def test_an_interrupt_before_the_run_claims_nothing() -> None:
    """Ctrl-C while standard input is read."""

    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    done = piped(Interrupted(), "run", "-")
    assert (done.code, done.stdout) == (130, "")
    assert done.stderr.startswith("interrupted: if the run had begun")
    assert not RUNS.exists()


def test_a_killed_run_leaves_a_readable_log(provider: RunningSimulator) -> None:
    """kill -9 in the middle: the call is in the log as open; the next run works, and the killed one can be ended."""
    provider.fail(Fault.TIME_OUT)
    started = process("run", "hi")
    in_call(started, provider)
    started.kill()
    ended(started)
    killed = asyncio.run(logged("runs.db"))
    assert facts(killed)[-1] == "AttemptStarted"
    assert [attempt.status.value for attempt in killed.run.attempts] == ["open"]
    assert shown()["status"] == "running"
    assert run("hi").code == 0
    assert command("runs", "cancel", killed.run.id).code == 0
    assert asyncio.run(logged("runs.db", killed.run.id)).run.status.value == "cancelled"


def test_processes_share_a_database() -> None:
    """Three first runs at once: all are answered, and the chain holds."""
    several = [process("run", f"hi {number}", "--quiet") for number in range(3)]
    assert [ended(one).code for one in several] == [0, 0, 0]
    assert len(command("runs", "list", "--json").document) == 3
    assert facts(asyncio.run(logged("runs.db")))[-1] == "RunCompleted"


# ---- secrets ----


@pytest.mark.parametrize("fault", [None, Fault.AUTH, Fault.SERVER_ERROR, Fault.MALFORMED, Fault.CUT, Fault.STREAM_CUT])
@pytest.mark.parametrize("flag", ["--verbose", "--json", "--stream"])
def test_no_secret_leaves_its_place(provider: RunningSimulator, fault: Fault | None, flag: str) -> None:
    """Keys nowhere; prompts and answers in contents and on stdout only, at the most talkative log level."""
    if fault is not None:
        provider.fail(fault)
    once = ("--max-attempts", "1", "--on-unknown", "fail")
    done = run(PROMPT, "--verbose", flag, *once, MODEL_ORCHESTRATOR_LOG_LEVEL="debug")
    assert done.code == (1 if fault else 0)
    assert '"event": "AttemptStarted"' in done.stderr
    assert "sentinel" not in done.stderr
    assert_in_contents_only(done)
    if fault is None:
        answer = str(shown()["response"])
        assert answer in done.stdout
        assert answer[40:80] not in done.stderr + payloads()
    elif flag != "--stream":
        assert "sentinel" not in done.stdout


class CarelessProvider(BaseHTTPRequestHandler):
    """Fails, and sends back the key and the prompt it was given; the path's first part is the status."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        key = self.headers["authorization"] or self.headers["x-api-key"]
        said = json.dumps({"error": {"message": f"no luck with {key} and {body}", "type": key, "code": key}}).encode()
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("x-request-id", "req-1")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def careless() -> Iterator[str]:
    """The address of a provider that repeats secrets."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), CarelessProvider)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500, 529])
@pytest.mark.parametrize("vendor", ["OPENAI", "ANTHROPIC"])
def test_what_a_careless_provider_repeats_goes_nowhere(careless: str, vendor: str, status: int) -> None:
    """Its words are kept as contents, and the key not even there."""
    env = {f"{vendor}_API_KEY": KEY, f"{vendor}_BASE_URL": f"{careless}/{status}"}
    done = run(PROMPT, "--verbose", MODEL_ORCHESTRATOR_LOG_LEVEL="debug", **env)
    assert (done.code, done.stdout) == (1, "")
    assert "sentinel" not in done.stderr
    assert run(PROMPT, "--json", **env).stdout.count("sentinel") == 0
    assert_in_contents_only(done)


def payloads() -> str:
    """Every event of the log as it is stored."""
    return "\n".join(entry.envelope.payload for entry in asyncio.run(logged("runs.db")).events)


def assert_in_contents_only(done: Done) -> None:
    """The prompt is stored, but in no event; the key is nowhere."""
    stored = b"".join(path.read_bytes() for path in Path().glob("runs.db*"))
    assert b"sentinel-of-the-prompt" in stored
    assert "sentinel" not in payloads()
    assert KEY.encode() not in stored
    assert KEY not in done.stdout + done.stderr


def test_log_lines_are_json_with_the_runs_id() -> None:
    """Where stderr is no terminal."""
    done = run("hi", "--quiet", MODEL_ORCHESTRATOR_LOG_LEVEL="debug")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines][:2] == ["RunStarted", "RoutingDecided"]
    assert {line["run_id"] for line in lines} == {shown()["run_id"]}
