"""Learned weights as files: versioned JSON with the hash of what it holds, never code."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from ..domain.errors import InvalidRequest
from ..domain.learned.router import LearnedRouter
from ..domain.learned.scorer import LearnedScorer
from ..domain.learned.scorer_weights import scorer_of
from .weights_store import SHIPPED, text_of

T = TypeVar("T")

FORMAT, FORMAT_VERSION = "model-orchestrator weights", 1
CONFIDENCE, ROUTING = "confidence", "routing"
FINGERPRINT = 4  # bytes


def load_router(path: Path) -> LearnedRouter:
    """The router of a file. Raises InvalidRequest where it is none, damaged, newer or of another kind."""
    return router_from(text_of(path), str(path))


def load_scorer(path: Path) -> LearnedScorer:
    """The scorer of a file. Raises InvalidRequest where it is none, damaged, newer or of another kind."""
    return scorer_from(text_of(path), str(path))


def router_from(text: str, name: str) -> LearnedRouter:
    """Likewise from the text of a file; `name` is what an error calls it."""
    return made(LearnedRouter, text, ROUTING, name, "routing")


def scorer_from(text: str, name: str) -> LearnedScorer:
    """Likewise from the text of a file; `name` is what an error calls it."""
    return made(scorer_of, text, CONFIDENCE, name, "learned")


@cache
def shipped_router() -> LearnedRouter:
    """The router that comes with the package."""
    return load_router(SHIPPED / f"{ROUTING}.json")


@cache
def shipped_scorer() -> LearnedScorer:
    """The scorer that comes with the package."""
    return load_scorer(SHIPPED / f"{CONFIDENCE}.json")


def weights_file(
    kind: str, weights: Mapping[str, Any], *, sources: list[dict[str, str]], trained: Mapping[str, Any]
) -> str:
    """The file's text; the same weights give the same text."""
    held = {"sources": sources, "trained": trained, "weights": weights}
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, "kind": kind, "sha256": digest(weights)}
    return canonical(head | held) + "\n"


def fingerprints(prompts: Iterable[str]) -> str:
    """What tells later whether a prompt was trained on: four bytes of each one's SHA-256, sorted, in base64."""
    return base64.b64encode(b"".join(sorted(set(map(_fingerprint, prompts))))).decode()


def trained_on(text: str, prompts: Iterable[str]) -> int:
    """How many of these different prompts the weights in a file's text were trained on.

    0 where the file does not say. One other prompt in 300,000 is taken for one of 14,000 that were trained on.
    """
    known = _known(json.loads(text))
    seen = {known[start : start + FINGERPRINT] for start in range(0, len(known), FINGERPRINT)}
    return len(seen & set(map(_fingerprint, prompts)))


def _known(file: Mapping[str, Any]) -> bytes:
    """The fingerprints of a file. Raises AttributeError, TypeError or ValueError where they are none."""
    return base64.b64decode(file.get("trained", {}).get("fingerprints", ""), validate=True)


def _fingerprint(prompt: str) -> bytes:
    return hashlib.sha256(prompt.encode(errors="replace")).digest()[:FINGERPRINT]


def digest(weights: Mapping[str, Any]) -> str:
    """The SHA-256 of the weights, in hex."""
    return hashlib.sha256(canonical(weights).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces. Raises ValueError for NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read_weights(text: str, kind: str, name: str) -> tuple[dict[str, Any], str]:
    """The weights of a file's text, and their SHA-256. Raises InvalidRequest for anything but whole weights."""
    try:
        file = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise InvalidRequest(f"{name} is damaged or no weights: it is not JSON") from None
    if not isinstance(file, dict) or file.get("format") != FORMAT:
        raise InvalidRequest(f"{name} holds no weights: `learn {kind}` writes them")
    if file.get("format_version") != FORMAT_VERSION:
        raise InvalidRequest(
            f"{name} has format {file.get('format_version')}, this release reads {FORMAT_VERSION}: "
            "train again, or use the release that wrote it"
        )
    if file.get("kind") != kind:
        raise InvalidRequest(f"{name} holds {file.get('kind')} weights, {kind} weights are needed")
    weights = file.get("weights")
    if not isinstance(weights, dict) or not _is_whole(text, weights, str(file.get("sha256"))):
        raise InvalidRequest(f"{name} is damaged: its weights are not those whose SHA-256 it names")
    try:
        _known(file)
    except (AttributeError, TypeError, ValueError):
        raise InvalidRequest(f"{name} is damaged: what it was trained on cannot be read") from None
    return weights, file["sha256"]


def made(make: Callable[[dict[str, Any], str], T], text: str, kind: str, name: str, prefix: str) -> T:
    """What a file's weights make, named `prefix` and eight digits of their hash."""
    weights, sha256 = read_weights(text, kind, name)
    try:
        return make(weights, f"{prefix}-{sha256[:8]}")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, zlib.error) as error:
        raise InvalidRequest(f"{name} is damaged: {error}") from None


def _is_whole(text: str, weights: Mapping[str, Any], sha256: str) -> bool:
    """Whether the hash is the weights': as the file writes them, which is fast, or as it would write them."""
    written = text.rstrip()[:-1].partition('"weights":')[2]
    return hashlib.sha256(written.encode()).hexdigest() == sha256 or digest(weights) == sha256


def _refused(name: str) -> float:
    raise ValueError(name)  # NaN and infinity: JSON has none
