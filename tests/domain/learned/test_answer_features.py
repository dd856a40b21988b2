"""What a learned scorer reads of an answer."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.learned.answer_features import NAMES, answer_features, answer_terms, question_terms
from model_orchestrator.domain.learned.answer_reading import WINDOW

CHOICE = "How far does it fall in 2 s?\nOptions:\nA. 4.9 m\nB. 9.8 m\nC. 19.6 m\nD. 39.2 m"
PROGRAM = "[PYTHON]\ndef f(s):\n    return s.upper()\nassert f('a') == ??\n[/PYTHON]"


def feature(name: str, question: str, answer: str, finish_reason: FinishReason = FinishReason.STOP) -> float:
    return answer_features(question, answer, finish_reason)[NAMES.index(name)]


def test_each_feature_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES) == len(answer_features(CHOICE, "The answer is (C)."))


def test_an_option_is_held_against_what_the_text_works_out() -> None:
    worked = "d = 0.5 * 9.8 * 4 = 19.6 m. The answer is ({})."
    assert feature("o_last_near", CHOICE, worked.format("C")) == 1
    assert feature("o_number_near", CHOICE, worked.format("C")) == 1
    assert feature("o_number_near", CHOICE, worked.format("D")) == 0
    assert feature("o_rank", CHOICE, worked.format("D")) == 1


def test_a_literal_of_another_kind_than_the_program_returns_is_told() -> None:
    assert feature("f_kind_kept", PROGRAM, '{"answer": "\'A\'"}') == 1
    assert feature("f_kind_kept", PROGRAM, '{"answer": "[1, 2]"}') == 0
    assert feature("f_written_out", PROGRAM, '{"answer": "[1, 2]"}') == 1
    assert feature("f_written_out", PROGRAM, '{"answer": "[1,2]"}') == 0


def test_wrong_sums_are_counted() -> None:
    assert feature("a_sums_wrong", "What is 3 * 4?", "3 * 4 = 13. The answer is 13.") == 1


def test_a_cut_answer_did_not_finish() -> None:
    assert feature("a_finished", "q", "It is", FinishReason.LENGTH) == 0
    assert feature("a_cut", "q", "It is done.", FinishReason.LENGTH) == 1


def test_terms_come_once_in_the_order_they_stand() -> None:
    assert question_terms("A 12 a 1234567") == ["a", "00", "0000", "a 00", "00 a", "a 0000"]
    assert answer_terms("So so what") == ["so", "what", "so so", "so what"]


def test_what_stands_in_the_middle_of_a_long_text_is_not_read() -> None:
    ends = "a" * WINDOW
    assert answer_features("q", ends + "1" * 50 + ends) == answer_features("q", ends + "2" * 90 + ends)


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_texts_give_finite_numbers(question: str, answer: str) -> None:
    values = answer_features(question, answer)
    assert len(values) == len(NAMES)
    assert all(map(math.isfinite, values))
