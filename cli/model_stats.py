"""`models stats`: how often each model was asked, how it did and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..application.amounts import dollars, percent, share_bar
from ..application.cost_reports import HEADINGS
from ..application.model_figures import (
    TENTHS,
    TOKENS,
    by_money,
    ended,
    histogram,
    known_cost,
    mean_confidence,
    stats_dict,
)
from ..domain.errors import InvalidRequest, RunNotFound
from ..domain.events import Money
from ..domain.units import MILLION, usd
from .asked import From
from .output import print_json, say
from .tables import Column, can_show, table

if TYPE_CHECKING:
    from ..projections.model_report import ModelStats

_BARS = "▁▂▃▄▅▆▇█"
CSV_TEXTS = ("money", "model", "failures", "escalated_to", "escalated_from")
CSV_FIGURES = (
    "calls answered failed lost open retries confidence latency_p50 latency_p90 latency_p99 first_token_p50 "
    "first_token_p90 first_token_p99 input_uncached cache_read cache_write output reasoning cost unknown failed_cost "
    "lost_cost cache_hits cache_saved"
).split()


def stats(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="One model in full; all without it.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="A date: today, 7d, 2026-11, 2026-11-24T10:00.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="A date, itself included.")] = None,
    tz: Annotated[str, typer.Option("--tz", help="The dates' time zone, as in Europe/Berlin.")] = "UTC",
    category: Annotated[str | None, typer.Option("--category", help="Runs of this category only.")] = None,
    history: From = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line a model and kind of money.")] = False,
    database: Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Show how each model does: calls, failures, escalations, confidence, latency, tokens, cost. By runs' start."""
    if as_json and as_csv:
        raise InvalidRequest("say either --json or --csv")
    nothing = "no call was made in this time" if model is None else f"{model} was not called in this time"
    try:
        found = _found(model, since, until, tz, category, history, database, config)
    except RunNotFound as error:
        found, nothing = [], str(error)
    parts = by_money(found)
    if as_json:
        print_json({money: [stats_dict(one) for one in models] for money, models in parts.items()})
    elif as_csv:
        _print_csv(found)
    elif found:
        shown = (_in_full(models[0]) if model else _tables(models) for models in parts.values() if models)
        print("\n\n".join(shown))
    if not found:
        say(nothing)


def _found(
    model: str | None,
    since: str | None,
    until: str | None,
    tz: str,
    category: str | None,
    history: Path | None,
    database: str | None,
    config: Path | None,
) -> list[ModelStats]:
    import asyncio

    from ..application.cost_reports import span_of
    from ..domain.filters import MODEL_FIELDS, Compare, Op
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings
    from .asked import calendar
    from .events import history_models

    conditions = [] if category is None else [Compare(MODEL_FIELDS["category"], Op.EQUAL, category)]
    span = span_of(calendar(tz).between(since, until))

    async def ask() -> list[ModelStats]:
        async with Orchestrator(Settings.load(config, database_url=database)) as orchestrator:
            orchestrator.expect_runs()
            orchestrator.read_models.tell = say
            return orchestrator.read_models.model_stats(span=span, conditions=conditions)

    if history is None:
        found = asyncio.run(ask())
    else:
        found = history_models(history, database).model_stats(span=span, conditions=conditions)
    return [one for one in found if model in (None, one.model)]


# ---- all models -----------------------------------------------------------------------------------------------------


def _tables(models: Sequence[ModelStats]) -> str:
    """What became of the calls, how good and fast the answers were, and the money: a table each."""
    heading = HEADINGS[Money(models[0].money)]
    return "\n".join((heading, _calls(models), "", _answers(models), "", _costs(models)))


def _calls(models: Sequence[ModelStats]) -> str:
    figures = ("calls", "success", "failed", "lost", "retries", "escalated", "took over")
    columns = [Column("model"), *(Column(name, is_figure=True) for name in figures), Column("failures")]
    rows = [
        [
            one.model,
            f"{one.calls:,}",
            percent(one.answered, ended(one)),
            *map(_count, (one.failed, one.lost, one.retries, one.escalated_to.total(), one.escalated_from.total())),
            _listed(one.errors),
        ]
        for one in models
    ]
    return table(columns, rows)


def _answers(models: Sequence[ModelStats]) -> str:
    figures = ("p50", "p90", "p99", "first token", "confidence")
    columns = [Column("model"), *(Column(name, is_figure=True) for name in figures), Column("0 to 1")]
    rows = [
        [
            one.model,
            *(_seconds(one.latency(share)) for share in (0.5, 0.9, 0.99)),
            _seconds(one.first_token(0.5)),
            _share(mean_confidence(one)),
            _sparkline(histogram(one.confidences)),
        ]
        for one in models
    ]
    return table(columns, rows)


def _costs(models: Sequence[ModelStats]) -> str:
    figures = ("input", "cached", "written", "output", "reasoning", "cost", "unknown", "failed", "lost", "cache saved")
    columns = [Column("model"), *(Column(name, is_figure=True) for name in figures)]
    rows = [
        [
            one.model,
            *(_count(getattr(one, name)) for name in TOKENS),
            dollars(known_cost(one)),
            _count(one.unpriced),
            *(dollars(usd(amount)) if amount else "" for amount in (one.failed_cost, one.lost_cost, one.saved)),
        ]
        for one in models
    ]
    return table(columns, rows)


def _sparkline(bars: Sequence[int]) -> str:
    """A character a tenth; the least that is not nothing can be seen."""
    most = max(bars)
    if not most:
        return ""
    marks = _BARS if can_show(_BARS) else "....::||"
    return "".join(marks[max(0, -(-8 * count // most) - 1)] if count else " " for count in bars).rstrip()


# ---- one model ------------------------------------------------------------------------------------------------------


def _in_full(one: ModelStats) -> str:
    lines = [
        f"{one.model}: {HEADINGS[Money(one.money)]}",
        *(f"{name:<13}{said}" for name, said in _facts(one) if said),
    ]
    if one.scored:
        lines.append(f"{'confidence':<13}{_share(mean_confidence(one))} on average of {one.scored:,} answers")
        lines += _bars(histogram(one.confidences))
    return "\n".join(lines)


def _facts(one: ModelStats) -> Iterable[tuple[str, str]]:
    tokens = dict(zip(TOKENS, ("input", "from a cache", "to a cache", "output", "reasoning"), strict=True))
    wasted = ((one.failed_cost, "failed"), (one.lost_cost, "lost"))
    became = ((one.failed, "failed"), (one.lost, "lost"), (one.open, "under way"))
    return (
        ("calls", _joined(f"{one.calls:,}", *_counted(became))),
        ("success", percent(one.answered, ended(one))),
        ("failures", _listed(one.errors)),
        ("retries", _count(one.retries)),
        ("escalated", _joined(*(f"to {name} {count:,}" for name, count in one.escalated_to.most_common()))),
        ("took over", _joined(*(f"from {name} {count:,}" for name, count in one.escalated_from.most_common()))),
        ("latency", _quantiles(one.latency(share) for share in (0.5, 0.9, 0.99))),
        ("first token", _quantiles(one.first_token(share) for share in (0.5, 0.9, 0.99))),
        ("tokens", _joined(*_counted((getattr(one, name), word) for name, word in tokens.items()))),
        ("cost", _joined(dollars(known_cost(one)), *_counted([(one.unpriced, "calls of unknown cost")]))),
        ("of it", _joined(*(f"{dollars(usd(amount))} for {word} calls" for amount, word in wasted if amount))),
        ("cache", f"{one.cache_hits:,} answers given again, {dollars(usd(one.saved))} saved" if one.cache_hits else ""),
    )


def _bars(bars: Sequence[int]) -> list[str]:
    ascii = not can_show("█▏")
    return [
        f"  {tenth / TENTHS:.1f} to {(tenth + 1) / TENTHS:.1f}  {count:>9,}  "
        f"{share_bar(count, max(bars), width=30, ascii=ascii)}".rstrip()
        for tenth, count in enumerate(bars)
    ]


# ---- words and figures ----------------------------------------------------------------------------------------------


def _counted(pairs: Iterable[tuple[int, str]]) -> list[str]:
    return [f"{count:,} {word}" for count, word in pairs if count]


def _joined(*parts: str) -> str:
    return ", ".join(parts)


def _count(count: int) -> str:
    return f"{count:,}" if count else ""


def _listed(counts: Counter[str]) -> str:
    return _joined(*(f"{name} {count:,}" for name, count in counts.most_common()))


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2f}"


def _seconds(at: int | None) -> str:
    return "" if at is None else f"{at / MILLION:,.2f} s"


def _quantiles(found: Iterable[int | None]) -> str:
    pairs = zip(("p50", "p90", "p99"), found, strict=True)
    return _joined(*(f"{name} {_seconds(at)}" for name, at in pairs if at is not None))


def _print_csv(found: Sequence[ModelStats]) -> None:
    import sys

    from ..infrastructure import exports

    columns = [exports.Column(name) for name in CSV_TEXTS]
    columns += [exports.Column(name, exports.Kind.SHARE) for name in CSV_FIGURES]
    rows = exports.writer("csv", sys.stdout.buffer, columns)
    rows.write([[_csv_cells(one).get(column.name) for column in columns] for one in found])
    rows.finish()


def _csv_cells(one: ModelStats) -> dict[str, str | int | None]:
    flat = stats_dict(one) | {"money": one.money}
    flat |= {f"{name}_{key}": at for name in ("latency", "first_token") for key, at in flat[name].items()}
    flat |= flat["tokens"]
    for name in CSV_TEXTS[2:]:
        flat[name] = "; ".join(f"{key} {count}" for key, count in flat[name].items())
    return {name: str(value) if isinstance(value, float) else value for name, value in flat.items()}
