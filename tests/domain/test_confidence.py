"""How far an answer can be trusted, from its text."""

from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.confidence import LEAST, MOST, PLAIN, SCORER, WINDOW, Confidence, ConfidenceDetector
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.request import ResponseFormat
from model_orchestrator.domain.units import Probability

DETECTOR = ConfidenceDetector()


def score(text: str, finish_reason: FinishReason = FinishReason.STOP, question: str = "", **given: Any) -> Confidence:
    return DETECTOR.score(text, finish_reason=finish_reason, question=question, **given)


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


WHICH = "Which is a fruit?\nA. stone\nB. apple\nC. river"


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What is 6 times 7?", "The answer is 42. Let me check: 6 and 7 make 43. Final answer: 43"),
        (WHICH, "The answer is (A), for it is round. On reflection, the correct answer is B."),
        ("Is 7 even?", "Yes, it is. Half of it is 3.5, so the answer is no."),
    ],
)
def test_an_answer_that_concludes_otherwise_than_it_began_is_not_trusted(question: str, text: str) -> None:
    assert score(text, question=question).signals == {"contradiction": -600_000}


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What is 6 times 7?", "The answer is 42. Check: 7 times 6 is 42, too. Final answer: 42.0"),
        (WHICH, "The answer is (B). A is a stone and C is water. The answer is apple."),
        ("Is 7 odd?", "Yes. An even number would have a half; the answer is yes."),
        ("Is it raining?", "No, because the answer to that depends on where you are."),
    ],
)
def test_an_answer_that_says_the_same_twice_is_no_contradiction(question: str, text: str) -> None:
    assert score(text, question=question).signals == {}


def test_none_of_the_options_is_no_answer_to_a_choice() -> None:
    assert score("Fruits grow on trees and are sweet.", question=WHICH).signals == {"no_choice": -500_000}
    for text in ("B", "An apple is one.\nThe answer is B.", "A. stone: hard.\nB. apple: sweet.\nC. river: wet."):
        assert "no_choice" not in score(text, question=WHICH).signals
    tasks = "Do all of these for me.\nA. write a poem\nB. draw a house\nC. sing a song"
    assert score("Roses are red, and so on and on.", question=tasks).signals == {}


@pytest.mark.parametrize(("length", "strength"), [(400, 0), (600, -50_000), (1_500, -150_000), (4_000, -350_000)])
def test_a_long_way_to_a_short_answer_lowers_the_score_and_long_prose_does_not(length: int, strength: int) -> None:
    way = " ".join(f"Step {number} gives {number * 7}." for number in range(length // 16))
    found = score(f"{way}\nThe answer is 5.", question="How many?")
    assert found.signals == ({"length": strength} if strength else {})
    assert score(way, question="Tell me a story.").signals == {}


@pytest.mark.parametrize(
    "question", ["Explain how a heat pump works.", "Write a Python function that adds.", "Erkläre die Gezeiten."]
)
def test_a_word_or_two_explain_and_program_nothing(question: str) -> None:
    assert score("It works.", question=question).signals == {"brevity": -450_000}
    assert score("It takes heat from outside and gives it off inside.", question=question).signals == {}


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (FRANCE, "Paris"),
        ("Is 7 odd?", "Yes."),
        ("Explain in one word what a cat is.", "Animal"),
        ("Briefly explain: what is a cat?", "An animal"),
        ("Write a name for my dog.", "Rex"),
        ("Translate to German: dog", "Hund"),
        (f"Explain: {WHICH}", "B"),
    ],
)
def test_short_answers_to_what_is_short_are_fine(question: str, text: str) -> None:
    assert score(text, question=question).signals == {}


def test_token_probabilities_below_seven_tenths_lower_the_score() -> None:
    def strength(*logprobs: float) -> int:
        return score("Paris", logprobs=logprobs).signals.get("token_probability", 0)

    assert strength() == strength(-0.0) == strength(-0.3, -0.4) == strength(float("nan")) == strength(0.5) == 0
    assert -40_000 < strength(-0.4) < -20_000
    assert strength(-0.4) > strength(-0.6) > strength(-1.3) == strength(-9_999.0) == strength(-float("inf")) == -400_000


@given(st.text(), st.sampled_from(FinishReason), st.text())
def test_any_answer_has_a_score_within_bounds_and_always_the_same(
    text: str, reason: FinishReason, question: str
) -> None:
    found = score(text, reason, question)
    assert found == score(text, reason, question)
    assert LEAST <= found.score <= MOST
    assert all(strength < 0 for strength in found.signals.values())
    assert score(text, reason, question, response_format=ResponseFormat()).score <= MOST
    assert DETECTOR.detect_confidence(text) == score(text).score / 1_000_000


@given(st.text(max_size=100), st.text(max_size=100))
def test_only_the_ends_of_a_long_answer_are_read(head: str, tail: str) -> None:
    first, second = (
        score(head.ljust(WINDOW, ".") + middle * 1_000 + tail.rjust(WINDOW, "."))
        for middle in ("I do not know. ", "It is Paris... ")
    )
    assert first == second


UNITS = [
    "a",
    " ",
    "a b c d ",
    "I think ",
    "`",
    "可",
    "?",
    "\ud800",
    "The answer is B. ",
    "A. x\n",
    "Yes, ",
    "{",
    '{"a":',
]
UNITS += [
    "|",
    "```",
    "please answer with only one ",
    "reply as json ",
    "return a single word, ",
    "\\boxed{",
    "1 ",
    "\n",
]


@pytest.mark.parametrize("unit", UNITS)
def test_a_megabyte_of_anything_has_a_score(unit: str) -> None:
    """In a bounded time: a hundred times what it takes."""
    text = unit * (1_000_000 // len(unit))
    began = process_time()
    assert LEAST <= score(text, question=text).score <= MOST
    assert LEAST <= score(text, question=text, response_format=ResponseFormat()).score <= MOST
    assert process_time() - began < 10
