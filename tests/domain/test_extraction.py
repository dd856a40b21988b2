"""Equal answers have one form, unequal ones two, and open prose none."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.extraction import WINDOW, extract_answer, options_of
from model_orchestrator.domain.literal_form import literal_form
from model_orchestrator.domain.normal_form import LONGEST, normal_form

SAMPLE = [
    json.loads(line) for line in Path(__file__).with_name("data").joinpath("vote_sample.jsonl").open(encoding="utf-8")
]
CODE = "Complete the assertion with a literal.\nassert f('x') == ??"
CHOICE = "Which is a fruit?\nA. stone\nB. apple\nC. the river\nD. 42"
STEPS = "First we add the two, then we halve the sum and check it against the table. " * 8

EQUAL = [
    ("numbers", "", ["1000", "1,000", "1000.0", "$1,000.00", "1 000", "1e3", "1000.", "+1000"]),
    ("negative", "", ["-5", "−5", "$-5$", "x = -5"]),
    ("units", "", ["18", "18 apples", "$18", "18%", "18 dollars", "18 km/h", "about 18",
                 "18^\\circ", "18 cm^2", "x = 18 apples"]),
    ("scales", "", ["1500000", "1.5 million", "$1.5 million", "1.5 Millionen"]),
    ("decimal comma", "", ["3.5", "3,5", "3,5 kg", "7/2", "3 1/2"]),
    ("both separators", "", ["1234.5", "1,234.5", "1.234,5 €"]),
    ("fractions", "", ["1/2", "0.5", "\\frac{1}{2}", "\\dfrac12", "$\\frac{1}{2}$", "\\boxed{\\frac{1}{2}}", "2/4"]),
    ("thirds", "", ["1/3", "\\frac{1}{3}", "2/6"]),
    ("powers of ten", "", ["6000", "6 \\times 10^3", "6 x 10^{3}"]),
    ("roots", "", ["3\\sqrt{2}", "3*sqrt(2)", "3√2", "3 \\cdot \\sqrt2", "x = 3\\sqrt{2}"]),
    ("intervals", "", ["\\boxed{[1, 2)}", "[1,2)", "\\left[1, 2\\right)"]),
    ("points", "", ["(3, 4)", "(3,4)", "\\left( 3, 4 \\right)"]),
    ("sets", "", ["\\{1, 2\\}", "\\{2, 1\\}", "{1,2}"]),
    ("sets of signs", "", ["\\{x, 2\\}", "{2,x}", "\\left\\{ 2, x \\right\\}"]),
    ("words in LaTeX", "", ["Yardley", "\\boxed{{\\text{Yardley}}}", "\\text{Yardley}", "**Yardley**"]),
    ("short strings", "", ["Paris", "paris.", '"Paris"', "**Paris**", "Answer: Paris", "The answer is Paris."]),
    ("articles", "", ["the Eiffel Tower", "Eiffel tower"]),
    ("yes", "", ["Yes", "yes.", "Yes, it does.", "The answer is yes.", "Ja.", "Sí", "はい", "**Yes**"]),
    ("no", "", ["No", "No, because it rains.", "Nein", "Antwort: nein"]),
    ("markers", "", ["7", "Answer: 7", "#### 7", "Antwort: 7", "La respuesta es 7.", "答案是 7", "Ответ: 7",
                   "Final answer: 7."]),
    ("what it is", "", ["5", "It is 5.", "It's 5", "It is 5, because 2 + 3 = 5.", "That is 5. Two and three make it.",
                        "Es ist 5.", "C'est 5.", "Answer: it is **5**", '{"answer": "It is 5."}']),
    ("what it is called", "", ["Paris", "It is Paris.", "That would be Paris."]),
    ("next line", "", ["7", f"{STEPS}\n\n**Final Answer:**\n7"]),
    ("a conclusion", "", ["42", f"{STEPS}\nSo the total is 42 dollars.", f"{STEPS} Therefore, she has $42 left."]),
    ("letters", "", ["B", "(B)", "b)", "The answer is (B).", "**B**", "（B）"]),
    (
        "options",
        CHOICE,
        ["B", "b", "(B)", "B. apple", "apple", "The answer is apple.", "\\boxed{B}", f"The answer is (B). {STEPS}",
         f"B) apple\n\n{STEPS}", f"{STEPS} The correct answer is B, because A and C are none.", "Option B",
         '{"answer": "B"}', '{"answer": "Apple"}'],
    ),
    ("an option that is a number", CHOICE, ["D", "42", "42.0", "D. 42"]),
    ("code strings", CODE, ["'a'", '"a"', '{"answer": "a"}', '{"answer": "\'a\'"}', '{"answer": "\\"a\\""}',
                            "assert f('x') == 'a'", "```\n'a'\n```"]),
    ("code lists", CODE, ["[1, 2]", "[1,2]", '{"answer": [1, 2]}', '{"answer": "[1, 2]"}', "[1.0, 2]"]),
    ("code dicts", CODE, ["{'a': 1, 'b': [2]}", '{"b": [2], "a": 1}', '{"answer": "{\\"a\\": 1, \\"b\\": [2]}"}',
                          '{"answer": "{"a": 1, "b": [2]}"}']),
    ("code truth", CODE, ["True", '{"answer": true}', '{"answer": "True"}']),
    ("code nothing", CODE, ["None", '{"answer": null}', '{"answer": "None"}']),
    ("quotes in quotes", CODE, ["a", "'\"a\"'"]),
    ("an empty string", CODE, ["''", '""', '{"answer": ""}']),
    ("a string of two lines", CODE, ["'a\\nb'", '{"answer": "a\\nb"}',
                                     '{"answer": "\'a\\\\nb\'"}', '{"answer": "\'a\\nb\'"}']),
    ("JSON numbers", "", ["1/2", '{"answer": 0.5}', '{"answer": "1/2"}', '{"reasoning": "x", "answer": "\\frac{1}{2}"}',
                          '```json\n{"reasoning": "x",\n "answer": "\\\\frac{1}{2}"\n}\n```\nThe key steps are: 1, 2.',
                          'Here it is:\n{"reasoning": "so",\n "answer": 1/2}', '{"answer": "0.5"']),
    ("JSON objects", "", ['{"name": "Bob", "age": 3}', '```json\n{"age": 3.0, "name": "Bob"}\n```']),
]  # fmt: skip

UNEQUAL = [
    ("", "1,000", "1.5"),
    ("", "0.333", "1/3"),
    ("", "5", "-5"),
    ("", "[1, 2)", "[1, 2]"),
    ("", "(1, 2)", "1.2"),
    ("", "x^{10}", "x^10y"),
    ("", "2(3)", "23"),
    ("", "-221_3", "-221"),
    ("", "5 or 6", "5"),
    ("", "100 Years of Solitude", "100"),
    ("", "3rd", "3"),
    ("", "5 a.m.", "5 p.m."),
    (CODE, "'a'", "'A'"),
    (CODE, "'a.'", "'a'"),
    (CODE, "True", "1"),
    (CODE, "[1]", "(1,)"),
    (CODE, "1", "(1,)"),
    (CODE, "['1']", "[1]"),
    (CODE, '{"answer": " a"}', '{"answer": "a"}'),
    (CHOICE, "A", "B"),
]

NOTHING = [
    "",
    " \n ",
    STEPS,
    "I don't know.",
    "Answer: I am not sure.",
    "Ich weiß es nicht.",
    "Sorry, but I can't help with that.",
    "N/A",
    "unknown",
    "...",
    "Hello! How can I help you today?",
    "Sure!",
    "Here is the plan. First, we measure the demand. Then we build what is asked for.",
    "The answer depends on many things, such as where you live and what you earn, and on the weather as well.",
    f"Yes, this can be done in several ways. {STEPS}",
    f"The issues are manifold; any solution for disaster relief is a compromise. {STEPS}",
    "Here are the answers:\n\n1. 85\n2. Paris\n3. no",
    f"{STEPS}\n```python\nanswer = 5\n```\n{STEPS}",
    f"{STEPS} The answer is 5. {STEPS}",
    f"The answer is quite open, as it depends on what is added. {STEPS}",
    f"{STEPS}\nSo between 3 and 5 are needed.",
    "Answer:\n1. 85 apples\n2. Paris",
    "Run this:\n```python\nanswer = 5\nprint(answer)\n```\nIt prints the sum.",
    "Paris is big. Berlin is bigger.",
    "It is...",
    "First,",
    '{"reasoning": "First we',
    '{"reasoning": "so", "answer": "12',
    '{"reasoning": "so", "answer": 12',
    '{"answer": null}',
    '{"answer": "It is hard to say because there are many reasons for it"}',
    "def f(x):\n    return x + 1",
    "\\boxed{",
    "9" * (LONGEST + 1),
]


@pytest.mark.parametrize(("name", "question", "texts"), EQUAL, ids=[name for name, _, _ in EQUAL])
def test_equal_answers_have_one_form(name: str, question: str, texts: list[str]) -> None:
    forms = {text: extract_answer(text, question=question) for text in texts}
    assert len(set(forms.values())) == 1, forms
    assert None not in forms.values()


@pytest.mark.parametrize(("question", "one", "other"), UNEQUAL)
def test_unequal_answers_have_two_forms(question: str, one: str, other: str) -> None:
    assert extract_answer(one, question=question) != extract_answer(other, question=question)


@pytest.mark.parametrize("text", NOTHING)
def test_prose_doubt_and_cut_answers_have_none(text: str) -> None:
    assert extract_answer(text) is None


@pytest.mark.parametrize(
    "text", ["E", "7", "none of these", "The answer is A and B.", "I would say pear.", "\\boxed{E}"]
)
def test_an_answer_that_is_no_option_is_none(text: str) -> None:
    assert extract_answer(text, question=CHOICE) is None


def test_a_number_stands_where_the_options_are_statements() -> None:
    question = "How many are true?\n(a) two divides four\n(b) four divides two\n(c) two is even"
    assert extract_answer("The answer is 2.", question=question) == "2"
    assert extract_answer("\\boxed{C}", question=question) == "C"


@pytest.mark.parametrize(
    "question", ["Pick: (A) stone (B) apple, (C) river", "Pick\nA) stone\nB) apple", "- a) stone\n- b) apple"]
)
def test_options_are_read_from_lines_or_brackets(question: str) -> None:
    assert extract_answer("The answer is apple.", question=question) == "B"


def test_a_sentence_is_no_value_of_a_program() -> None:
    assert extract_answer("It returns the text", question=CODE) is None


def test_only_a_bounded_depth_of_brackets_is_read() -> None:
    """So that a form does not depend on how deep its caller stands."""
    assert extract_answer('{"answer": [[[[null]]]]}', question=CODE) == "[[[[None]]]]"
    assert literal_form("[" * 450 + "null" + "]" * 450) is None


def test_the_last_answer_counts() -> None:
    assert extract_answer("The answer is 5. Wait, I forgot one. The answer is 6.") == "6"
    assert extract_answer("\\boxed{5} was wrong, so \\boxed{6}") == "6"
    assert extract_answer('{"answer": 5}\nCorrected:\n{"answer": 6}') == "6"


def test_only_the_ends_of_a_long_text_are_read() -> None:
    assert extract_answer("." * 9 * WINDOW + "\nThe answer is 6.") == "6"
    assert extract_answer("." * 4 * WINDOW + "\\boxed{6}" + "." * 4 * WINDOW) is None


@pytest.mark.parametrize("model", range(3))
def test_real_answers_are_read_as_their_benchmark_read_them(model: int) -> None:
    """ZeroEval's JSON and MMLU-Pro's "the answer is (X)"; a few hold several lines or several answers."""
    same = total = 0
    for row in SAMPLE:
        answer = row["answers"][model]
        if answer["recorded"] is None:
            continue
        code = "[PYTHON]" in row["question"]
        expected = normal_form(answer["recorded"], code=code) or answer["recorded"]
        total += 1
        same += extract_answer(answer["text"], question=row["question"]) == expected
    assert total >= 60
    assert same >= total - 2


SAID = st.text(max_size=300) | st.lists(
    st.sampled_from(
        ["The answer is ", "Answer:\n", "\\boxed{", "}", '{"answer": ', '"', "'", "[", "]", "(", ")", "1,000", "-", "/",
         "2.5", "\\frac{1}{2}", "$", "**", "```", "\n", " ", "yes", "B", "A.", "a", "million", "km", "^", "\\", "x =",
         "é", "答案", "="]
    ),
    max_size=14,
).map("".join)  # fmt: skip
QUESTIONS = st.sampled_from(["", CODE, CHOICE]) | st.text(max_size=60)


@given(SAID, QUESTIONS)
def test_any_text_is_read_and_always_the_same(text: str, question: str) -> None:
    form = extract_answer(text, question=question)
    assert form == extract_answer(text, question=question)
    assert form is None or form.strip()


@given(SAID, st.booleans())
def test_a_form_is_its_own_form(text: str, code: bool) -> None:
    form = normal_form(text, code=code)
    assert form is None or normal_form(form, code=code) == form


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_number_has_one_form_however_it_is_written(number: Decimal) -> None:
    plain = f"{number:f}"
    forms = {
        extract_answer(text)
        for text in (plain, f"{number:,.4f}", f"${plain}$", f"The answer is {plain}", f"{plain} km")
    }
    assert len(forms) == 1


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9)
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(LITERALS.filter(lambda value: not isinstance(value, str)))
def test_a_literal_has_one_form_however_it_is_written(value: object) -> None:
    texts = (
        repr(value),
        f"The answer is {value!r}",
        f"assert f('x') == {value!r}",
        json.dumps({"answer": repr(value)}),
    )
    assert len({extract_answer(text, question=CODE) for text in texts}) == 1


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "\n", "{", "}", "[", "(", '"', "\\", "'", "`", "``` ", "*", "$", "\\boxed{", "\\frac{", "answer",
     "answer: ", "answer to the ", "the answer is (", '"answer": "', '"answer": {', "1,", "1/", "= ", "assert == ",
     "assert ", "(A) x ", "A. x\n", "yes, ", "答案", "\ud800", "1 1/", "#### ", "1 000", '"answer": "\\'],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["{}", "The answer is {}", '{{"answer": "{}"}}', "\\boxed{{{}}}", "'{}"])
def test_a_megabyte_of_anything_is_read_in_milliseconds(unit: str, frame: str) -> None:
    """Three readings take 0.1 s at most; a quadratic pattern takes minutes."""
    for size in (LONGEST - 20, 1_000_000):
        text = frame.format(unit * (size // len(unit)))
        started = process_time()
        for question in (text, CODE, CHOICE):
            extract_answer(text, question=question)
        assert process_time() - started < 2


def test_who_changes_the_options_of_a_question_changes_them_for_nobody_else() -> None:
    options_of(CHOICE).clear()
    assert options_of(CHOICE)["B"] == "apple"
    assert extract_answer("B. apple", question=CHOICE) == "B"
