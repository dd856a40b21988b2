"""Input tokens before a call: the estimate, the bound, and the expected output."""

import json
import statistics
import sys
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_orchestrator.domain.catalogue import ModelCapability
from model_orchestrator.domain.complexity import TaskType
from model_orchestrator.domain.expected_output import EXPECTED_OUTPUT, expected_output_tokens
from model_orchestrator.domain.request import (
    ImagePart,
    Message,
    Parameters,
    Part,
    Request,
    ResponseFormat,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    prompt_request,
)
from model_orchestrator.domain.tokens import (
    IMAGE,
    IMAGE_ANTHROPIC,
    SAMPLED,
    bound_input,
    estimate_input,
    estimate_tokens,
    upper_bound_tokens,
)

DATA = Path(__file__).parent / "data"
FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")


def counted(file: str, text: str) -> list[tuple[str, int]]:
    """Texts with the tokens that o200k_base made of them."""
    lines = (json.loads(line) for line in (DATA / file).read_text(encoding="utf-8").splitlines())
    return [(line[text], line["o200k_tokens"]) for line in lines]


PROBLEMS = counted("math_l5_sample.jsonl", "prompt")
LANGUAGES = counted("token_counts.jsonl", "text")


def octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def test_half_of_the_recorded_prompts_are_estimated_within_eight_percent() -> None:
    errors = [abs(estimate_tokens(text) - count) / count for text, count in PROBLEMS]
    assert statistics.median(errors) <= 0.08


def test_every_language_is_estimated_within_half() -> None:
    errors = [abs(estimate_tokens(text) - count) / count for text, count in LANGUAGES]
    assert statistics.median(errors) <= 0.10
    assert max(errors) <= 0.50


def test_the_bound_lies_above_every_recorded_count() -> None:
    assert all(count <= upper_bound_tokens(text) for text, count in PROBLEMS + LANGUAGES)


def test_a_long_text_is_estimated_from_slices_as_well_as_whole() -> None:
    pages = ["".join(text for text, _ in PROBLEMS[start:] + PROBLEMS[:start]) for start in range(0, 180, 36)]
    assert len("".join(pages)) > SAMPLED > len(pages[0])
    assert estimate_tokens("".join(pages)) == pytest.approx(sum(map(estimate_tokens, pages)), rel=0.1)


@given(st.text())
@example("1a" * 50)
def test_the_estimate_never_exceeds_the_bound(text: str) -> None:
    assert 0 <= estimate_tokens(text) <= upper_bound_tokens(text)
    assert (estimate_tokens(text) == 0) == (text == "")
    assert estimate_tokens(text) == estimate_tokens(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_bound_covers_the_bytes_of_every_normal_form(text: str) -> None:
    forms = [text, *(unicodedata.normalize(form, text) for form in FORMS)]
    assert max(map(octets, forms)) <= upper_bound_tokens(text)


def test_the_bound_covers_the_bytes_of_every_character_in_every_normal_form() -> None:
    decomposable = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.decomposition(chr(code))]
    assert len(decomposable) > 5_000
    for character in [*decomposable, "가", "힣", "\ud800"]:
        longest = max(octets(unicodedata.normalize(form, character)) for form in FORMS)
        assert max(longest, octets(character)) <= upper_bound_tokens(character)


def test_an_ascii_text_is_bounded_by_its_characters() -> None:
    assert upper_bound_tokens("What is Python?") == 15
    assert upper_bound_tokens("Ünïcode") == 11  # decomposed: one byte a letter and two a diaeresis
    assert upper_bound_tokens("\ufdfa") > 18  # a ligature that NFKC spells out in 18 characters


def parts() -> st.SearchStrategy[Part]:
    return st.one_of(
        st.builds(TextPart, text=st.text(max_size=50)),
        st.builds(ImagePart, url=st.just("https://example.org/i.png")),
        st.builds(ToolCallPart, id=st.text(max_size=9), name=st.text(max_size=9), arguments=st.text(max_size=30)),
        st.builds(ToolResultPart, call_id=st.text(max_size=9), text=st.text(max_size=30)),
    )


def requests() -> st.SearchStrategy[Request]:
    message = st.builds(Message, role=st.sampled_from(Role), parts=st.lists(parts(), max_size=3).map(tuple))
    schema = st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3)
    tool = st.builds(Tool, name=st.text(max_size=9), description=st.text(max_size=30), parameters=schema)
    form = st.none() | st.builds(ResponseFormat, name=st.text(max_size=9), json_schema=st.none() | schema)
    parameters = st.builds(Parameters, tools=st.lists(tool, max_size=3).map(tuple), response_format=form)
    return st.builds(Request, messages=st.lists(message, max_size=4).map(tuple), parameters=parameters)


@given(requests())
def test_a_request_s_estimate_never_exceeds_its_bound(request: Request) -> None:
    assert 0 < estimate_input(request) <= bound_input(request)


@given(requests(), parts())
def test_every_part_adds_to_both(request: Request, part: Part) -> None:
    longer = Request(
        messages=(*request.messages, Message(role=Role.USER, parts=(part,))), parameters=request.parameters
    )
    assert estimate_input(longer) > estimate_input(request)
    assert bound_input(longer) > bound_input(request)


def test_what_a_provider_adds_is_allowed_for() -> None:
    plain = prompt_request("What is Python?")
    tool = Tool(name="weather", description="The weather of a city.", parameters={"type": "object"})
    with_tool = prompt_request("What is Python?", parameters=Parameters(tools=(tool,)))
    shaped = prompt_request(
        "What is Python?", parameters=Parameters(response_format=ResponseFormat(json_schema={"type": "object"}))
    )
    assert bound_input(with_tool) - bound_input(plain) >= 530 + len(
        "weather" + tool.description
    )  # Claude 3 Opus' tool prompt
    assert estimate_input(with_tool) - estimate_input(plain) >= 346
    assert bound_input(shaped) > bound_input(plain)
    assert bound_input(prompt_request("What is Python?", system="Be brief.")) >= bound_input(plain) + len("Be brief.")


def test_an_image_is_bounded_by_the_dearest_known_model_unless_the_model_is_known() -> None:
    picture = ImagePart(data="aGVsbG8=" * 1_000, media_type="image/png")
    request = Request(messages=(Message(role=Role.USER, parts=(picture,)),))
    empty = Request(messages=(Message(role=Role.USER, parts=()),))
    assert bound_input(request) - bound_input(empty) == IMAGE[1] == 2_833 + 8 * 5_667
    assert bound_input(request, image=IMAGE_ANTHROPIC) - bound_input(empty) == IMAGE_ANTHROPIC
    assert estimate_input(request) - estimate_input(empty) == IMAGE[0]


@pytest.mark.parametrize("unit", ["a", "The quick brown fox. ", "求", "é", "\ud800"])
def test_a_megabyte_of_anything_is_counted(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert 0 < estimate_tokens(text) <= upper_bound_tokens(text)


@pytest.mark.parametrize("task_type", TaskType)
def test_every_task_type_expects_some_output_at_every_capability(task_type: TaskType) -> None:
    assert all(expected_output_tokens(task_type, capability) > 0 for capability in ModelCapability)
    reachable = [capability for capability in ModelCapability if capability.rank >= task_type.floor.rank]
    assert list(EXPECTED_OUTPUT[task_type]) == reachable


def test_harder_questions_have_longer_answers() -> None:
    outputs = [expected_output_tokens(TaskType.QUESTION, capability) for capability in ModelCapability]
    assert outputs == sorted(outputs)
