"""How capable a model a prompt needs."""

import json
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain import confidence, reading, tokens
from model_orchestrator.domain.catalogue import ModelCapability
from model_orchestrator.domain.complexity import ASSESSOR, ComplexityAnalyzer, TaskType
from model_orchestrator.domain.reading import WINDOW, read
from model_orchestrator.domain.request import Message, Request, Role, TextPart, prompt_request
from model_orchestrator.domain.signals import SIGNALS, measure
from model_orchestrator.domain.vocabulary import ACTS, OBJECTS, TOPICS, UNSPACED

BASIC, INTERMEDIATE, ADVANCED, EXPERT = ModelCapability
DATA = Path(__file__).parent / "data"
ANALYZER = ComplexityAnalyzer()

EXAMPLES = {  # prompt: capability, task type
    "What is Python?": (BASIC, TaskType.QUESTION),
    "What is a prime number?": (BASIC, TaskType.QUESTION),
    "Evaluate $\\int_0^1 x^2 \\, dx$": (INTERMEDIATE, TaskType.QUESTION),
    "Design a simple backend system for a shopping list": (INTERMEDIATE, TaskType.CODE_GENERATION),
    "Translate to French: Where is the library?": (BASIC, TaskType.FORMATTING),
    "Format this as a table: Anna 34, Ben 28": (BASIC, TaskType.FORMATTING),
    "Compare REST vs GraphQL": (INTERMEDIATE, TaskType.QUESTION),
    "review this schema for a todo app": (INTERMEDIATE, TaskType.CODE_REVIEW),
    "Write a Python function that reverses a string": (INTERMEDIATE, TaskType.CODE_GENERATION),
    "Convert this Python script to Rust": (INTERMEDIATE, TaskType.CODE_GENERATION),
    "Debug this: def f(x): return x +": (INTERMEDIATE, TaskType.CODE_REVIEW),
    "Build a recommendation system for an online shop": (ADVANCED, TaskType.SYSTEM_DESIGN),
    "Describe how to improve the architecture of our system": (ADVANCED, TaskType.ARCHITECTURE),
    "Design a distributed system": (EXPERT, TaskType.SYSTEM_DESIGN),
    "Entwirf ein verteiltes System": (EXPERT, TaskType.SYSTEM_DESIGN),
    "设计一个分布式系统": (EXPERT, TaskType.SYSTEM_DESIGN),
    "Research the state of the art in battery recycling": (EXPERT, TaskType.RESEARCH),
    "Analyze how quantitative easing affects income inequality in the euro area": (EXPERT, TaskType.ANALYSIS),
}

HARD = (
    "Prove that there are infinitely many primes.",
    "Beweise, dass die Wurzel aus 2 irrational ist.",
    "Démontre que tout entier supérieur à 1 admet un diviseur premier.",
    "Докажите, что сумма углов треугольника равна 180 градусам.",
    "证明根号2是无理数。",
    "Find the number of ordered pairs (a, b) of positive integers such that a^2 + b^2 = 2025 and a divides b.",
    "States live 10^-9 s and 10^-8 s. Which energy gap resolves them?\nA. 10^-8 eV\nB. 10^-9 eV\nC. 10^-4 eV",
    "Haftet der Geschäftsführer einer GmbH persönlich, wenn er die Insolvenz verspätet anmeldet?",
    "Mein Vermieter hat mir wegen Eigenbedarfs gekündigt. Welche Fristen gelten und wie kann ich widersprechen?",
    "¿Puede el arrendador resolver el contrato si el inquilino no paga dos mensualidades?",
    "Résous l'équation différentielle y'' + 3y' + 2y = e^{-x} avec y(0) = 0 et y'(0) = 1.",
)


def sample() -> list[str]:
    lines = (DATA / "math_l5_sample.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["prompt"] for line in lines]


def plain_questions() -> list[str]:
    return (DATA / "plain_questions.txt").read_text(encoding="utf-8").splitlines()


def share_of_basic(prompts: list[str]) -> float:
    return sum(ANALYZER.score_complexity(prompt)[0] is BASIC for prompt in prompts) / len(prompts)


@pytest.mark.parametrize("prompt", EXAMPLES)
def test_a_prompt_needs_what_its_task_and_its_words_say(prompt: str) -> None:
    found = ANALYZER.assess_prompt(prompt)
    assert (found.capability, found.task_type) == EXAMPLES[prompt]


@pytest.mark.parametrize("prompt", HARD)
def test_a_hard_prompt_is_never_basic(prompt: str) -> None:
    assert ANALYZER.assess_prompt(prompt).capability is not BASIC


def test_at_most_five_percent_of_competition_problems_are_basic() -> None:
    prompts = sample()
    assert len(prompts) >= 150
    assert share_of_basic(prompts) <= 0.05


def test_at_least_eighty_percent_of_plain_questions_are_basic() -> None:
    prompts = plain_questions()
    assert len(set(prompts)) == 200
    assert share_of_basic(prompts) >= 0.80


@pytest.mark.parametrize("prompt", [*HARD, *EXAMPLES])
def test_the_task_type_is_the_floor(prompt: str) -> None:
    found = ANALYZER.assess_prompt(prompt)
    assert found.capability.rank >= found.task_type.floor.rank


def test_the_floors_are_those_of_the_selection_matrix() -> None:
    assert [task.floor for task in TaskType] == [
        BASIC,
        BASIC,
        INTERMEDIATE,
        INTERMEDIATE,
        ADVANCED,
        ADVANCED,
        EXPERT,
        EXPERT,
    ]


FIRING = {
    "math": "the angle of a triangle",
    "science": "an electron in an orbital",
    "medicine": "a clinical diagnosis of anemia",
    "law": "Is the defendant liable?",
    "economics": "monetary policy and fiscal policy",
    "humanities": "Kantian metaphysics",
    "software": "a cache in the backend",
    "proof": "Prove it.",
    "scale": "fault tolerant replication",
    "counting": "in how many ways can they sit?",
    "supposition": "Suppose it rains.",
    "constraints": "It must have exactly one door.",
    "tradeoffs": "name one advantage",
    "research": "Investigate the causes.",
    "notation": r"$\frac{1}{2} + x^2$",
    "quantities": "3 apples and 4 pears",
    "calculation": "How many are there?",
    "code": "```\nx\n```",
    "options": "Which?\nA. one\nB. two\nC. three",
    "multi_step": "1. wash\n2. cut\n3. cook",
    "design": "Design a lamp",
    "planning": "Plan my week",
    "analysis": "Assess this",
    "comparison": "Compare cats and dogs",
    "reasoning": "Explain why",
    "open_ended": "Design a lamp",
    "length": "word " * 100,
    "long_words": "internationally acknowledged organisations " * 5,
    "translation": "Translate this",
    "formatting": "Please summarize this",
    "small_scope": "a short text",
    "look_up": "What is tea?",
}


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_fires_on_its_own_example_and_not_on_silence(name: str) -> None:
    assert name in measure(read(FIRING[name]))
    assert name not in measure(read("green tea with milk"))


def test_a_translation_or_a_rewriting_of_hard_words_is_easier_than_answering_them() -> None:
    text = "Can the tenant be held liable for damages?"
    asked, translated = (ANALYZER.assess_prompt(prompt) for prompt in (text, f"Translate into Dutch: {text}"))
    assert translated.capability.rank <= asked.capability.rank
    assert sum(translated.signals.values()) < sum(asked.signals.values())


def test_a_verb_in_a_story_is_no_request() -> None:
    assert (
        ANALYZER.assess_prompt("My brother writes code and my sister designs systems.").task_type is TaskType.QUESTION
    )
    assert ANALYZER.assess_prompt("There is new research about sleep.").task_type is TaskType.QUESTION


def test_a_request_is_assessed_by_its_last_user_message() -> None:
    turns = (
        Message(role=Role.USER, parts=(TextPart(text="Design a distributed system"),)),
        Message(role=Role.ASSISTANT, parts=(TextPart(text="Done."),)),
        Message(role=Role.USER, parts=(TextPart(text="What is Python?"),)),
    )
    assert ANALYZER.assess(Request(messages=turns)) == ANALYZER.assess_prompt("What is Python?")
    assert ANALYZER.assess(prompt_request("Prove it.", system="Be kind.")) == ANALYZER.assess_prompt("Prove it.")


def test_confidence_falls_toward_the_next_class_and_without_evidence() -> None:
    clear, near, silent = (
        ANALYZER.assess_prompt(prompt).confidence
        for prompt in ("What is Python?", "What is a distributed system?", "Why did the Roman Empire fall?")
    )
    assert clear > near
    assert clear > silent


@given(st.text())
def test_any_text_has_an_assessment_and_always_the_same(prompt: str) -> None:
    found = ANALYZER.assess_prompt(prompt)
    assert found == ANALYZER.assess_prompt(prompt)
    assert found.assessor == ASSESSOR
    assert 500_000 <= found.confidence <= 950_000
    assert all(found.signals.values())
    capability, confidence = ANALYZER.score_complexity(prompt)
    assert (capability, confidence) == (found.capability, found.confidence / 1_000_000)


@given(st.text(max_size=200), st.text(max_size=200))
def test_only_the_ends_of_a_long_prompt_are_read_while_its_length_counts_whole(head: str, tail: str) -> None:
    first, second = (
        ANALYZER.assess_prompt(head.ljust(WINDOW, ".") + middle * 2_000 + tail.rjust(WINDOW, "."))
        for middle in ("Prove this theorem! ", "green tea and milk, ")
    )
    assert first == second
    assert first.signals["length"] == 1_500_000


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "\n", "1.", "x=", "$a", "$", "\\aa ", "select ", "A. \n", "def a ", "?", "求", "İ", "\ud800", "`", "a_"],
)
def test_a_megabyte_of_anything_is_read_within_the_window(unit: str) -> None:
    prompt = unit * (1_000_000 // len(unit))
    assert sum(map(len, read(prompt).words)) <= 2 * (2 * WINDOW + 1)
    assert ANALYZER.assess_prompt(prompt).capability in ModelCapability


def patterns() -> list[str]:
    named = [value for module in (confidence, reading, tokens) for value in vars(module).values()]
    own = [value.pattern for value in named if isinstance(value, re.Pattern)]
    return own + [pattern.pattern for pattern, _ in tokens.KINDS] + [pattern for pattern, _ in tokens.OTHER_KINDS]


def unbounded_depth(parsed: object) -> int:
    """How deep repeats without an end stand inside each other."""
    if isinstance(parsed, tuple) and len(parsed) == 3 and isinstance(parsed[1], int) and str(parsed[1]) == "MAXREPEAT":
        return 1 + unbounded_depth(parsed[2])
    if isinstance(parsed, str) or not hasattr(parsed, "__getitem__"):
        return 0
    return max((unbounded_depth(part) for part in list(parsed)), default=0)  # type: ignore[call-overload]


def test_no_pattern_nests_repeats_without_an_end() -> None:
    parse = vars(re)["_parser"].parse
    assert unbounded_depth(parse("(a+)+")) == 2
    assert len(patterns()) >= 15
    assert all(unbounded_depth(parse(pattern)) <= 1 for pattern in patterns())


def test_the_vocabulary_is_lower_case_and_names_only_what_is_read() -> None:
    for names in (TOPICS, ACTS, OBJECTS, UNSPACED):
        for listed in names.values():
            assert listed == listed.lower()
            assert all(entry.count("_") <= 1 for entry in listed.split())
    assert UNSPACED.keys() <= TOPICS.keys() | ACTS.keys() | OBJECTS.keys()


def test_long_words_are_not_kept() -> None:
    """A prompt may be one word of any size; what is kept at hand are words as the vocabulary has them."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(400):
            letters = f"{number:09b}".translate({48: "x", 49: "y"}) * 1000
            assert read(f"prove {letters} theorem").topics == read("prove x theorem").topics
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1_000_000  # the words alone are 3,600,000 bytes
