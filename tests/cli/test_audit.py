"""`audit trail`: what a run did, event by event."""

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ..contracts.read_models import add
from ..read_models import of_category
from .command import command, logged


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")


def test_the_trail_is_a_timeline() -> None:
    """Each event, when, what it cost, and why."""
    result = command("run", "Review this function for bugs: def add(a, b): return a - b", "--json").document
    lines = command("audit", "trail", "last").stdout.splitlines()
    assert lines[0].startswith(f"{result['run_id']} (completed), 2")
    entries = [line.split() for line in lines[1:] if line[:3].strip()]
    assert [entry[0] for entry in entries] == [str(number) for number in range(1, 9)]
    assert [entry[4] for entry in entries] == [
        "RunStarted",
        "PromptAssessed",
        "RoutingDecided",
        "AttemptStarted",
        "ModelCalled",
        "CostIncurred",
        "ConfidenceScored",
        "RunCompleted",
    ]
    text = "\n".join(lines)
    assert f"attempt 1: ${result['cost']} (claude-haiku-3.5@" in text
    assert "excluded gpt-4o-mini: answers prompts up to basic only" in text
    assert "candidate claude-haiku-3.5: expected $0." in text


def test_the_trail_as_json_is_the_log() -> None:
    """Every field of every envelope, the payload as an object."""
    command("run", "hi")
    rows = command("audit", "trail", "last", "--json").document
    log = asyncio.run(logged("runs.db"))
    assert [row["version"] for row in rows] == list(range(1, 9))
    assert [row["type"] for row in rows] == [entry.envelope.type for entry in log.events]
    assert [row["event_hash"] for row in rows] == [entry.envelope.event_hash.hex() for entry in log.events]
    assert rows[0]["payload"]["strategy"] == "cheapest"
    assert rows[5]["payload"]["amount"] == command("runs", "show", "last", "--json").document["cost"]
    assert {row["correlation_id"] for row in rows} == {log.run.id}
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)


def test_step_by_step_the_state_stands_beside_each_event() -> None:
    """Status, cost, holds and confidence, and what is due next: the next decision, until nothing is."""
    command("budgets", "set", "global", "5")
    command("run", "What is Erlang?", "--strategy", "fallback", "--threshold", "0.99")
    rows = command("audit", "trail", "last", "--step", "--json").document
    states = [row["state"] for row in rows]
    assert [state["due"] for state in states[:2]] == [["assess the prompt"], ["decide the route"]]
    assert states[2]["due"] == ["ask gpt-4o-mini"]
    assert float(states[2]["held"]["global month"]) > 0
    assert (states[3]["under_way"], states[3]["cost"], states[3]["known_cost"]) == ([1], None, "0")
    escalated = next(index for index, row in enumerate(rows) if row["type"] == "Escalated")
    assert states[escalated - 1]["due"] == ["go on from gpt-4o-mini to claude-haiku-3.5"]
    assert (states[escalated]["stage"], states[escalated]["due"]) == (1, ["ask claude-haiku-3.5"])
    assert (states[-1]["status"], states[-1]["due"], states[-1]["held"]) == ("completed", [], {})
    assert states[-1]["cost"] == command("runs", "show", "last", "--json").document["cost"]
    assert [row["payload"] for row in rows] == [
        row["payload"] for row in command("audit", "trail", "last", "--json").document
    ]
    text = command("audit", "trail", "last", "--step").stdout
    assert text.count("; due: ") == len(rows)
    assert "due: ask gpt-4o-mini" in command("audit", "trail", "last", "--step", "--format", "html").stdout
    assert "; due: " not in command("audit", "trail", "last").stdout


def test_each_event_names_what_caused_it() -> None:
    """A chain from the first event to the last."""
    command("run", "hi")
    rows = command("audit", "trail", "last", "--json").document
    ids = [row["event_id"] for row in rows]
    assert [row["causation_id"] and row["causation_id"].replace("-", "") for row in rows] == [None, *ids[:-1]]


def test_the_trail_of_a_refused_run_says_why() -> None:
    """The models are named with the limit that each needs."""
    command("run", "hi", "--max-cost", "0")
    text = command("audit", "trail", "last").stdout
    assert "no model can be asked" in text
    assert "excluded gpt-4o-mini: needs up to $0." in text
    assert "no answer: budget, $0 in all" in text


def test_a_run_that_is_not_there_has_no_trail() -> None:
    """Exit 1, and what to do."""
    assert command("audit", "trail", "last").complaint.startswith("there is no run yet: start one")
    command("run", "hi")
    done = command("audit", "trail", "nosuch")
    assert (done.code, done.stdout) == (1, "")
    assert done.complaint == "no run begins with 'nosuch': `model-orchestrator runs list` shows them"


class Page(HTMLParser):
    """What a page shows, and what it would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.loads = [name for name in ("<script", "<link", "<img", "url(", "@import", "http") if name in text]
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        self.loads += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def test_the_trail_as_a_page_stands_alone() -> None:
    """Costs, every event and the why; no script, nothing from elsewhere, no text of a prompt or an answer."""
    result = command("run", "What is a sentinel-of-the-prompt?", "--json").document
    done = command("audit", "trail", "last", "--format", "html")
    page = Page(done.stdout)
    assert (done.code, page.loads) == (0, [])
    told = command("audit", "trail", "last").stdout
    for line in told.splitlines()[1:]:
        assert line[37:] in re.sub(r"  +", " ", page.text)
    assert result["run_id"] in page.text
    assert f"${result['cost']}" in page.text
    assert "simulated money" in page.text
    assert "sentinel" not in done.stdout
    assert result["response"] not in page.text
    assert "prefers-color-scheme: dark" in done.stdout


def test_a_page_shows_names_and_runs_none_of_them() -> None:
    evil = "<script>alert('x')</script>\x1b[2J"
    add("sqlite:///runs.db", "run-1", of_category("chat", tags={"team": evil}))
    page = Page(command("audit", "trail", "last", "--format", "html").stdout)
    assert page.loads == []
    assert "team=<script>alert('x')</script>\N{REPLACEMENT CHARACTER}[2J" in page.text


@pytest.mark.parametrize("options", [(), ("--max-cost", "0"), ("--strategy", "ensemble"), ("--strategy", "fallback")])
def test_every_kind_of_run_has_a_page(options: tuple[str, ...]) -> None:
    command("run", "What is 23 * 19?", *options)
    page = Page(command("audit", "trail", "last", "--format", "html").stdout)
    assert page.loads == []
    assert ("no answer: budget" in page.text) is ("--max-cost" in options)


def test_json_is_the_same_by_either_name() -> None:
    command("run", "hi")
    assert (
        command("audit", "trail", "last", "--format", "json").stdout
        == command("audit", "trail", "last", "--json").stdout
    )
    assert command("audit", "trail", "last", "--format", "xml").complaint == "format 'xml': expected table, json, html"


def test_a_run_as_the_log_stood_then() -> None:
    """A moment in the middle of a run shows its beginning, still under way; before it there was nothing."""
    command("run", "hi")
    rows = command("audit", "trail", "last", "--json").document
    answered = next(row["recorded_at"] for row in rows if row["type"] == "ModelCalled")
    then = command("audit", "trail", "last", "--as-of", answered).stdout
    assert "(running)" in then
    assert "AttemptStarted" in then
    assert "ModelCalled" not in then
    page = Page(command("audit", "trail", "last", "--as-of", answered, "--format", "html").stdout).text
    assert f"as the log stood at {answered} (UTC)" in page
    assert "nobody yet" in page
    assert command("audit", "trail", "last", "--as-of", "today", "--json").document == rows
    done = command("audit", "trail", "last", "--as-of", "2001")
    assert done.code == 1
    assert done.complaint.endswith(f"had not begun then: it began at {rows[0]['recorded_at']}")


def test_erased_texts_leave_the_trail_as_it_was_and_say_so() -> None:
    """Also as of a moment before, when they were still there."""
    command("run", "hi")
    before = command("audit", "trail", "last").stdout
    ended = command("audit", "trail", "last", "--json").document[-1]["recorded_at"]
    assert command("privacy", "erase", "last").code == 0
    after = command("audit", "trail", "last").stdout
    assert after.startswith(before)
    assert "texts erased" in after.removeprefix(before)
    assert "texts erased" in Page(command("audit", "trail", "last", "--format", "html").stdout).text
    assert command("audit", "trail", "last", "--json").document[-1]["type"] == "ContentErased"
    assert "erased" not in command("audit", "trail", "last", "--as-of", ended).stdout


def test_an_answer_given_again_names_its_source() -> None:
    command("run", "hi", "--cache", "1h")
    command("run", "hi", "--cache", "1h")
    page = Page(command("audit", "trail", "last", "--format", "html").stdout)
    assert "AnsweredFromCache" in page.text
    assert ", earlier" in page.text
    assert "Calls" not in page.text
