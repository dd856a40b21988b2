"""How far an answer can be trusted, from its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.confidence import LEAST, MOST, PLAIN, SCORER, WINDOW, Confidence, ConfidenceDetector
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.units import Probability

DETECTOR = ConfidenceDetector()


def score(text: str, finish_reason: FinishReason = FinishReason.STOP, question: str = "") -> Confidence:
    return DETECTOR.score(text, finish_reason=finish_reason, question=question)


@pytest.mark.parametrize(
    "text", ["Paris.", "The answer is 42.", "巴黎是法国的首都。", "- one\n- two\n", "7", '{"answer": 7}']
)
def test_a_plain_answer_has_no_signal(text: str) -> None:
    assert score(text) == Confidence(score=Probability(PLAIN), signals={}, scorer=SCORER)


SIGNALS = {
    "I think it might be Paris, perhaps.": "hedging",
    "Vielleicht ist es Paris.": "hedging",
    "Je crois que c'est Paris.": "hedging",
    "也许是巴黎。": "hedging",
    "I don't know.": "ignorance",
    "I’m not sure which city it is.": "ignorance",
    "Ich weiß es nicht.": "ignorance",
    "我不知道": "ignorance",
    "I'm sorry, but I can't help with that.": "refusal",
    "As an AI language model I have no opinion.": "refusal",
    "Es tut mir leid, aber ich kann dabei nicht helfen.": "refusal",
    "Lo siento, pero no puedo responder.": "refusal",
    "抱歉,我无法回答。": "refusal",
    "": "emptiness",
    " \n\t": "emptiness",
    "...": "emptiness",
    "```python\nprint(1)": "truncation",
    "The steps are many. " * 15 + "The last one is (": "truncation",
    "the same words again " * 40: "repetition",
}


@pytest.mark.parametrize("text", SIGNALS)
def test_each_weakness_is_named_and_lowers_the_score(text: str) -> None:
    found = score(text)
    assert SIGNALS[text] in found.signals
    assert found.signals[SIGNALS[text]] < 0
    assert found.score < PLAIN


def test_more_hedges_lower_the_score_further() -> None:
    assert score("Perhaps it is Paris.").score > score("Perhaps, I think, it might be Paris.").score


def test_an_answer_cut_at_the_limit_is_trusted_less() -> None:
    assert score("The answer is", FinishReason.LENGTH).signals == {"truncation": -500_000}
    assert score("The answer is", FinishReason.OTHER).score < score("The answer is").score


def test_a_safety_refusal_is_an_answer_with_low_confidence() -> None:
    found = score("Let us talk of something else.", FinishReason.REFUSAL)
    assert list(found.signals) == ["refusal"]
    assert found.score == 100_000


def test_a_tool_call_without_text_is_not_empty() -> None:
    assert score("", FinishReason.TOOL_CALLS).signals == {}
    assert "hedging" in score("Perhaps the weather tool knows.", FinishReason.TOOL_CALLS).signals


FRANCE = "What is the capital of France?"


@pytest.mark.parametrize(
    "text", [FRANCE, f"{FRANCE} The capital.", "What is the capital of Germany? What is the capital of Spain?"]
)
def test_an_answer_that_only_asks_again_is_not_trusted(text: str) -> None:
    assert score(text, question=FRANCE).signals == {"echo": -750_000}
    assert "echo" not in score(text, question="Write three quiz questions.").signals


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (FRANCE, "The capital of France is Paris."),
        (FRANCE, "What is the capital of France? It is Paris."),
        ("Convert to uppercase: good morning everyone", "GOOD MORNING EVERYONE"),
        ("Extract the name: Yesterday Peter went home.", "Peter"),
        (
            "The sky is blue because of\nA. dust\nB. scattering",
            "The sky is blue because of scattering. The answer is (B).",
        ),
    ],
)
def test_an_answer_that_shares_words_with_its_question_is_no_echo(question: str, answer: str) -> None:
    assert score(answer, question=question).signals == {}


def test_words_of_doubt_inside_other_words_are_not_counted() -> None:
    assert score("Maybelline was founded in 1915.").signals == {}
    assert score("He said so: I can't help it when music plays.").signals != {}


@given(st.text(), st.sampled_from(FinishReason), st.text())
def test_any_answer_has_a_score_within_bounds_and_always_the_same(
    text: str, reason: FinishReason, question: str
) -> None:
    found = score(text, reason, question)
    assert found == score(text, reason, question)
    assert LEAST <= found.score <= MOST
    assert all(strength < 0 for strength in found.signals.values())
    assert DETECTOR.detect_confidence(text) == score(text).score / 1_000_000


@given(st.text(max_size=100), st.text(max_size=100))
def test_only_the_ends_of_a_long_answer_are_read(head: str, tail: str) -> None:
    first, second = (
        score(head.ljust(WINDOW, ".") + middle * 1_000 + tail.rjust(WINDOW, "."))
        for middle in ("I do not know. ", "It is Paris... ")
    )
    assert first == second


@pytest.mark.parametrize("unit", ["a", " ", "a b c d ", "I think ", "`", "可", "?", "\ud800"])
def test_a_megabyte_of_anything_has_a_score(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert LEAST <= score(text, question=text).score <= MOST
