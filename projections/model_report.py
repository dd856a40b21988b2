"""Questions to `model_stats`: how each model does, with quantiles read from log buckets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..domain.errors import InvalidRequest
from ..domain.filters import MODEL_FIELDS, Condition, conjuncts, touched
from . import model_stats as stats
from . import model_totals as totals
from .attempt_columns import ATTEMPTS
from .attempts import ESCALATIONS
from .buckets import quantile
from .cost_report import CostRow, Range, base_columns, costs
from .dimensions import DIMENSIONS, WORDS
from .filter_sql import Columns, json_tag, where
from .grains import BASE, BEGINNING, END, pieces
from .projection import Names, Queryable, kept
from .run_report import cache_savings

_SHOWN = ", ".join("tag:KEY" if name == "tag" else name for name in MODEL_FIELDS)
_WORDS = {word: f"d.{word}" for word in WORDS}


@dataclass(slots=True, kw_only=True)
class ModelStats:
    """One model, one kind of money. Times are microseconds, money is picodollars, confidence is millionths."""

    model: str
    money: str
    calls: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    open: int = 0
    retries: int = 0
    unpriced: int = 0
    cost: int = 0
    failed_cost: int = 0
    lost_cost: int = 0
    input_uncached: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    confidence: int = 0  # the sum over `scored` answers
    scored: int = 0
    errors: Counter[str] = field(default_factory=Counter)  # of failed and lost calls
    escalated_to: Counter[str] = field(default_factory=Counter)  # which models took over from this one
    escalated_from: Counter[str] = field(default_factory=Counter)  # which models this one took over from
    latencies: Counter[int] = field(default_factory=Counter)  # of answers: log bucket to count
    first_tokens: Counter[int] = field(default_factory=Counter)
    confidences: Counter[int] = field(default_factory=Counter)  # a twentieth to count, 0 to 20
    cache_hits: int = 0  # runs that were given this model's earlier answer
    saved: int = 0  # picodollars that asking again would have cost

    def latency(self, share: float) -> int | None:
        """A quantile of the answers' latency, as 0.5 or 0.99; None without an answer."""
        return quantile(self.latencies, share)

    def first_token(self, share: float) -> int | None:
        """A quantile of the time to the first token; None where none was streamed."""
        return quantile(self.first_tokens, share)


def model_report(
    tables: Queryable, attempts: Names, runs: Names, *, span: Range, conditions: Sequence[Condition] = ()
) -> list[ModelStats]:
    """A row a model and kind of money, sorted. Conditions are on MODEL_FIELDS.

    Raises InvalidRequest for another field: not every figure is known by it.
    """
    parts = list(conjuncts(conditions))
    for name, key in (asked for one in parts for asked in touched(one)):
        if key is None and name not in MODEL_FIELDS:
            raise InvalidRequest(f"models cannot be asked for by {name!r}: expected one of {_SHOWN}")
    found: defaultdict[tuple[str, str], ModelStats] = defaultdict(lambda: ModelStats(model="", money=""))
    for row in costs(tables, attempts, by=("model", "status"), ranges=(span,), conditions=parts):
        _count(found[str(row.group[0]), row.money], row)
    for model, money, measure, label, count in _counts(tables, attempts, span, parts):
        _note(found[model, money], measure, label, count)
    for model, money, hits, saved in cache_savings(tables, runs, span=span, conditions=parts):
        one = found[model, money]
        one.cache_hits, one.saved = hits, saved
    for (model, money), one in found.items():
        one.model, one.money = model, money
    return [found[key] for key in sorted(found)]


def _count(one: ModelStats, row: CostRow) -> None:
    status = str(row.group[1])
    setattr(one, status, getattr(one, status) + row.calls)
    if status in ("failed", "lost"):
        name = f"{status}_cost"
        setattr(one, name, getattr(one, name) + row.cost)
    for name in ("calls", "retries", "unpriced", "cost", "confidence", "scored"):
        setattr(one, name, getattr(one, name) + getattr(row, name))
    for name in ("input_uncached", "cache_read", "cache_write", "output", "reasoning"):
        setattr(one, name, getattr(one, name) + getattr(row, name))


def _note(one: ModelStats, measure: str, label: str, count: int) -> None:
    match measure:
        case stats.LATENCY:
            one.latencies[int(label)] += count
        case stats.FIRST_TOKEN:
            one.first_tokens[int(label)] += count
        case stats.CONFIDENCE:
            one.confidences[int(label)] += count
        case stats.ERROR:
            one.errors[label] += count
        case stats.ESCALATED_TO:
            one.escalated_to[label] += count
        case stats.ESCALATED_FROM:
            one.escalated_from[label] += count


Counted = tuple[str, str, str, str, int]  # model, money, measure, label, count


def _counts(tables: Queryable, names: Names, span: Range, conditions: Sequence[Condition]) -> Iterator[Counted]:
    asked = [field for one in conditions for field in touched(one)]
    grains = kept(tables, stats.GRAINS)
    always = span[0] <= BEGINNING and span[1] >= END
    if grains and always and all(key is None and name in totals.WORDS for name, key in asked):
        yield from _total_counts(tables, names, conditions)
        return
    simple = all(key is None for _, key in asked)
    rolled = where(conditions if simple else (), Columns(dialect=tables.dialect, of=_WORDS))
    for piece in pieces((span,), grains if simple else ()):
        place = (piece.since, piece.until)
        if piece.grain == BASE:
            yield from _base_counts(tables, names, place, conditions)
            continue
        query = (
            f"SELECT d.model, d.money, c.measure, c.label, sum(c.count) FROM {names(stats.MODEL_STATS.table.name)} c "
            f"JOIN {names(DIMENSIONS.name)} d ON d.dim = c.dim "
            f"WHERE c.at >= ? AND c.at < ? AND {rolled.text} GROUP BY 1, 2, 3, 4"
        )
        for row in tables.execute(query, (*place, *rolled.parameters)):
            yield row[0], row[1], row[2], row[3], int(row[4])


def _total_counts(tables: Queryable, names: Names, conditions: Sequence[Condition]) -> Iterator[Counted]:
    """Of the whole log, whatever its length."""
    which = where(conditions, Columns(dialect=tables.dialect, of={word: f"c.{word}" for word in totals.WORDS}))
    query = (
        f"SELECT c.model, c.money, c.measure, c.label, sum(c.count) FROM {names(totals.MODEL_TOTALS.table.name)} c "
        f"WHERE {which.text} GROUP BY 1, 2, 3, 4"
    )
    for row in tables.execute(query, which.parameters):
        yield row[0], row[1], row[2], row[3], int(row[4])


def _base_counts(tables: Queryable, names: Names, place: Range, conditions: Sequence[Condition]) -> Iterator[Counted]:
    """From the rows themselves: less than a day."""
    which = where(conditions, base_columns(tables.dialect))
    for measure, (label, condition) in stats.MEASURED.items():
        query = (
            f"SELECT s.model, s.money, {label}, count(*) FROM {names(ATTEMPTS.name)} s "
            f"WHERE s.run_at >= ? AND s.run_at < ? AND {condition} AND {which.text} GROUP BY 1, 2, 3"
        )
        for model, money, name, count in tables.execute(query, (*place, *which.parameters)):
            yield model, money, measure, name, int(count)
    columns = Columns(dialect=tables.dialect, of=_WORDS, tag=json_tag(tables.dialect, "s.tags"))
    which = where(conditions, columns)
    for measure, model, other in (
        (stats.ESCALATED_TO, "from", "to"),
        (stats.ESCALATED_FROM, "to", "from"),
    ):
        query = (
            f"SELECT d.model, d.money, s.{other}_model, count(*) FROM {names(ESCALATIONS.name)} s "
            f"JOIN {names(DIMENSIONS.name)} d ON d.dim = s.{model}_dim "
            f"WHERE s.run_at >= ? AND s.run_at < ? AND {which.text} GROUP BY 1, 2, 3"
        )
        for name, money, label, count in tables.execute(query, (*place, *which.parameters)):
            yield name, money, measure, label, int(count)
