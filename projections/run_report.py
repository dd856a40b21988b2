"""Questions to `runs` and `attempts`: their rows, newest or oldest first, and how many runs there were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

from ..domain.filters import AllOf, AnyOf, Compare, Condition, Field, Kind, Not, Unknown, conjuncts, touched
from .attempt_columns import ATTEMPTS
from .attempts import ESCALATIONS
from .costs import RUN_COSTS
from .dear_runs import few_from
from .filter_sql import Columns, Sql, filter_sql, grouping, json_tag, where
from .grains import BASE, BEGINNING, END, pieces
from .projection import Names, Queryable, kept
from .runs import GRAINS, KEYS, RUN_COUNTS, RUN_TAGS, RUNS

Range = tuple[int, int]  # [since, until), microseconds
Place = tuple[int, str]  # of a run in the order that lists have: when it started, microseconds, and its id
ALWAYS: Range = (BEGINNING, END)
RUN_COST = "CASE WHEN c.run IS NULL THEN 0 ELSE c.cost END"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as lists show it. Times are microseconds, money is picodollars, confidence is millionths."""

    run: str
    status: str
    strategy: str
    category: str
    cost: int | None  # None: some of it is unknown
    money: str  # real, simulated or recorded
    charged: str | None  # the kinds of money its calls showed, by comma; None: no cost yet
    started_at: int
    ended_at: int | None
    model: str | None  # of the last attempt, or of the cached answer
    attempts: int
    open: int  # attempts under way
    lost: int
    confidence: int | None
    feedback: int | None  # millionths
    answer_attempt: int | None
    stop_reason: str | None
    error: str | None
    cancelled_by: str | None
    cached_model: str | None
    saved: int | None
    provider: str  # live, simulated or recorded:NAME
    owner: str
    subject: str | None
    tags: str  # a JSON object
    known_cost: int  # what is known of the cost


_RUN_COLUMNS = {
    "run": "r.run",
    "status": "r.status",
    "strategy": "r.strategy",
    "category": "r.category",
    "cost": RUN_COST,
    "money": "r.money",
    "charged": "c.money",
    "started_at": "r.run_at",
    "ended_at": "r.ended_at",
    "model": "coalesce(w.model, r.cached_model, c.model)",
    "attempts": "coalesce(c.attempts, 0)",
    "open": "coalesce(c.open, 0)",
    "lost": "coalesce(c.lost, 0)",
    "confidence": "r.confidence",
    "feedback": "r.feedback",
    "answer_attempt": "r.answer_attempt",
    "stop_reason": "r.stop_reason",
    "error": "r.error",
    "cancelled_by": "r.cancelled_by",
    "cached_model": "r.cached_model",
    "saved": "r.saved",
    "provider": "r.provider",
    "owner": "r.owner",
    "subject": "r.subject",
}
_PROVIDER = (
    "coalesce(w.provider, (SELECT p.provider FROM {table} p WHERE p.run = r.run ORDER BY p.number DESC LIMIT 1))"
)
_KNOWN_COST = (
    f"CASE WHEN {RUN_COST} IS NULL THEN (SELECT CAST(coalesce(sum(k.cost), 0) AS bigint) FROM {{table}} k "
    f"WHERE k.run = r.run) ELSE {RUN_COST} END"
)


def runs(
    tables: Queryable,
    runs: Names,
    attempts: Names,
    *,
    search: Callable[[str], Sql] | None = None,
    span: Range = ALWAYS,
    conditions: Sequence[Condition] = (),
    limit: int | None = None,
    oldest_first: bool = False,
    after: Place | None = None,
) -> Sql:
    """The query of RunRows; model and provider are those of the answer, else of the last call.

    With `after`, only runs that come after that place in the order. Raises InvalidRequest as `where` does.
    """
    least = few_from(tables, attempts, conditions)
    by_cost = least is not None
    which = from_runs(runs, attempts, tables.dialect, search=search, span=span, conditions=conditions, by_cost=by_cost)
    chosen = ", ".join((*_RUN_COLUMNS.values(), "r.tags", _KNOWN_COST.format(table=attempts(ATTEMPTS.name))))
    order = "ASC" if oldest_first else "DESC"
    beyond = " AND c.cost >= ?" if by_cost else ""
    beyond += "" if after is None else f" AND (r.run_at, r.run) {'>' if oldest_first else '<'} (?, ?)"
    ordered = f"ORDER BY r.run_at {order}, r.run {order}{'' if limit is None else ' LIMIT ?'}"
    parameters = (
        *which.parameters,
        *(() if least is None else (least,)),
        *(after or ()),
        *(() if limit is None else (limit,)),
    )
    return Sql(f"SELECT {chosen} {which.text}{beyond} {ordered}", parameters)


def dearest_runs(
    tables: Queryable,
    runs: Names,
    attempts: Names,
    *,
    search: Callable[[str], Sql] | None = None,
    span: Range = ALWAYS,
    conditions: Sequence[Condition] = (),
    limit: int,
    after: tuple[int, str] | None = None,
) -> Sql:
    """The query of RunRows that called a model and whose whole cost is known, the dearest first.

    `after` is the cost and the id of a run: those behind it. Read along the index of costs.
    Raises InvalidRequest as `where` does.
    """
    which = from_runs(runs, attempts, tables.dialect, search=search, span=span, conditions=conditions, by_cost=True)
    chosen = ", ".join((*_RUN_COLUMNS.values(), "r.tags", _KNOWN_COST.format(table=attempts(ATTEMPTS.name))))
    behind = "" if after is None else " AND (c.cost, c.run) < (?, ?)"
    text = f"SELECT {chosen} {which.text} AND c.cost IS NOT NULL{behind} ORDER BY c.cost DESC, c.run DESC LIMIT ?"
    return Sql(text, (*which.parameters, *(after or ()), limit))


def from_runs(
    runs: Names,
    attempts: Names,
    dialect: str,
    *,
    search: Callable[[str], Sql] | None,
    span: Range,
    conditions: Sequence[Condition],
    by_cost: bool = False,
) -> Sql:
    """FROM and WHERE of the runs `r`, with their sums `c` and the attempts `w` that answered them.

    With `by_cost` the sums come first, and runs without any are left out. Raises InvalidRequest as `where` does.
    """
    parts = list(conjuncts(conditions))
    tagged = [one for one in parts if _on_one_tag(one)]
    fields = _RUN_COLUMNS | {
        "provider": _PROVIDER.format(table=attempts(ATTEMPTS.name)),
        "started": "r.run_at",
        "latency": "(r.ended_at - r.run_at)",
    }
    columns = Columns(dialect=dialect, of=fields, tag=json_tag(dialect, "r.tags"), search=search)
    which = where([one for one in parts if one not in tagged], columns)
    on_tags = [_has_tag(one, runs, dialect) for one in tagged]
    summed = f"{runs(RUNS.name)} r LEFT JOIN {attempts(RUN_COSTS.name)} c ON c.run = r.run"
    if by_cost:
        join = "CROSS JOIN" if dialect == "sqlite" else "JOIN"  # there it says what is read first
        summed = f"{attempts(RUN_COSTS.name)} c {join} {runs(RUNS.name)} r ON c.run = r.run"
    text = (
        f"FROM {summed} "
        f"LEFT JOIN {attempts(ATTEMPTS.name)} w ON w.run = r.run AND w.number = r.answer_attempt "
        f"WHERE r.run_at >= ? AND r.run_at < ? AND {which.text}{''.join(one.text for one in on_tags)}"
    )
    return Sql(text, (*span, *which.parameters, *(value for one in on_tags for value in one.parameters)))


def _on_one_tag(condition: Condition) -> bool:
    """Whether it is met by values of one tag only: the table of tags then finds the runs."""
    listed = condition.conditions if isinstance(condition, AnyOf) else (condition,)
    return len({one.key for one in listed if isinstance(one, Compare) and one.key is not None}) == 1 and all(
        isinstance(one, Compare) and one.key is not None for one in listed
    )


def _has_tag(one: Condition, names: Names, dialect: str) -> Sql:
    ((_, key),) = set(touched(one))
    met = filter_sql(one, Columns(dialect=dialect, of={}, tag=lambda key: Sql("t.value")))
    text = f" AND r.run IN (SELECT t.run FROM {names(RUN_TAGS.name)} t WHERE t.key = ? AND ({met.text}))"
    return Sql(text, (key, *met.parameters))


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt. Times are microseconds, money is picodollars, confidence is millionths."""

    run: str
    number: int
    run_at: int
    strategy: str
    category: str
    started_at: int
    call: int
    epoch: int
    model: str
    provider: str
    purpose: str
    max_cost: int | None
    status: str  # open, answered, failed or lost
    outcome_at: int | None
    error: str | None
    http_status: int | None
    finish_reason: str | None
    response_model: str | None
    request_id: str | None
    latency: int | None
    first_token: int | None
    input_uncached: int | None
    cache_read: int | None
    cache_write: int | None
    output: int | None
    reasoning: int | None
    charged: int | None
    price_card: str | None
    estimated: int | None
    charged_money: str | None  # None: no CostIncurred yet
    confidence: int | None
    reconciled: int | None
    evidence: str | None
    reconciled_by: str | None
    cost: int | None  # None: unknown
    money: str
    retry: int
    owner: str
    tags: str
    escalated_to: str | None
    escalated_from: str | None


_ESCALATED = (
    "(SELECT e.{one}_model FROM {table} e WHERE e.run = a.run AND e.{other}_model = a.model ORDER BY e.version LIMIT 1)"
)
_ATTEMPT_COLUMNS = {field.name: f"a.{field.name}" for field in fields(AttemptRow)[:-3]}
_ATTEMPT_FIELDS = _ATTEMPT_COLUMNS | {"started": "a.run_at"}


def attempts(
    names: Names,
    dialect: str,
    *,
    span: Range = ALWAYS,
    conditions: Sequence[Condition] = (),
    limit: int | None = None,
    oldest_first: bool = False,
) -> Sql:
    """The query of AttemptRows, by their runs' start. Raises InvalidRequest for a field that is not there."""
    columns = Columns(dialect=dialect, of=_ATTEMPT_FIELDS, tag=json_tag(dialect, "a.tags"))
    which = where(conditions, columns)
    table = names(ESCALATIONS.name)
    escalated = [
        _ESCALATED.format(one=one, other=other, table=table) for one, other in (("to", "from"), ("from", "to"))
    ]
    order = "ASC" if oldest_first else "DESC"
    text = (
        f"SELECT {', '.join((*_ATTEMPT_COLUMNS.values(), 'a.tags', *escalated))} FROM {names(ATTEMPTS.name)} a "
        f"WHERE a.run_at >= ? AND a.run_at < ? AND {which.text} "
        f"ORDER BY a.run_at {order}, a.run {order}, a.number{'' if limit is None else ' LIMIT ?'}"
    )
    return Sql(text, (*span, *which.parameters, *(() if limit is None else (limit,))))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCount:
    """How many runs of one range, kind of money and group."""

    period: int
    money: str
    group: tuple[str, ...]
    runs: int
    saved: int  # picodollars that cached answers saved
    confidence: int  # millionths, the sum over `scored` runs
    scored: int


_CACHED_MODEL = Field("cached_model", Kind.TEXT)
_COUNT_FIELDS = {key: f"c.{key}" for key in KEYS}
_BASE_FIELDS = {key: f"c.{key}" for key in KEYS} | {"cached_model": "coalesce(c.cached_model, '')"}
_COUNTED = "sum(runs), sum(saved_micros), sum(saved_rest), sum(confidence), sum(scored)"
_BASE_COUNTED = (
    "count(*), sum(coalesce(c.saved, 0) / 1000000), sum(coalesce(c.saved, 0) % 1000000), "
    "sum(coalesce(c.confidence, 0)), count(c.confidence)"
)


def time_of_runs(tables: Queryable, names: Names, span: Range) -> Range | None:
    """When the first and when the last run of a span began; None without any."""
    ends = (
        f"(SELECT {end}(run_at) FROM {names(RUNS.name)} WHERE run_at >= ? AND run_at < ?)" for end in ("min", "max")
    )
    ((first, last),) = tables.execute(f"SELECT {', '.join(ends)}", span * 2)
    return None if first is None else (first, last)


def run_counts(
    tables: Queryable,
    names: Names,
    *,
    by: Sequence[str] = (),
    ranges: Sequence[Range] = (ALWAYS,),
    conditions: Sequence[Condition] = (),
) -> list[RunCount]:
    """By category, strategy, status, owner, cached_model ('': asked for), sorted; conditions are on these and tags."""
    sums: dict[tuple[int, str, tuple[str, ...]], list[int]] = {}
    keys = ", ".join(str(number) for number in range(1, 2 + len(by)))
    simple = not any(key is not None for one in conditions for _, key in touched(one))
    for piece in pieces(ranges, kept(tables, GRAINS) if simple else ()):
        base = piece.grain == BASE
        from_fields = _BASE_FIELDS if base else _COUNT_FIELDS
        table, counted = (RUNS.name, _BASE_COUNTED) if base else (RUN_COUNTS.table.name, _COUNTED)
        place = "c.run_at >= ? AND c.run_at < ?" if base else "c.at >= ? AND c.at < ?"
        columns = Columns(dialect=tables.dialect, of=from_fields, tag=json_tag(tables.dialect, "c.tags"))
        which = where(conditions, columns)
        groups = ", ".join(["c.money", *(grouping(name, columns).text for name in by)])
        query = f"SELECT {groups}, {counted} FROM {names(table)} c WHERE {place} AND {which.text} GROUP BY {keys}"
        for row in tables.execute(query, (piece.since, piece.until, *which.parameters)):
            known = sums.setdefault((piece.period, row[0], tuple(row[1 : 1 + len(by)])), [0] * 5)
            for index, value in enumerate(row[1 + len(by) :]):
                known[index] += int(value)
    return [
        RunCount(
            period=period, money=money, group=group, runs=v[0], saved=v[1] * 10**6 + v[2], confidence=v[3], scored=v[4]
        )
        for (period, money, group), v in sorted(sums.items())
    ]


def cache_savings(
    tables: Queryable, names: Names, *, span: Range, conditions: Sequence[Condition] = ()
) -> Iterator[tuple[str, str, int, int]]:
    """Model, kind of money, answers given again, picodollars saved; nothing where a condition is on calls."""
    asked = [field for one in conditions for field in touched(one)]
    if any(key is None and name not in ("model", "category", "strategy", "money", "owner") for name, key in asked):
        return
    moved = [_moved(one) for one in conditions]
    for one in run_counts(tables, names, by=("cached_model",), ranges=(span,), conditions=moved):
        if one.group[0]:
            yield one.group[0], one.money, one.runs, one.saved


def _moved(condition: Condition) -> Condition:
    """The same of the model whose answer was given again."""
    match condition:
        case Compare(field=Field(name="model")) | Unknown(field=Field(name="model")):
            return replace(condition, field=_CACHED_MODEL)
        case Not(condition=inner):
            return Not(_moved(inner))
        case AllOf(conditions=several):
            return AllOf(tuple(_moved(one) for one in several))
        case AnyOf(conditions=several):
            return AnyOf(tuple(_moved(one) for one in several))
    return condition
