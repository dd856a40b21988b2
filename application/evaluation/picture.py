"""An evaluation as a picture: what quality costs, or how far confidences are to be believed."""

from __future__ import annotations

from ...domain.errors import InvalidRequest
from ..curve_chart import Axis, Curve, CurveChart, Mark, Unit
from .report import Evaluation, Row

TITLES = {
    "routing": "Routing",
    "choice": "Routing among many models",
    "confidence": "Confidence",
    "cascade": "Cascade",
    "ensemble": "Ensemble",
}


def picture(found: Evaluation) -> CurveChart:
    """The policy and its references. Raises InvalidRequest where nothing has a place in it."""
    rows = [found.policy, *found.references]
    curves = [_curve(row, is_reference=row is not found.policy) for row in rows if len(row.points) > 1]
    if found.kind == "confidence":
        curves.append(Curve("as confident as right", [(0.0, 0.0), (1.0, 1.0)], is_reference=True))
    marks = [Mark(_short(row.name), row.points[0], row is found.policy) for row in rows if len(row.points) == 1]
    if not curves and not marks:
        raise InvalidRequest(f"data set {found.data.name} records no costs of these models: there is nothing to draw")
    return CurveChart(f"{TITLES[found.kind]} on {found.data.name}", _note(found), *_axes(found), curves, marks)


def _curve(row: Row, *, is_reference: bool) -> Curve:
    return Curve(row.name, row.points, is_reference)


def _axes(found: Evaluation) -> tuple[Axis, Axis]:
    grades = [row.figures["quality"] for row in (found.policy, *found.references) if "quality" in row.figures]
    quality = Axis("right answers", Unit.SHARE) if max(grades) <= 1 else Axis("mean grade", Unit.GRADE)
    if found.kind == "confidence":
        return Axis("confidence", Unit.SHARE), quality
    if "usd_per_1000" in found.policy.figures:
        return Axis("cost of 1,000 prompts", Unit.USD), quality
    return Axis(f"prompts sent to {found.asked['strong']}", Unit.SHARE), quality


def _note(found: Evaluation) -> str:
    asked = found.asked
    about = {
        "routing": lambda: f"{asked['weak']} or {asked['strong']}",
        "choice": lambda: f"{len(asked['models'])} models",
        "confidence": lambda: f"answers of {asked['model']}",
        "cascade": lambda: f"{asked['weak']}, then {asked['strong']}",
        "ensemble": lambda: f"{len(asked['models'])} models",
    }[found.kind]()
    return f"{about}; {found.prompts:,} prompts"


def _short(name: str) -> str:
    return name.removeprefix("always ")
