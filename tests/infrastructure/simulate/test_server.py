"""The loopback server, spoken to with nothing but HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from model_orchestrator.infrastructure.simulate.faults import Fault, FaultBook, UnknownFault
from model_orchestrator.infrastructure.simulate.server import SimulatorOptions
from tests.simulator import RunningSimulator, running_simulator

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
HI = [{"role": "user", "content": "What is Python?"}]
CHAT_BODY: dict[str, Any] = {"model": "gpt-4o-mini", "messages": HI}
MESSAGES_BODY: dict[str, Any] = {"model": "claude-x", "messages": HI, "max_tokens": 50}


def send(simulator: RunningSimulator, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the reply."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{simulator.address}{path}", data=body, headers=named, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_counts_have_exactly_the_promised_keys(simulator: RunningSimulator) -> None:
    """Failed calls count, with no tokens; answers count with what they say they used."""
    usage = simulator.post(CHAT, CHAT_BODY)["usage"]
    simulator.post(MESSAGES, MESSAGES_BODY)
    simulator.fail(Fault.RATE_LIMIT)
    assert send(simulator, CHAT, json.dumps(CHAT_BODY).encode())[0] == 429
    stats = simulator.stats()
    assert set(stats) == {"calls", "by_model"}
    assert stats["calls"] == 3
    assert stats["by_model"]["gpt-4o-mini"] == {
        "calls": 2,
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
    }
    assert set(stats["by_model"]) == {"gpt-4o-mini", "claude-x"}


def test_an_answer_that_is_lost_on_its_way_is_billed(simulator: RunningSimulator) -> None:
    """The provider ran it, whatever the caller got."""
    simulator.fail(Fault.CUT)
    with pytest.raises(OSError, match=r"closed|reset"):
        send(simulator, CHAT, json.dumps(CHAT_BODY).encode())
    assert simulator.stats()["by_model"]["gpt-4o-mini"]["output_tokens"] > 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, b"{oops"),
        (CHAT, b"[]"),
        (CHAT, b"\xff"),
        (CHAT, b"{}"),
        (CHAT, json.dumps({"model": "m", "messages": []}).encode()),
        (CHAT, json.dumps({**CHAT_BODY, "surprise": 1}).encode()),
        (CHAT, json.dumps({"model": "m", "messages": [{"role": "robot", "content": "x"}]}).encode()),
        (CHAT, json.dumps({"model": "m", "messages": [{"role": "user", "content": [{"type": "smell"}]}]}).encode()),
        (CHAT, json.dumps({**CHAT_BODY, "max_tokens": "many"}).encode()),
        (CHAT, json.dumps({**CHAT_BODY, "tools": [7]}).encode()),
        (CHAT, json.dumps({**CHAT_BODY, "stop": [7]}).encode()),
        (CHAT, json.dumps({**CHAT_BODY, "max_tokens": 0}).encode()),
        (MESSAGES, json.dumps({**MESSAGES_BODY, "max_tokens": 0}).encode()),
        (MESSAGES, json.dumps({**MESSAGES_BODY, "stop_sequences": [7]}).encode()),
        (MESSAGES, b"{oops"),
        (MESSAGES, json.dumps({"model": "m", "messages": HI}).encode()),
        (MESSAGES, json.dumps({**MESSAGES_BODY, "seed": 1}).encode()),
        (MESSAGES, json.dumps({**MESSAGES_BODY, "messages": [{"role": "system", "content": "x"}]}).encode()),
        (MESSAGES, json.dumps({**MESSAGES_BODY, "tools": [{"name": "t", "input_schema": {}}]}).encode()),
    ],
)
def test_a_bad_body_gets_the_vendors_error(path: str, body: bytes, simulator: RunningSimulator) -> None:
    """400, in the shape that vendor's SDK reads."""
    status, _, text = send(simulator, path, body)
    reply = json.loads(text)
    assert status == 400
    assert reply["error"]["message"]
    assert reply["error"]["type"] == "invalid_request_error"
    assert ("code" in reply["error"]) == (path == CHAT)


def test_every_reply_says_that_it_is_simulated(simulator: RunningSimulator) -> None:
    """Answers, streams and errors; unless it is to pass as real."""
    bodies: tuple[dict[str, Any], ...] = (CHAT_BODY, {**CHAT_BODY, "stream": True}, {})
    for body in bodies:
        assert send(simulator, CHAT, json.dumps(body).encode())[1]["x-simulated"] == "1"
    with running_simulator(SimulatorOptions(as_real=True)) as real:
        for body in bodies:
            assert "x-simulated" not in send(real, CHAT, json.dumps(body).encode())[1]


def test_the_same_question_has_the_same_answer_in_both_protocols(simulator: RunningSimulator) -> None:
    """The text depends on model and conversation alone."""
    chat = simulator.post(CHAT, {**CHAT_BODY, "model": "one"})["choices"][0]["message"]["content"]
    messages = simulator.post(MESSAGES, {**MESSAGES_BODY, "model": "one"})["content"][0]["text"]
    assert chat == messages


def test_a_fault_can_be_asked_for_by_header_model_or_prompt(simulator: RunningSimulator) -> None:
    """Three ways that need no control call."""
    marked = [{"role": "user", "content": "hi [fault:overloaded]"}]
    asked: tuple[tuple[dict[str, Any], dict[str, str]], ...] = (
        (CHAT_BODY, {"x_simulate_fault": "overloaded"}),
        ({**CHAT_BODY, "model": "gpt[fault:overloaded]"}, {}),
        ({**CHAT_BODY, "messages": marked}, {}),
    )
    for body, headers in asked:
        assert send(simulator, CHAT, json.dumps(body).encode(), **headers)[0] == 529
    assert send(simulator, CHAT, json.dumps(CHAT_BODY).encode())[0] == 200


def test_an_unknown_fault_is_named(simulator: RunningSimulator) -> None:
    """The reply lists those there are."""
    status, _, text = send(simulator, CHAT, json.dumps(CHAT_BODY).encode(), x_simulate_fault="flood")
    assert status == 400
    assert b"flood" in text
    assert b"rate_limit" in text
    assert send(simulator, "/faults", b'{"fault": "flood"}')[0] == 400
    assert send(simulator, "/faults", b'{"fault": "cut", "count": 0}')[0] == 400
    assert send(simulator, "/faults", b"{oops")[0] == 400


def test_queued_faults_meet_the_next_calls_of_their_model(simulator: RunningSimulator) -> None:
    """As many as asked for, in order; other models are left alone."""
    simulator.fail(Fault.OVERLOADED, count=2, model="b")
    simulator.fail(Fault.RATE_LIMIT, model="b", retry_after="9")
    sent = [send(simulator, CHAT, json.dumps({**CHAT_BODY, "model": name}).encode()) for name in "abbbb"]
    assert [status for status, _, _ in sent] == [200, 529, 529, 429, 200]
    assert sent[3][1]["retry-after"] == "9"


def test_forgotten_faults_meet_nobody(simulator: RunningSimulator) -> None:
    """`DELETE /faults` empties the queue."""
    simulator.fail(Fault.OVERLOADED, count=9)
    urllib.request.urlopen(urllib.request.Request(f"{simulator.address}/faults", method="DELETE"), timeout=5).close()
    assert send(simulator, CHAT, json.dumps(CHAT_BODY).encode())[0] == 200


def test_a_share_of_calls_fails_and_the_seed_decides_which() -> None:
    """The same seed, the same calls; about the share asked for."""

    def drawn(seed: int) -> list[bool]:
        book = FaultBook(rates={Fault.RATE_LIMIT: 0.2, Fault.CUT: 0.1}, seed=seed)
        return [book.next(header=None, model="m", prompt="p") is not None for _ in range(1000)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 240 < sum(drawn(1)) < 360


def test_no_fault_has_another_name() -> None:
    """A marker that names none is an error, not a silent success."""
    with pytest.raises(UnknownFault, match="flood"):
        FaultBook().next(header=None, model="m", prompt="[fault:flood]")


def test_models_are_listed(simulator: RunningSimulator) -> None:
    """As OpenAI lists them; a model that was asked is among them."""
    simulator.post(CHAT, {**CHAT_BODY, "model": "my-model"})
    with urllib.request.urlopen(f"{simulator.address}/v1/models", timeout=5) as response:
        listed = [model["id"] for model in json.load(response)["data"]]
    assert {"gpt-4o-mini", "my-model"} <= set(listed)


def test_log_probabilities_are_told_where_asked_for(simulator: RunningSimulator) -> None:
    """One a word."""
    choice = simulator.post(CHAT, {**CHAT_BODY, "logprobs": True})["choices"][0]
    told = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in told) == choice["message"]["content"]
