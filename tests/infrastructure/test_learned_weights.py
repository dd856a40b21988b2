"""Files of learned weights: those shipped load, and anything but whole weights is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.learned.router import LearnedRouter
from model_orchestrator.infrastructure.learned_weights import digest, load_router, shipped_router

SHIPPED = Path(__file__).parents[2] / "infrastructure" / "weights" / "routing.json"


def test_the_shipped_router_names_the_weights_it_is_made_of() -> None:
    """Its version is the hash of what it holds."""
    router, file = shipped_router(), json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert router.version == f"routing-{digest(file['weights'])[:8]}"
    assert "gpt-4o-mini-2024-07-18" in router.models


def _with(**changes: Any) -> Callable[[dict[str, Any]], str]:
    return lambda file: json.dumps(file | changes)


def _changed_bias(file: dict[str, Any]) -> str:
    file["weights"]["linear"]["biases"][0] += 1
    return json.dumps(file)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda file: json.dumps(file)[:-10], "not JSON"),
        (lambda file: json.dumps(file).replace('"format_version": 1', '"format_version": NaN'), "not JSON"),
        (lambda _: "[]", "holds no weights"),
        (_with(format="somebody else's"), "holds no weights"),
        (_with(format_version=2), "has format 2, this release reads 1"),
        (_with(kind="confidence"), "holds confidence weights, routing weights are needed"),
        (_changed_bias, "is damaged"),
        (_with(weights={}, sha256=digest({})), "is damaged"),
        (_with(trained=[]), "damaged: what it was trained on cannot be read"),
        (_with(trained={"fingerprints": "!"}), "damaged: what it was trained on cannot be read"),
        (_with(trained={"fingerprints": 4}), "damaged: what it was trained on cannot be read"),
        (lambda _: "[" * 100_000, "not JSON"),
    ],
)
def test_anything_but_whole_weights_is_refused(tmp_path: Path, damage: Callable[[Any], str], said: str) -> None:
    """By a message that says what is wrong with the file."""
    file = tmp_path / "weights.json"
    file.write_text(damage(json.loads(SHIPPED.read_text(encoding="utf-8"))), encoding="utf-8")
    with pytest.raises(InvalidRequest, match=said):
        load_router(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, or no text."""
    with pytest.raises(InvalidRequest, match=r"cannot read .*none\.json"):
        load_router(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidRequest, match="not text"):
        load_router(tmp_path / "bytes.json")


def test_a_whole_file_makes_the_shipped_router(tmp_path: Path) -> None:
    """Wherever it lies."""
    copy = tmp_path / "copy.json"
    copy.write_bytes(SHIPPED.read_bytes())
    router = load_router(copy)
    assert isinstance(router, LearnedRouter)
    assert router.version == shipped_router().version
