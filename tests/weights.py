"""Learned weights for tests: what they say stands in their file, and those that ship with the package are faked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.infrastructure import learned_weights, weights_store


@dataclass(frozen=True)
class ToldRouter:
    """Predicts for every prompt what it was told, or what it was told of a word in it."""

    said: Mapping[str, float]
    by_word: Mapping[str, Mapping[str, float]]
    version: str = "routing-test"

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self.said)

    def success(self, prompt: str) -> dict[str, float]:
        """P(right | request, model)."""
        return {**self.said, **next((said for word, said in self.by_word.items() if word in prompt), {})}


@dataclass(frozen=True)
class ToldScorer:
    """Trusts an answer as it was told of a word in it; a second one that differs takes half of that."""

    by_word: Mapping[str, float]
    version: str = "learned-test"

    def confidence(
        self,
        question: str,
        answer: str,
        *,
        model: str | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
        second: str | None = None,
    ) -> float:
        """P(right | request, answer)."""
        said = next((said for word, said in self.by_word.items() if word in answer), 0.5)
        return said if second is None or second == answer else said / 2


def router(said: Mapping[str, float], by_word: Mapping[str, Mapping[str, float]] | None = None) -> ToldRouter:
    return ToldRouter(said, by_word or {})


def write_router(path: Path, said: Mapping[str, float], **by_word: Mapping[str, float]) -> Path:
    """A file of such weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"said": said, "by_word": by_word}))
    return path


def write_scorer(path: Path, **by_word: float) -> Path:
    """Likewise of a scorer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"by_word": by_word}))
    return path


def fake_weights(monkeypatch: pytest.MonkeyPatch, shipped: Path) -> None:
    """Files of weights are those of this module; the package's are looked for in the folder `shipped`."""
    monkeypatch.setattr(learned_weights, "router_from", lambda text, _: ToldRouter(**_told("routing", text)))
    monkeypatch.setattr(learned_weights, "scorer_from", lambda text, _: ToldScorer(**_told("learned", text)))
    monkeypatch.setattr(weights_store, "SHIPPED", shipped)


def _told(kind: str, text: str) -> dict[str, Any]:
    return {**json.loads(text), "version": f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"}
