"""A backtest as a picture: what quality costs under each policy, by each model, by chance, and at best."""

from __future__ import annotations

from .backtest_report import Backtest
from .curve_chart import Axis, Curve, CurveChart, Mark, Unit

FAR = 3  # times the dearest policy, or the best model: what costs more would squeeze the others together


def backtest_chart(found: Backtest, title: str) -> CurveChart | None:
    """None where neither quality nor cost was observed of anything."""
    policies = [Mark(one.name, one.point, stands_out=True) for one in found.policies if one.point]
    models = [Mark(one.name, one.point) for one in found.models if one.point]
    ends = found.mixing()
    dearest = max((x for x, _ in [*(mark.point for mark in policies), *(ends or ())]), default=0.0)
    dear = [mark.name for mark in models if dearest and mark.point[0] > FAR * dearest]
    marks = [*(mark for mark in models if mark.name not in dear), *policies]
    if found.oracle is not None and found.oracle.point:
        marks.append(Mark("oracle", found.oracle.point))
    if not marks:
        return None
    curves = []
    if ends is not None:
        curves.append(Curve("random mixing", ends, is_reference=True))
    points = found.points()
    front = [points[name] for name in found.front()]
    if len(front) > 1:
        curves.append(Curve("Pareto front", front))
    grades = max(mark.point[1] for mark in marks) > 1
    return CurveChart(
        title=title,
        note=_note(found, dear),
        x=Axis("USD a 1,000 prompts", Unit.USD),
        y=Axis("mean grade" if grades else "right answers", Unit.GRADE if grades else Unit.SHARE),
        curves=curves,
        marks=marks,
    )


def _note(found: Backtest, dear: list[str]) -> str:
    left_out = f"; far to the right, and left out: {', '.join(dear)}" if dear else ""
    counts = found.policies[0].counts
    what = "runs" if found.is_log else "prompts"
    return (
        f"{found.policies[0].name}: observed for {counts['quality_observed']:,} of {counts['runs']:,} {what}{left_out}"
    )
