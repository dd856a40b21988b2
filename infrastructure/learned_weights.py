"""Learned weights as files: versioned JSON with the hash of what it holds, never code."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from ..domain.errors import InvalidRequest
from ..domain.learned.router import LearnedRouter
from ..domain.learned.scorer import LearnedScorer
from ..domain.learned.scorer_weights import scorer_of

T = TypeVar("T")

FORMAT, FORMAT_VERSION = "model-orchestrator weights", 1
CONFIDENCE, ROUTING = "confidence", "routing"
FINGERPRINT = 4  # bytes


def load_router(path: Path) -> LearnedRouter:
    """The router of a file. Raises InvalidRequest where it is none, damaged, newer or of another kind."""
    return _router(_text(path), str(path))


def load_scorer(path: Path) -> LearnedScorer:
    """The scorer of a file. Raises InvalidRequest where it is none, damaged, newer or of another kind."""
    return _scorer(_text(path), str(path))


@cache
def shipped_router() -> LearnedRouter:
    """The router that comes with the package."""
    return _router(_shipped(ROUTING), f"{ROUTING}.json")


@cache
def shipped_scorer() -> LearnedScorer:
    """The scorer that comes with the package."""
    return _scorer(_shipped(CONFIDENCE), f"{CONFIDENCE}.json")


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


def trained_on(path: Path | None, prompts: Iterable[str], kind: str = ROUTING) -> int:
    """How many of these different prompts the weights were trained on. None: the shipped weights."""
    return trained_on_by(_shipped(kind) if path is None else _text(path), prompts)


def trained_on_by(text: str, prompts: Iterable[str]) -> int:
    """Likewise, by the text of the file.

    0 where the file does not say. One other prompt in 300,000 is taken for one of 14,000 that were trained on.
    """
    trained = json.loads(text).get("trained", {})
    known = base64.b64decode(trained.get("fingerprints", ""))
    seen = {known[start : start + FINGERPRINT] for start in range(0, len(known), FINGERPRINT)}
    return len(seen & set(map(_fingerprint, prompts)))


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
    except ValueError:
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


def _router(text: str, name: str) -> LearnedRouter:
    return made(LearnedRouter, text, ROUTING, name, "routing")


def _scorer(text: str, name: str) -> LearnedScorer:
    return made(scorer_of, text, CONFIDENCE, name, "learned")


def _shipped(kind: str) -> str:
    return (files(__package__) / "weights" / f"{kind}.json").read_text(encoding="utf-8")


def _refused(name: str) -> float:
    raise ValueError(name)  # NaN and infinity: JSON has none


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{path} is damaged or no weights: it is not text") from None
