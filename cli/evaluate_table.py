"""An evaluation as text, JSON and lines of predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from ..application.evaluation.report import KEYS, Evaluation, Row
from .tables import Column, table


def share(value: float) -> str:
    """In per cent, to a tenth."""
    return f"{100 * value:.1f} %"


def points(value: float) -> str:
    """A difference in per cent, signed."""
    return f"{100 * value:+.1f} %"


def rate(value: float) -> str:
    """To three digits."""
    return f"{value:.3f}"


def gain(value: float) -> str:
    """A difference to three digits, signed."""
    return f"{value:+.3f}"


FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {  # key: title, form; in the order of the columns
    "apgr": ("APGR", rate),
    "apgr_over_length": ("over length", gain),
    "cpt50": ("CPT50", share),
    "cpt80": ("CPT80", share),
    "pgr20": ("PGR@20", rate),
    "pgr50": ("PGR@50", rate),
    "auroc": ("AUROC", rate),
    "ece": ("ECE", rate),
    "brier": ("Brier", rate),
    "share": ("sent on", share),
    "calls": ("calls", rate),
    "quality": ("quality", rate),
    "quality_over_best": ("over best", gain),
    "usd_per_1000": ("USD/1000", rate),
    "cost_share": ("of its cost", share),
    "usd_at_best": ("at best's quality", rate),
    "cost95": ("95 %", share),
    "cost98": ("98 %", share),
    "cost100": ("100 %", share),
}
SHOWN = {
    "routing": ("apgr", "cpt50", "cpt80", "cost95", "cost98", "cost100", "share", "quality", "usd_per_1000"),
    "choice": ("quality", "quality_over_best", "usd_per_1000", "cost_share", "usd_at_best"),
    "confidence": ("auroc", "ece", "brier"),
    "cascade": ("auroc", "ece", "apgr", "share", "quality", "usd_per_1000", "cost_share", "cost98", "cost100"),
    "ensemble": ("quality", "quality_over_best", "calls", "usd_per_1000", "cost_share"),
}
LEGENDS = {
    "routing": "quality, USD/1000: half the prompts sent to the strong model, or as said; 95, 98, 100 %: the least "
    "that keeps that much of its quality, of the cost of always asking it",
    "choice": "over best, of its cost: against the best single model",
    "confidence": "AUROC 0.5: tells nothing; ECE 0: as right as confident",
    "cascade": "of its cost: of always asking the strong model; 98, 100 %: the least that keeps that much of its "
    "quality",
    "ensemble": "over best, of its cost: against the best single model",
}


def evaluation_text(found: Evaluation) -> str:
    """A line about what was asked, a table, and the intervals of the policy's figures."""
    rows = [found.policy, *found.references]
    keys = [key for key in SHOWN[found.kind] if any(_known(row, key) for row in rows)]
    columns = [Column("policy"), *(Column(FIGURES[key][0], is_figure=True) for key in keys)]
    lines = [_headline(found), "", table(columns, [[row.name, *(_cell(row, key) for key in keys)] for row in rows]), ""]
    intervals = [_interval(found.policy, key) for key in FIGURES if key in found.policy.intervals]
    lines += [f"95 % intervals of {found.policy.name}: {'; '.join(intervals)}"]
    return "\n".join([*lines, LEGENDS[found.kind], *found.notes])


def evaluation_dict(found: Evaluation) -> dict[str, Any]:
    """The policy's figures at the top, null where they mean nothing here; references below them."""
    return {
        "kind": found.kind,
        "dataset": found.data.name,
        "prompts": found.prompts,
        "left_out": found.data.left_out,
        **found.asked,
        "policy": found.policy.name,
        **dict.fromkeys(KEYS),
        **_row_dict(found.policy),
        "references": [{"policy": row.name, **_row_dict(row)} for row in found.references],
        "notes": list(found.notes),
    }


def write_predictions(found: Evaluation, path: Path) -> None:
    """One JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in found.predictions)


def _headline(found: Evaluation) -> str:
    about = ", ".join(f"{name} {_said(value)}" for name, value in found.asked.items() if value is not False)
    left_out = f"; {found.data.left_out:,} contaminated left out" if found.data.left_out else ""
    return f"{found.kind} on {found.data.name}: {about}; {found.prompts:,} prompts{left_out}"


def _said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _row_dict(row: Row) -> dict[str, Any]:
    intervals: Mapping[str, Sequence[float]] = {name: list(one) for name, one in row.intervals.items()}
    figures = {name: value if isfinite(value) else None for name, value in row.figures.items()}
    return figures | ({"intervals": intervals} if intervals else {})


def _known(row: Row, key: str) -> bool:
    return isfinite(row.figures.get(key, float("nan")))


def _cell(row: Row, key: str) -> str:
    return FIGURES[key][1](row.figures[key]) if _known(row, key) else ""


def _interval(row: Row, key: str) -> str:
    title, form = FIGURES[key]
    low, high = row.intervals[key]
    return f"{title} {form(low)} to {form(high)}"
