"""What a simulated model writes: a pure function of the model, the conversation, the parameters and the seed.

Used in process by `SimulatedClient` and on the wire by `simulate`, so both give the same answer to the same question.
Every text names itself as simulated. Lengths follow the kind of task; weaker models are unsure more often.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from ...domain.finish import FinishReason
from ...domain.judging import SCORE_EXAMPLE
from ...domain.pricing import Usage
from ...domain.request import ResponseFormat, Tool, ToolCallPart, ToolChoice, ToolUse
from ...domain.tokens import IMAGE, MESSAGE, REPLY, TOOL, TOOLS, estimate_tokens

# Share of prompts, in percent, that a model is unsure about, by a word in its name.
_UNSURE = (
    (re.compile(r"mini|nano|haiku|small|lite|tiny", re.IGNORECASE), 30),
    (re.compile(r"opus|pro\b|-4\b", re.IGNORECASE), 5),
)
_UNSURE_OTHERS = 15

_KNOWN = {
    "what is python": "Python is a high-level, general-purpose programming language. It is known for readable syntax, "
    "a large standard library and a wide ecosystem for the web, data science and automation.",
}

_ARITHMETIC = re.compile(r"(?<![\w.-])(\d{1,9}) ?([-+*x×−]) ?(\d{1,9})(?![\w.]*\d)")

_RANKING = re.compile(r'such as \{"reason": "\.\.\.", "ranking": (\["[^\]]*\])')
JUDGING = 4_000  # characters in which a judge is told how to reply

_HEDGE = "I'm not sure about this, and I might be wrong: perhaps the following holds."

# Sentences of an answer, by what the prompt asks for; the first pattern that matches decides.
_LENGTHS = (
    (re.compile(r"\b(design|architect\w*|system|roadmap|strategy)\b", re.IGNORECASE), 24),
    (re.compile(r"\b(research|analy[sz]e|analysis|compare|essay|report|prove|proof)\b", re.IGNORECASE), 18),
    (re.compile(r"\b(code|function|implement|program|script|refactor|debug|review)\b", re.IGNORECASE), 10),
    (re.compile(r"\b(explain|describe|write|list|steps|plan)\b", re.IGNORECASE), 7),
)
_OPENINGS = ("", "on a second look, ", "at a larger scale, ", "in daily operation, ", "over the years, ")
_SENTENCES = (
    "{topic} comes down to a few parts that depend on each other",
    "the first thing to settle is what {topic} has to achieve and for whom",
    "a small example makes {topic} concrete before the general case",
    "the usual trade-off in {topic} is between simplicity and control",
    "measure the effect of each change to {topic} before the next one",
    "where {topic} can fail, the failure should be visible and cheap to undo",
    "two common alternatives to {topic} differ mainly in cost",
    "in short, start {topic} simply and add detail where it pays",
)
_STOPWORDS = re.compile(
    r"an?|and|are|as|at|be|by|can|do|does|for|from|how|i|in|is|it|me|my|of|on|or|please|the|this|to|what|when|where"
    r"|which|who|why|with|your?|was|were|did|write|explain|describe|list|tell",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as both wire protocols and the domain can put it."""

    model: str
    prompt: str  # the last user message's text
    conversation: str  # every text of the request: what is counted, and what the answer depends on
    messages: int = 1
    images: int = 0
    max_tokens: int
    seed: int | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_result: str | None = None  # where a tool spoke last
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An answer with its counts."""

    text: str
    tool_calls: tuple[ToolCallPart, ...]
    finish: FinishReason
    usage: Usage


def write(asked: Asked) -> Written:
    """The answer to `asked`; the same for the same question, always."""
    chance = _chance(asked)
    calls = _tool_calls(asked, chance)
    text, finish = ("", FinishReason.TOOL_CALLS) if calls else _cut(_text(asked, chance), asked)
    output = estimate_tokens(text) + sum(estimate_tokens(call.name + call.arguments) for call in calls)
    if finish is FinishReason.LENGTH:
        output = asked.max_tokens
    usage = Usage(input_uncached=input_tokens(asked), output=output)
    return Written(text=text, tool_calls=calls, finish=finish, usage=usage)


def input_tokens(asked: Asked) -> int:
    """An estimate of the tokens of a request, below its bound."""
    total = REPLY[0] + MESSAGE[0] * asked.messages + IMAGE[0] * asked.images + estimate_tokens(asked.conversation)
    if asked.tools:
        texts = (tool.name + tool.description + json.dumps(tool.parameters) for tool in asked.tools)
        total += TOOLS[0] + sum(TOOL[0] + estimate_tokens(text) for text in texts)
    return total


def pieces(text: str) -> list[str]:
    """The text as a stream would deliver it: word by word."""
    return re.findall(r"\S+\s*|\s+", text)


def _chance(asked: Asked) -> int:
    """A number that only the question decides."""
    key = json.dumps([asked.model, asked.conversation, asked.seed, asked.messages, asked.images])
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _text(asked: Asked, chance: int) -> str:
    label = f"[simulated {asked.model}]"
    if SCORE_EXAMPLE in asked.conversation[:JUDGING]:
        return json.dumps({"reason": label, "score": 35 if chance % 100 < unsure_share(asked.model) else 90})
    if ranking := _RANKING.search(asked.conversation[:JUDGING]):
        return json.dumps({"reason": label, "ranking": json.loads(ranking[1])})
    if asked.response_format is not None:
        return json.dumps(_json_answer(asked, label))
    if asked.tool_result is not None:
        return f"{label} The tool answered: {asked.tool_result}"
    unsure = chance % 100 < unsure_share(asked.model)
    return " ".join(filter(None, (label, _HEDGE if unsure else "", _body(asked, chance // 100, unsure=unsure))))


def unsure_share(model: str) -> int:
    """The percentage of prompts that a model of this name is unsure about."""
    return next((share for pattern, share in _UNSURE if pattern.search(model)), _UNSURE_OTHERS)


def _body(asked: Asked, chance: int, *, unsure: bool) -> str:
    if (sum_asked := _ARITHMETIC.search(asked.prompt[:2000])) is not None:
        return f"The answer is {_calculated(sum_asked, off=chance % 9 + 1 if unsure else 0)}."
    known = _KNOWN.get(asked.prompt.strip().rstrip("?!. ").lower())
    if known is not None:
        return known
    head = asked.prompt[:2000]  # linear, and enough to tell the kind of task
    count = next((length for pattern, length in _LENGTHS if pattern.search(head)), 2) + chance % 3
    topic = _topic(head)
    return " ".join(_sentence(step, chance, topic) for step in range(count))


def _calculated(asked: re.Match[str], *, off: int) -> int:
    """The result; a model that is unsure is `off` it, so that models can disagree."""
    left, right = int(asked[1]), int(asked[3])
    results = {"+": left + right, "-": left - right, "−": left - right}
    return results.get(asked[2], left * right) + off


def _sentence(step: int, chance: int, topic: str) -> str:
    """The next sentence; none comes twice."""
    opening = _OPENINGS[step // len(_SENTENCES) % len(_OPENINGS)]
    sentence = opening + _SENTENCES[(chance + step) % len(_SENTENCES)].format(topic=topic)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _topic(prompt: str) -> str:
    """A few telling words of the prompt."""
    words = [word for word in re.findall(r"[^\W_]+", prompt) if not _STOPWORDS.fullmatch(word)]
    return " ".join(words[:5]) or "the question"


def _tool_calls(asked: Asked, chance: int) -> tuple[ToolCallPart, ...]:
    """A call of the first tool, unless a tool spoke last; of the tool chosen, where one was."""
    choice = asked.tool_choice or ToolChoice(use=ToolUse.AUTO)
    is_free = choice.name is None and choice.use is not ToolUse.REQUIRED
    if not asked.tools or choice.use is ToolUse.NONE or (is_free and asked.tool_result is not None):
        return ()
    tool = next((tool for tool in asked.tools if tool.name == choice.name), asked.tools[0])
    arguments = _instance(tool.parameters, asked.prompt) if tool.parameters else {}
    return (ToolCallPart(id=f"call_{chance % 16**12:012x}", name=tool.name, arguments=json.dumps(arguments)),)


def _json_answer(asked: Asked, label: str) -> Any:
    """An object of the schema asked for, or any object."""
    schema = asked.response_format.json_schema if asked.response_format else None
    return {"answer": label} if schema is None else _instance(schema, label)


def _instance(schema: Any, text: str) -> Any:
    """The least value that keeps a JSON schema; strings say `text`."""
    if not isinstance(schema, dict):
        return None
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "string":
            return text
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            items = schema.get("items")
            every = items.get("enum") if isinstance(items, dict) else None
            return list(every) if every else [_instance(items, text)]  # all values in order: a ranking is whole
        case "object":
            properties = schema.get("properties")
            return {name: _instance(of, text) for name, of in (properties or {}).items()}
    return None


def _cut(text: str, asked: Asked) -> tuple[str, FinishReason]:
    """The text up to a stop sequence and the most tokens allowed."""
    ends = [text.find(stop) for stop in asked.stop if stop and stop in text]
    text = text[: min(ends)] if ends else text
    if estimate_tokens(text) <= asked.max_tokens:
        return text, FinishReason.STOP
    length = len(text)
    while length > 0 and estimate_tokens(text[:length]) > asked.max_tokens:
        length = min(length - 1, length * 9 // 10)
    return text[:length], FinishReason.LENGTH
