"""The form that a request asks for, and answers that keep it or do not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.asked_form import keeps_form
from model_orchestrator.domain.confidence import ConfidenceDetector
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.request import ResponseFormat

ASKED = {  # question: answers that keep its form, and answers that do not
    "Who wrote Faust? Answer as JSON.": (
        ['{"name": "Goethe"}', '```json\n{"name": "Goethe"}\n```', 'Here it is: {"name": "Goethe"}', "[1, 2]"],
        ["Goethe wrote it.", "The set {Goethe} is the answer."],
    ),
    "List three. Reply only with valid JSON.": (["[1, 2, 3]"], ["One, two and three."]),
    "How many days has a year? Answer with only a number.": (
        ["365", "365.", "365 days", "**365**"],
        [
            "Many.",
            "A year has three hundred and more days.",
            "There are 365 days in a year, unless it is a leap year, then 366",
        ],
    ),
    "Is it good or bad? Answer in one word.": (["Good", "Good.", "Very good"], ["It is good in every way I know of."]),
    "Is 7 odd? Please answer yes or no.": (["Yes", "no.", "The answer is yes."], ["It is odd.", "Nobody knows"]),
    "Compare tea and coffee as a table.": (
        ["| tea | coffee |\n| --- | --- |\n| a | b |", "tea\tcoffee", "<table><tr></tr></table>"],
        ["Tea is mild and coffee is strong."],
    ),
    "Add two numbers. Return the code in a Python code block.": (["```python\na + b\n```"], ["a + b"]),
    "What is 2 + 2? Put it in \\boxed{}.": (["It is \\boxed{4}.", "\\fbox{4}"], ["4"]),
}
CASES = [
    (question, text, kept)
    for question, both in ASKED.items()
    for kept, of in zip((True, False), both, strict=True)
    for text in of
]


@pytest.mark.parametrize(("question", "text", "kept"), CASES)
def test_the_form_asked_for_in_words(question: str, text: str, kept: bool) -> None:
    assert keeps_form(text, question=question) is kept
    signals = ConfidenceDetector().score(text, finish_reason=FinishReason.STOP, question=question).signals
    assert signals.get("format", 0) == (0 if kept else -300_000)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "What is JSON?",
        "How does an API respond with JSON?",
        "Write a function that reads a file and returns JSON.",
        "Why do people answer only a number of questions?",
        "Which one word describes Rome?",
        "Lay the table. What goes on it?",
        "What does a code block look like in Markdown?",
        "Does the yes or no matter?",
    ],
)
def test_a_question_about_a_form_asks_for_none(question: str) -> None:
    assert keeps_form("Rome was not built in a day, and neither was anything else of that size.", question=question)


SCHEMA: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.parametrize(
    ("text", "schema", "kept"),
    [
        ('{"name": "Ada"}', SCHEMA, True),
        ('```json\n{"name": "Ada"}\n```', SCHEMA, True),
        ('{"name": "Ada", "born": 1815}', SCHEMA, True),
        ('{"called": "Ada"}', SCHEMA, False),
        ('["name"]', SCHEMA, False),
        ('"name"', SCHEMA, False),
        ("Her name is Ada.", SCHEMA, False),
        ('{"name": "Ada', SCHEMA, False),
        ('{"name": "Ada"} as asked', SCHEMA, False),
        ("[1]", {"type": "array"}, True),
        ("{}", {"type": "object"}, True),
        ("{}", {"type": "object", "required": "name"}, True),
        ("{}", None, True),
        ("So be it.", None, False),
    ],
)
def test_the_form_asked_for_by_the_parameters(text: str, schema: dict[str, Any] | None, kept: bool) -> None:
    form = ResponseFormat(json_schema=schema)
    assert keeps_form(text, response_format=form) is kept
    found = ConfidenceDetector().score(text, finish_reason=FinishReason.STOP, response_format=form)
    assert found.signals.get("format", 0) == (0 if kept else -500_000)


@given(st.text(), st.text(), st.none() | st.builds(ResponseFormat, json_schema=st.none() | st.just(SCHEMA)))
def test_any_text_keeps_a_form_or_does_not(text: str, question: str, form: ResponseFormat | None) -> None:
    assert keeps_form(text, question=question, response_format=form) in (True, False)
