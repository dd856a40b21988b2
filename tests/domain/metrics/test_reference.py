"""Figures that an outside evaluator made once of recorded grades and costs come out again, ties and all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.metrics.calibration import Calibration
from model_orchestrator.domain.metrics.discrimination import auroc
from model_orchestrator.domain.metrics.ranking import Ranking, mean
from model_orchestrator.domain.metrics.routing_curve import RankedPair
from model_orchestrator.domain.metrics.spending import Bill, RankedBill

CASES = json.loads((Path(__file__).parent / "reference.json").read_text(encoding="utf-8"))
TARGETS = (0.95, 0.98, 1.0)


def close(figures: dict[str, float]) -> Any:
    return pytest.approx(figures, rel=0, abs=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['set']}, {case['kind']}")
def test_routing(case: dict[str, Any]) -> None:
    """APGR, CPT and PGR."""
    curve = RankedPair(Ranking(case["need"]), case["weak"], case["strong"]).curve()
    found = {"APGR": curve.apgr, "CPT50": curve.cpt(0.5), "CPT80": curve.cpt(0.8)}
    found |= {"PGR@20": curve.pgr(0.2), "PGR@50": curve.pgr(0.5)}
    assert found == close({name: case["figures"][name] for name in found})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['set']}, {case['kind']}")
def test_confidence(case: dict[str, Any]) -> None:
    """AUROC, ECE and Brier score."""
    right = [grade >= 0.5 for grade in case["weak"]]
    calibration = Calibration(case["confidence"], right)
    found = {"AUROC": auroc(Ranking(case["confidence"]), right)}
    found |= {"ECE": calibration.expected_error(), "Brier": calibration.brier()}
    assert found == close({name: case["figures"][name] for name in found})


@pytest.mark.parametrize(
    "case", [case for case in CASES if "cascade" in case], ids=lambda case: f"{case['set']}, {case['kind']}"
)
def test_spending(case: dict[str, Any]) -> None:
    """The cost at 95, 98 and 100 % of the strong model's quality, routed and cascaded; and that of a choice."""
    columns = (case["weak"], case["strong"], case["weak_cost"], case["strong_cost"])
    names = [f"cost@{round(100 * target)}%" for target in TARGETS]
    for figures, is_cascade in ((case["figures"], False), (case["cascade"], True)):
        found = RankedBill(Ranking(case["need"]), Bill(*columns, is_cascade)).shares(TARGETS)
        assert dict(zip(names, found, strict=True)) == close({name: figures[name] for name in names})
    chosen = [
        costs[model] for model, *costs in zip(case["choice"], case["weak_cost"], case["strong_cost"], strict=True)
    ]
    assert 1000 * mean(chosen) == pytest.approx(case["figures"]["US$/1000"], rel=0, abs=1e-9)
