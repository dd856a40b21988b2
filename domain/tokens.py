"""Input tokens before a call, twice and kept apart: an estimate to choose by, an upper bound to hold money by.

The bound rests on one fact: a token of a byte-level BPE vocabulary (OpenAI's, Claude's, Llama 3's and most others)
stands for at least one byte of the text, so a text has no more tokens than UTF-8 bytes. Some tokenizers normalise
first (Anthropic's published one to NFKC), which can lengthen a text; each character therefore counts the longest of
its forms. What a provider wraps around a text cannot be proven and is an allowance, each with its source.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from typing import Any

from .request import ImagePart, Message, Part, Request, TextPart, ToolCallPart, ToolResultPart

# What stands around the text. The first figure is the estimate, the second the bound.
# Source: OpenAI Cookbook, "How to count tokens with tiktoken" (read 2026-11-24): 3 or 4 a message, 3 to prime the
# reply; the bound leaves room for other chat templates and for a SentencePiece vocabulary's leading space.
MESSAGE = (4, 32)
REPLY = (3, 32)
# Source: Anthropic, "Tool use: pricing and tokens" (read 2026-11-24): a system prompt of 159 to 530 tokens by model and
# tool choice for Claude 3; 346 is reported for Claude 4. The bound is about twice the most.
TOOLS = (346, 1_024)
TOOL = (12, 64)  # the frame of one definition, call or result: assumed
FORMAT = (60, 512)  # what a provider says about the schema beside it: no figure is published, assumed
# Source: OpenAI, "Images and vision" (read 2026-11-24): gpt-4o-mini takes 2,833 + 5,667 a tile, 8 tiles at most, the
# dearest known; gpt-4o 85 + 170 a tile. Anthropic, "Vision": one token a patch of 28 x 28 pixels, at most 2,576 pixels
# a side, so no more than 92 x 92. The estimate is 1,024 x 1,024 pixels on Claude.
IMAGE = (1_400, 2_833 + 8 * 5_667)
IMAGE_ANTHROPIC, IMAGE_GPT_4O = 92 * 92, 85 + 8 * 170  # closer bounds, for a caller that knows the model

SAMPLED = 100_000  # characters from which an estimate reads slices only
SLICES, SLICE = 20, 2_000

# Tokens (in hundredths) a mark of each kind; o200k_base. Source: least squares on prompts and answers of MMLU-Pro,
# ZeroEval, RouteLLM and LLMRouter (dev halves, read 2026-11-24) and, for other scripts, on 18 short texts counted
# here.
A_WORD, A_LETTER = 55, 11  # of Latin script
KINDS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"[0-9]{1,3}"), 152),
    (re.compile(r"[!-/:-@\[-`{-~]+"), 97),
    (re.compile(r"\s{2,}|\n"), 67),
)
OTHER_KINDS: tuple[tuple[str, int], ...] = (  # compiled at their first use: that takes milliseconds
    (r"[\u0080-\u024f]", 41),  # beside the letter's own
    (r"[\u0250-\u03ff\u0530-\u1fff]", 36),
    (r"[\u0400-\u052f]", 26),
    (r"[\u2000-\u2fff]", 125),
    (r"[\u3000-\uabff\ud7b0-\uffff]", 73),
    (r"[\uac00-\ud7af]", 70),
    (r"[\U00010000-\U0010ffff]", 150),
)
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")


def estimate_tokens(text: str) -> int:
    """About how many o200k tokens the text has: half of the recorded prompts within 6 %; never above the bound.

    Other vocabularies count differently, Claude's as a rule more. A long text is estimated from even slices.
    """
    if not text:
        return 0
    if len(text) <= SAMPLED:
        return max(1, min(_bytes(text), _hundredths(text) // 100))
    step = len(text) // SLICES
    sample = "".join(text[place * step : place * step + SLICE] for place in range(SLICES))
    return max(1, min(_bytes(text), _hundredths(sample) * len(text) // (100 * len(sample))))


def upper_bound_tokens(text: str) -> int:
    """No byte-level BPE tokenizer makes more of the text, normalised or not: its UTF-8 bytes at their longest."""
    if text.isascii():
        return len(text)
    return sum(count * _most_bytes(character) for character, count in Counter(text).items())


def estimate_input(request: Request) -> int:
    """About how many input tokens the request has, what surrounds it included."""
    return _input(request, bound=False, image=IMAGE[0])


def bound_input(request: Request, *, image: int = IMAGE[1]) -> int:
    """The most input tokens the request can have; `image` is the model's own bound of one image, where known."""
    return _input(request, bound=True, image=image)


def _hundredths(text: str) -> int:
    words = _LATIN.findall(text)
    hundredths = A_WORD * len(words) + A_LETTER * len("".join(words))
    hundredths += sum(weight * len(pattern.findall(text)) for pattern, weight in KINDS)
    if not text.isascii():
        hundredths += sum(weight * len(re.findall(pattern, text)) for pattern, weight in OTHER_KINDS)
    return hundredths


def _most_bytes(character: str) -> int:
    """The bytes of the character, or of its decomposition where that is longer; composing never lengthens."""
    forms = (character, unicodedata.normalize("NFD", character), unicodedata.normalize("NFKD", character))
    return max(_bytes(form) for form in forms)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _input(request: Request, *, bound: bool, image: int) -> int:
    tools, form = request.parameters.tools, request.parameters.response_format
    total = REPLY[bound] + sum(_message(message, bound=bound, image=image) for message in request.messages)
    if tools:
        total += TOOLS[bound] + sum(
            TOOL[bound] + _count(_json([tool.name, tool.description, tool.parameters]), bound=bound) for tool in tools
        )
    if form is not None:
        total += FORMAT[bound] + _count(_json([form.name, form.json_schema]), bound=bound)
    return total


def _message(message: Message, *, bound: bool, image: int) -> int:
    return MESSAGE[bound] + sum(_part(part, bound=bound, image=image) for part in message.parts)


def _part(part: Part, *, bound: bool, image: int) -> int:
    match part:
        case TextPart(text=text):
            return _count(text, bound=bound)
        case ImagePart():
            return image
        case ToolCallPart(id=call, name=name, arguments=arguments):
            return TOOL[bound] + sum(_count(text, bound=bound) for text in (call, name, arguments))
        case ToolResultPart(call_id=call, text=text):
            return TOOL[bound] + _count(call, bound=bound) + _count(text, bound=bound)


def _count(text: str, *, bound: bool) -> int:
    return upper_bound_tokens(text) if bound else estimate_tokens(text)


def _json(value: Any) -> str:
    """As sent at its longest: non-ASCII characters escaped, lines indented."""
    return json.dumps(value, indent=1)
