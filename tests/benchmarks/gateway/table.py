"""The rounds as one table: medians, and how many times better the service is than each peer of the same run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .gateways import DIRECT, POSTGRES, SQLITE
from .load import Case
from .measuring import LONE, MANY, STREAMS, WAITING, Measured

Rounds = Mapping[str, Sequence[Measured]]  # of each gateway, in the order of the rounds
_OURS = (SQLITE, POSTGRES)


@dataclass(frozen=True, slots=True)
class Row:
    """A line: a figure of one round, beside the direct one of the same round."""

    title: str
    figure: Callable[[Measured, Measured], float | None]
    digits: int = 0
    more_is_better: bool = False
    case: str | None = None  # whose errors make the figure none


def _rate(case: Case, title: str) -> Row:
    return Row(title, lambda one, direct: one.loads[case.name].rate, more_is_better=True, case=case.name)


def _added(case: Case, title: str) -> Row:
    def figure(one: Measured, direct: Measured) -> float | None:
        return None if one is direct else one.loads[case.name].p50_ms - direct.loads[case.name].p50_ms

    return Row(title, figure, digits=2, case=case.name)


def _cpu(case: Case, title: str) -> Row:
    return Row(title, lambda one, direct: one.cpu_us.get(case.name), case=case.name)


ROWS = (
    _rate(MANY, "HTTP c64, no upstream latency: requests/s"),
    _added(LONE, "added latency c1, p50: ms"),
    _added(WAITING, "50 ms upstream, c64, added p50: ms"),
    _rate(STREAMS, "SSE, 20 chunks, c16: streams/s"),
    Row("start to first 200: s", lambda one, direct: one.start_seconds, digits=2),
    Row("memory idle, PSS: MB", lambda one, direct: one.idle_mb),
    Row("memory after the load, PSS: MB", lambda one, direct: one.loaded_mb),
    _cpu(MANY, "CPU of a request, c64: us"),
    _cpu(STREAMS, "CPU of a stream, c16: us"),
)


def table(rounds: Rounds) -> str:
    """Markdown. A ratio above 1 says that the service is better; a case with any error has no figure."""
    names = list(rounds)
    pairs = [(one, peer) for peer in names if peer not in (DIRECT, *_OURS) for one in _OURS if one in names]
    lines = [_line(["", *names, *(f"{one} : {peer}" for one, peer in pairs)])]
    lines += [_line(["---", *["---:"] * (len(names) + len(pairs))])]
    for row in ROWS:
        failed = {name for name in names if row.case and _failed(rounds[name], row.case)}
        found = {name: None if name in failed else _median(row, rounds[name], rounds[DIRECT]) for name in names}
        figures = ["failed" if name in failed else _said(found[name], row.digits) for name in names]
        lines.append(_line([row.title, *figures, *(_ratio(row, found[one], found[peer]) for one, peer in pairs)]))
    errors = [sum(_failed(rounds[name], case) for case in rounds[name][0].loads) for name in names]
    lines.append(_line(["errors, of all rounds", *(f"{count:,}" for count in errors), *[""] * len(pairs)]))
    return "\n".join(lines)


def broken(rounds: Rounds) -> list[str]:
    """Which cases have errors, and how many."""
    return [
        f"{name}, {case}: {failed:,} of {sum(one.loads[case].requests for one in measured):,} failed"
        for name, measured in rounds.items()
        for case in measured[0].loads
        if (failed := _failed(measured, case))
    ]


def _failed(measured: Sequence[Measured], case: str) -> int:
    return sum(one.loads[case].errors for one in measured)


def _median(row: Row, measured: Sequence[Measured], direct: Sequence[Measured]) -> float | None:
    pairs = zip(measured, direct, strict=False)  # the last round may be unfinished
    figures = [figure for pair in pairs if (figure := row.figure(*pair)) is not None]
    return statistics.median(figures) if figures else None


def _ratio(row: Row, mine: float | None, other: float | None) -> str:
    if mine is None or other is None or min(mine, other) <= 0:
        return ""
    ratio = mine / other if row.more_is_better else other / mine
    return f"x {ratio:.1f}" if ratio < 100 else f"x {ratio:.0f}"


def _said(figure: float | None, digits: int) -> str:
    return "" if figure is None else f"{figure:,.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
