"""A backtest as tables: what was observed, what is estimated, and what is unknown stand apart."""

from __future__ import annotations

from ..application.backtest_report import Backtest, PolicyResult
from ..application.backtest_tally import Figure
from .output import print_table

_HEADER = ("POLICY", "QUALITY", "95 %", "$ A 1,000", "95 %", "CALLS", "ESCALATED", "LATENCY", "RANDOM")
_BASIS = ("POLICY", "OF", "OBSERVED", "ESTIMATED", "UNKNOWN", "COST OBSERVED", "ESTIMATED", "UNKNOWN")


def print_backtest(found: Backtest, *, first: bool) -> None:
    """Figures, what they rest on, the difference, and what needs no policy."""
    if not first:
        print()
    count = found.policies[0].counts["runs"]
    what = "run" if found.is_log else "prompt"
    of = f"with {found.of} money" if found.is_log else f"of {found.of}"
    print(f"{count:,} {what}{'' if count == 1 else 's'} {of}; quality and cost as observed")
    print_table(_HEADER, [_row(found, one) for one in found.policies])
    print()
    print_table(_BASIS, [_basis(one) for one in found.policies])
    for one in found.policies:
        if one.trained_on:
            seen = f"{one.name} was trained on {one.trained_on:,} of these prompts"
            print(f"{seen}: it may look better here than on prompts it has not seen")
    _print_estimates(found)
    _print_difference(found)
    if found.models:
        print()
        front = found.front()
        named = [*found.models, *([found.oracle] if found.oracle else [])]
        rows = [
            (one.name, f"{one.point[1]:.4f}", f"{one.point[0]:.4f}", "yes" if one.name in front else "")
            for one in sorted(named, key=lambda one: one.point or (0.0, 0.0))
            if one.point
        ]
        print_table(("ALONE", "QUALITY", "$ A 1,000", "ON THE FRONT"), rows)
        print(f"Pareto front: {', '.join(front)}")


def _row(found: Backtest, one: PolicyResult) -> tuple[str, ...]:
    figures, random = one.figures, found.random_at(one.point[0]) if one.point else None
    return (
        one.name,
        _value(figures.get("quality"), 4),
        _interval(figures.get("quality"), 4),
        _value(figures.get("usd_per_1000"), 4),
        _interval(figures.get("usd_per_1000"), 4),
        _value(figures.get("calls"), 2),
        _value(figures.get("escalations"), 3),
        f"{figures['latency'].value:.2f} s" if "latency" in figures else "",
        "" if random is None else f"{random:.4f}",
    )


def _basis(one: PolicyResult) -> tuple[str, ...]:
    counts = one.counts
    shares = (f"{counts[name]:,} ({counts[name] / max(1, counts['runs']):.1%})" for name in _COUNTED)
    return (one.name, f"{counts['runs']:,}", *shares)


_COUNTED = (
    "quality_observed",
    "quality_estimated",
    "quality_unknown",
    "cost_observed",
    "cost_estimated",
    "cost_unknown",
)


def _print_estimates(found: Backtest) -> None:
    """What was not observed, each with what it rests on."""
    rows = []
    for one in found.policies:
        figures, counts = one.figures, one.counts
        if "estimated_quality" in figures:
            rests = f"{counts['quality_estimated']:,} answers by their score, {sum(found.calibrated.values()):,} labels"
            rows.append((one.name, "quality", *_both(figures["estimated_quality"]), rests))
        if "planned_usd_per_1000" in figures:
            rests = f"{counts['cost_estimated']:,} runs as planned"
            rows.append((one.name, "$ a 1,000", *_both(figures["planned_usd_per_1000"]), rests))
        if "ips_quality" in figures:
            rests = f"{counts['drawn']:,} drawn runs, worth {counts['ips_effective']:,}"
            rows.append((one.name, "quality, by propensity", *_both(figures["ips_quality"]), rests))
    if rows:
        print()
        print_table(("POLICY", "ESTIMATE OF", "IS", "95 %", "RESTS ON"), rows)


def _print_difference(found: Backtest) -> None:
    if len(found.policies) < 2 or "quality_difference" not in found.policies[0].figures:
        return
    one, other = found.policies[:2]
    quality, cost = one.figures["quality_difference"], one.figures.get("usd_per_1000_difference")
    both = f"where both are observed ({one.counts['both']:,})"
    dollars = "" if cost is None else f", $ a 1,000 {cost.value:+.4f} ({cost.low:+.4f} to {cost.high:+.4f})"
    print(f"\n{one.name} less {other.name}, {both}:")
    print(f"quality {quality.value:+.4f} ({quality.low:+.4f} to {quality.high:+.4f}){dollars}")


def _both(figure: Figure) -> tuple[str, str]:
    return _value(figure, 4), _interval(figure, 4)


def _value(figure: Figure | None, digits: int) -> str:
    return "" if figure is None else f"{figure.value:.{digits}f}"


def _interval(figure: Figure | None, digits: int) -> str:
    return "" if figure is None else f"{figure.low:.{digits}f} to {figure.high:.{digits}f}"
