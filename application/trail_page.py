"""A run's audit trail as one HTML page that needs nothing else: its sum, its calls, and every event with its why.

Texts are not on it, so that it can be passed on. No script, no link, no font of another place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from ..domain.events import ModelCalled, RunCompleted
from ..domain.run import Attempt, Run
from ..domain.units import MILLION, Timestamp, fraction
from ..projections.audit_trail import TrailEntry
from .amounts import dollars
from .svg import FONT
from .world import money_of

KINDS = {  # an event's colour; the rest are of the plan
    "AttemptStarted": "call",
    "ModelCalled": "call",
    "CostIncurred": "money",
    "AttemptReconciled": "money",
    "ConfidenceScored": "judged",
    "Escalated": "judged",
    "Synthesized": "judged",
    "AttemptFailed": "bad",
    "AttemptLost": "bad",
    "RetryRefused": "bad",
    "RunFailed": "bad",
    "RunCancelled": "bad",
    "RunCompleted": "good",
    "AnsweredFromCache": "good",
}
STATUSES = {"completed": "good", "failed": "bad", "cancelled": "bad", "lost": "bad", "answered": "good"}
_STYLE = f"""
:root {{ color-scheme: light dark; --page: #f4f4f2; --card: #fcfcfb; --ink: #0b0b0b; --soft: #52514e; --line: #e1e0d9;
  --plan: #2a78d6; --call: #4a3aa7; --money: #a86f00; --judged: #c2427b; --good: #0b7a4b; --bad: #c0302f }}
@media (prefers-color-scheme: dark) {{ :root {{ --page: #101010; --card: #1a1a19; --ink: #fff; --soft: #c3c2b7;
  --line: #383835; --plan: #5ea2f0; --call: #a79cf0; --money: #e0a22f; --judged: #ea86ae; --good: #3cc48a;
  --bad: #f08080 }} }}
* {{ box-sizing: border-box }}
body {{ margin: 0 auto; padding: 32px 16px 48px; max-width: 992px; background: var(--page); color: var(--ink);
  font: 15px/1.5 {FONT} }}
h1 {{ margin: 0; font-size: 20px; overflow-wrap: anywhere }}
h2 {{ margin: 32px 0 8px; font-size: 15px }}
p {{ margin: 4px 0; color: var(--soft) }}
code {{ font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }}
.plan {{ --of: var(--plan) }} .call {{ --of: var(--call) }} .money {{ --of: var(--money) }}
.judged {{ --of: var(--judged) }} .good {{ --of: var(--good) }} .bad {{ --of: var(--bad) }}
.pill {{ display: inline-block; padding: 0 10px; border: 1px solid; border-radius: 12px; font-size: 13px;
  font-weight: 600; color: var(--of, var(--soft)); vertical-align: 2px }}
.sums {{ display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0 0; padding: 0 }}
.sums div {{ flex: 1 1 150px; padding: 12px 16px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px }}
dt {{ color: var(--soft); font-size: 13px }}
dd {{ margin: 0; font-size: 18px; font-weight: 600; overflow-wrap: anywhere }}
dd small {{ display: block; font-size: 13px; font-weight: 400; color: var(--soft) }}
.wide {{ overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 4px 16px }}
table {{ width: 100%; border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }}
th, td {{ padding: 8px 16px 8px 0; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line) }}
th {{ color: var(--soft); font-weight: 400 }}
th:last-child, td:last-child {{ padding-right: 0 }}
tbody tr:last-child td {{ border-bottom: 0 }}
tfoot td {{ border-bottom: 0; border-top: 1px solid var(--line); font-weight: 600 }}
.figure {{ text-align: right }}
td.good, td.bad {{ color: var(--of) }}
.track {{ position: relative; min-width: 120px; height: 8px; border-radius: 4px; background: var(--line) }}
.track i {{ position: absolute; top: 0; height: 8px; min-width: 3px; border-radius: 4px; background: var(--of) }}
.events {{ margin: 0; padding: 8px 16px; list-style: none; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px }}
.events > li {{ display: grid; grid-template-columns: 84px 14px minmax(0, 1fr); column-gap: 12px; padding: 8px 0 }}
.events time {{ text-align: right; color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums }}
.events b {{ align-self: start; position: relative; top: 6px; width: 10px; height: 10px; border-radius: 50%;
  background: var(--of) }}
.events strong {{ color: var(--of) }}
.events div {{ overflow-wrap: anywhere }}
.events ul {{ margin: 4px 0 0; padding: 0; list-style: none; color: var(--soft); font-size: 13px }}
@media print {{ body {{ padding: 0 }} .events, .wide, .sums div {{ border: 0; padding: 0 }} }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailPage:
    """What is on the page."""

    run: Run
    entries: Sequence[TrailEntry]  # at least one
    notes: Sequence[str] = ()  # below the heading: as of when, whether texts were erased


def trail_html(page: TrailPage) -> str:
    """The page."""
    run, began = page.run, page.entries[0].recorded_at
    status = run.status.value
    pill = f'<span class="pill {STATUSES.get(status, "plan")}">{_clean(status)}</span>'
    started = run.started
    about = f"{started.strategy}, category {started.category}, {started.provider} models, " if started else ""
    parts = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_clean(run.id)}: audit trail</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<header><h1><code>{_clean(run.id)}</code> {pill}</h1>",
        f"<p>{_clean(about)}{_time(began)}</p>",
        *(f"<p>{_clean(note)}</p>" for note in page.notes),
        "</header>",
        _sums(page),
        *(("<h2>Calls</h2>", _calls(page)) if run.attempts else ()),
        "<h2>What happened, and why</h2>",
        f'<ol class="events">\n{"".join(_entry(one, began) for one in page.entries)}</ol>',
        "</body>\n</html>\n",
    )
    return "\n".join(parts)


def _sums(page: TrailPage) -> str:
    """What it came to, at a glance."""
    run = page.run
    ended = run.ended if isinstance(run.ended, RunCompleted) else None
    took = page.entries[-1].recorded_at - page.entries[0].recorded_at
    sums = (
        ("cost", dollars(run.cost), _money(run)),
        ("answered by", _who(run), ""),
        (
            "confidence",
            f"{fraction(ended.confidence):.2f}" if ended else "none",
            ended.stop_reason.value if ended else "",
        ),
        ("calls", str(len(run.attempts)), ", ".join(dict.fromkeys(one.model for one in run.attempts))),
        ("took", _seconds(took), f"{len(page.entries)} events"),
    )
    cells = (
        f"<div><dt>{name}</dt><dd>{_clean(value)}{f'<small>{_clean(note)}</small>' if note else ''}</dd></div>"
        for name, value, note in sums
    )
    return f'<dl class="sums">{"".join(cells)}</dl>'


def _who(run: Run) -> str:
    if not isinstance(run.ended, RunCompleted):
        return "nobody yet" if run.ended is None else "nobody"
    given = [one.model for one in run.attempts if one.number == run.ended.attempt]
    return given[0] if given else f"{run.cached.model}, earlier" if run.cached else "nobody"


def _money(run: Run) -> str:
    """Whose money it is, and what is known where not all of it is."""
    kinds = sorted({one.cost.money.value for one in run.attempts if one.cost})
    if not kinds and run.started:
        kinds = [money_of(run.started.provider).value]
    known = f", {dollars(run.spent)} of it known" if run.cost is None and run.spent else ""
    return f"{' and '.join(kinds)} money{known}"


def _calls(page: TrailPage) -> str:
    """A row a call, with its place in time."""
    head = ("", "model", "for", "outcome", "when", "tokens in", "out", "time", "confidence", "cost")
    figures = ("tokens in", "out", "time", "confidence", "cost")
    heads = "".join(f"<th{_figure(name in figures)}>{name}</th>" for name in head)
    rows = "".join(_call(one, page) for one in page.run.attempts)
    foot = f'<td colspan="9">total</td><td class="figure">{_clean(dollars(page.run.cost))}</td>'
    return (
        f'<div class="wide"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody>\n'
        f"<tfoot><tr>{foot}</tr></tfoot>\n</table></div>"
    )


def _call(attempt: Attempt, page: TrailPage) -> str:
    called = attempt.outcome if isinstance(attempt.outcome, ModelCalled) else None
    usage = called.usage if called else None
    latency = attempt.outcome.latency if attempt.outcome else None
    status = attempt.status.value
    outcome = f"{status}: {attempt.error}" if attempt.error else status
    kind = STATUSES.get(status, "bad" if attempt.error else "plan")
    confidence = attempt.confidence
    cells = (
        (str(attempt.number), ""),
        (attempt.model, ""),
        (attempt.started.purpose.value, ""),
        (outcome, kind),
        (None, ""),
        (f"{usage.input_tokens:,}" if usage else "", "figure"),
        (f"{usage.output_tokens:,}" if usage else "", "figure"),
        (_seconds(latency) if latency is not None else "", "figure"),
        (f"{fraction(confidence.score):.2f}" if confidence else "", "figure"),
        (dollars(attempt.spent), "figure"),
    )
    shown = (
        _track(attempt, page, kind) if text is None else f"<td{_classed(name)}>{_clean(text)}</td>"
        for text, name in cells
    )
    return f"<tr>{''.join(shown)}</tr>\n"


def _track(attempt: Attempt, page: TrailPage, kind: str) -> str:
    """A bar from the call's beginning to its outcome, on the run's time."""
    first, last = page.entries[0].recorded_at, page.entries[-1].recorded_at
    whole = max(1, last - first)
    times = [one.recorded_at for one in page.entries if one.attempt == attempt.number]
    begin = min(times, default=first)
    ends = [one.recorded_at for one in page.entries if one.attempt == attempt.number and one.type in _OUTCOMES]
    left, right = (100 * (at - first) / whole for at in (begin, min(ends, default=last)))
    style = f"left:{min(left, 98):.1f}%;width:{max(0.0, right - left):.1f}%"
    return f'<td><div class="track {kind}"><i style="{style}"></i></div></td>'


_OUTCOMES = ("ModelCalled", "AttemptFailed", "AttemptLost")


def _entry(entry: TrailEntry, began: Timestamp) -> str:
    why = "".join(f"<li>{_clean(one)}</li>" for one in entry.details)
    offset = f"+{(entry.recorded_at - began) / MILLION:.3f} s"
    return (
        f'<li class="{KINDS.get(entry.type, "plan")}"><time title="{_time(entry.recorded_at)}">{offset}</time><b></b>'
        f"<div><strong>{entry.type}</strong> {_clean(entry.says)}{f'<ul>{why}</ul>' if why else ''}</div></li>\n"
    )


def _figure(yes: bool) -> str:
    return _classed("figure" if yes else "")


def _classed(name: str) -> str:
    return f' class="{name}"' if name else ""


def _seconds(microseconds: int) -> str:
    return f"{microseconds / MILLION:,.2f} s"


def _time(at: Timestamp) -> str:
    return (
        datetime.fromtimestamp(at / MILLION, UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")
    )


def _clean(text: str) -> str:
    return escape("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text))
