"""Our calls held against a provider's usage export: which line is which call, and what each side says it cost.

By request id first; then by time and model, where exactly one call and one line can be each other's. A refused call is
not billed, so only its request id can say that it was.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..domain.units import Duration
from ..projections.run_report import AttemptRow
from .usage_lines import UsageLine

SLACK = 86_400 * 1_000_000  # microseconds around the export's times in which its calls can lie
_DATED = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What matching needs of an attempt. Money is picodollars."""

    run: str
    number: int
    model: str
    response_model: str | None
    status: str
    request_id: str | None
    started_at: int
    ended_at: int
    input_tokens: tuple[int, ...]  # with and without cached ones: exports differ; empty: unknown
    output_tokens: int | None
    cost: int | None
    is_assumed: bool

    @property
    def id(self) -> str:
        """As `attempts list` shows it."""
        return f"{self.run}:{self.number}"

    @property
    def is_to_settle(self) -> bool:
        """Lost, and nobody has found out what it cost."""
        return self.status == "lost" and (self.cost is None or self.is_assumed)


def call_of(row: AttemptRow) -> Call:
    """The call of an attempt's row."""
    counted, uncached = row.output is not None, row.input_uncached or 0
    return Call(
        run=row.run,
        number=row.number,
        model=row.model,
        response_model=row.response_model,
        status=row.status,
        request_id=row.request_id,
        started_at=row.started_at,
        ended_at=row.started_at if row.outcome_at is None else row.outcome_at,
        input_tokens=(uncached + (row.cache_read or 0) + (row.cache_write or 0), uncached) if counted else (),
        output_tokens=(row.output or 0) + (row.reasoning or 0) if counted else None,
        cost=row.cost,
        is_assumed=row.evidence == "assumed" and row.charged_money is None,
    )


@dataclass(frozen=True, slots=True)
class Match:
    """A line and its call."""

    line: UsageLine
    call: Call
    by: str  # id or time

    @property
    def difference(self) -> int | None:
        """Picodollars, theirs less ours; None where a side does not say."""
        return None if self.line.cost is None or self.call.cost is None else self.line.cost - self.call.cost


@dataclass(slots=True)
class Reconciliation:
    """What became of each line and each call."""

    matched: list[Match] = field(default_factory=list)
    double: list[Match] = field(default_factory=list)  # further lines of a call that is matched
    theirs: list[tuple[UsageLine, str]] = field(default_factory=list)  # lines without a call, and why
    ours: list[Call] = field(default_factory=list)  # calls of the export's time without a line

    @property
    def mispriced(self) -> list[Match]:
        """Those whose amounts differ; what is still to be settled is none of them."""
        return [one for one in self.matched if one.difference and not one.call.is_to_settle]

    @property
    def to_settle(self) -> list[Match]:
        """Lost calls that the export has a cost for."""
        return [one for one in self.matched if one.call.is_to_settle and one.line.cost is not None]


def times_of(lines: Sequence[UsageLine]) -> tuple[int, int] | None:
    """The first and the last moment of the lines; None unless every line has one."""
    times = [line.time for line in lines if line.time is not None]
    return (min(times), max(times)) if times and len(times) == len(lines) else None


def match(
    lines: Sequence[UsageLine], calls: Iterable[Call], *, tolerance: Duration, names: Mapping[str, Iterable[str]]
) -> Reconciliation:
    """The lines and the calls, matched. `names` are the other names a model goes by; lines come without errors."""
    found, known = Reconciliation(), list(calls)
    rest = _by_id(found, lines, known)
    taken = {one.call.id for one in found.matched}
    _once_by_time(
        found, rest, [call for call in known if call.id not in taken and call.status != "failed"], tolerance, names
    )
    taken = {one.call.id for one in found.matched}
    moments: list[int] = [line.time for line in lines if line.time is not None]
    moments += [moment for one in found.matched for moment in (one.call.started_at, one.call.ended_at)]
    if moments:
        first, last = min(moments) - tolerance, max(moments) + tolerance
        found.ours = [
            call
            for call in known
            if call.id not in taken and call.status != "failed" and first <= call.started_at <= last
        ]
    for part in (found.matched, found.double):
        part.sort(key=lambda one: one.line.number)
    found.theirs.sort(key=lambda one: one[0].number)
    return found


def _by_id(found: Reconciliation, lines: Sequence[UsageLine], calls: Sequence[Call]) -> list[UsageLine]:
    """Match what has the same request id; the lines that are left."""
    by_id: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.request_id is not None:
            by_id[call.request_id].append(call)
    taken: set[str] = set()
    rest = []
    for line in lines:
        same = by_id.get(line.request_id or "", [])
        if len(same) == 1:
            (found.double if same[0].id in taken else found.matched).append(Match(line, same[0], "id"))
            taken.add(same[0].id)
        elif len(same) > 1:
            found.theirs.append((line, f"{len(same)} calls have this request id"))
        else:
            rest.append(line)
    return rest


def _once_by_time(
    found: Reconciliation,
    lines: Sequence[UsageLine],
    calls: Sequence[Call],
    tolerance: Duration,
    names: Mapping[str, Iterable[str]],
) -> None:
    """`_by_time`, for the first line of each request id; those that repeat it follow it."""
    first: dict[str, UsageLine] = {}
    repeats = []
    for line in lines:
        if first.setdefault(line.request_id or f"line {line.number}", line) is not line:
            repeats.append(line)
    _by_time(found, list(first.values()), calls, tolerance, names)
    matched = {one.line.request_id: one for one in found.matched}
    for line in repeats:
        same = matched.get(line.request_id)
        if same is not None:
            found.double.append(Match(line, same.call, same.by))
        else:
            found.theirs.append((line, "there is no such call, and its request id comes again"))


def _by_time(
    found: Reconciliation,
    lines: Sequence[UsageLine],
    calls: Sequence[Call],
    tolerance: Duration,
    names: Mapping[str, Iterable[str]],
) -> None:
    """Match what can only be one another; the other lines are theirs alone."""
    by_model: defaultdict[str, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda one: one.started_at):
        for name in {_bare(one) for one in (call.model, call.response_model, *names.get(call.model, ())) if one}:
            by_model[name].append(call)
    longest = max((call.ended_at - call.started_at for call in calls), default=0)
    candidates = {
        line.number: [
            call
            for call in _near(by_model.get(_bare(line.model or ""), []), line, tolerance, longest)
            if _fits(line, call)
        ]
        for line in lines
    }
    wanted = Counter(call.id for some in candidates.values() for call in some)
    for line in lines:
        some = candidates[line.number]
        if len(some) == 1 and wanted[some[0].id] == 1:
            found.matched.append(Match(line, some[0], "time"))
        else:
            why = f"{len(some)} calls could be it" if len(some) > 1 else "several lines could be the one call"
            found.theirs.append((line, why if some else "there is no such call"))


def _near(calls: Sequence[Call], line: UsageLine, tolerance: Duration, longest: int) -> Sequence[Call]:
    """Those that were under way at the line's time, give or take."""
    at = line.time
    if at is None:
        return ()
    low = bisect_left(calls, at - tolerance - longest, key=lambda call: call.started_at)
    high = bisect_right(calls, at + tolerance, key=lambda call: call.started_at)
    return [call for call in calls[low:high] if call.ended_at + tolerance >= at]


def _fits(line: UsageLine, call: Call) -> bool:
    """Nothing else that both sides know is different."""
    pairs = ((line.request_id, call.request_id), (line.output_tokens, call.output_tokens))
    if not all(theirs is None or ours is None or theirs == ours for theirs, ours in pairs):
        return False
    return line.input_tokens is None or not call.input_tokens or line.input_tokens in call.input_tokens


def _bare(model: str) -> str:
    """Without the vendor before it and the date behind it."""
    return _DATED.sub("", model.rpartition("/")[2].lower())
