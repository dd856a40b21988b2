"""The rounds as one table: medians, and how many times better the service is than each peer of the same run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .gateways import DIRECT, POSTGRES, SQLITE
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


def _rate(case: str) -> Callable[[Measured, Measured], float | None]:
    return lambda one, direct: one.loads[case].rate


def _added(case: str) -> Callable[[Measured, Measured], float | None]:
    return lambda one, direct: None if one is direct else one.loads[case].p50_ms - direct.loads[case].p50_ms


ROWS = (
    Row("HTTP c64, no upstream latency: requests/s", _rate(MANY.name), more_is_better=True),
    Row("added latency c1, p50: ms", _added(LONE.name), 2),
    Row("50 ms upstream, c64, added p50: ms", _added(WAITING.name), 2),
    Row("SSE, 20 chunks, c16: streams/s", _rate(STREAMS.name), more_is_better=True),
    Row("start to first 200: s", lambda one, direct: one.start_seconds, 2),
    Row("memory idle, PSS: MB", lambda one, direct: one.idle_mb),
    Row("memory after the load, PSS: MB", lambda one, direct: one.loaded_mb),
    Row("CPU of a request, c64: us", lambda one, direct: one.cpu_us.get(MANY.name)),
    Row("CPU of a stream, c16: us", lambda one, direct: one.cpu_us.get(STREAMS.name)),
)


def table(rounds: Rounds) -> str:
    """Markdown. A ratio above 1 says that the service is better."""
    names = list(rounds)
    pairs = [(one, peer) for peer in names if peer not in (DIRECT, *_OURS) for one in _OURS if one in names]
    lines = [_line(["", *names, *(f"{one} : {peer}" for one, peer in pairs)])]
    lines += [_line(["---", *["---:"] * (len(names) + len(pairs))])]
    for row in ROWS:
        found = {name: _median(row, rounds[name], rounds[DIRECT]) for name in names}
        ratios = [_ratio(row, found[one], found[peer]) for one, peer in pairs]
        lines.append(_line([row.title, *(_said(found[name], row.digits) for name in names), *ratios]))
    errors = {name: sum(load.errors for one in rounds[name] for load in one.loads.values()) for name in names}
    lines.append(_line(["errors, of all rounds", *(f"{errors[name]:,}" for name in names), *[""] * len(pairs)]))
    return "\n".join(lines)


def broken(rounds: Rounds) -> list[str]:
    """Whose figure of which case counts failures as answers, and so is none."""
    found = []
    for name, measured in rounds.items():
        for case in measured[0].loads:
            failed = sum(one.loads[case].errors for one in measured)
            if failed:
                asked = sum(one.loads[case].requests for one in measured)
                found.append(f"{name}, {case}: {failed:,} of {asked:,} failed")
    return found


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
