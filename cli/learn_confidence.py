"""`learn confidence`: trains what says how far an answer can be trusted, and reports how well on held-out answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest
from .asked import Since, Until, Where, Zone
from .learn_asked import Dataset, FromLog, LogAsked, Output, check_asked, lessons_asked, models_asked
from .options import AsJson, Database
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..infrastructure.learning.cascades import CascadeReport, Kept
    from ..infrastructure.learning.confidence_report import ConfidenceReport, ModelReport
    from ..infrastructure.learning.held_out import Figure

EPILOG = (
    "Example: model-orchestrator learn confidence --dataset zeroeval.jsonl.gz --second gemini-1.5-flash -o weights.json"
)


def learn_confidence(
    output: Output,
    dataset: Dataset = None,
    from_log: FromLog = False,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Learn from these models' answers only, with commas between.")
    ] = None,
    second: Annotated[
        str | None, typer.Option("--second", help="Report also with this model's answer beside each.")
    ] = None,
    weak: Annotated[
        str | None, typer.Option("--weak", help="Fix the thresholds of a cascade that starts here.")
    ] = None,
    strong: Annotated[str | None, typer.Option("--strong", help="The model that the cascade moves on to.")] = None,
    risk: Annotated[
        float | None,
        typer.Option(
            "--risk", help="Guarantee: the share of prompts that may lose a right answer of the strong model."
        ),
    ] = None,
    confidence: Annotated[float, typer.Option("--confidence", help="How surely the risk is kept.")] = 0.95,
    as_json: AsJson = False,
    database: Database = None,
) -> None:
    """Train P(right | request, answer) on recorded answers, and say how well it does on answers held out."""
    if (weak is None) != (strong is None):
        raise InvalidRequest("a cascade has a --weak and a --strong model: give both, or neither")
    if risk is not None and weak is None:
        raise InvalidRequest("--risk is a cascade's: give --weak and --strong too")
    check_asked(output, risk=risk, confidence=confidence)
    from ..infrastructure.learned_weights import load_scorer
    from ..infrastructure.learning.extra import need_extra

    need_extra()
    from ..infrastructure.learning.learned_confidence import Wanted, learned_confidence

    wanted = Wanted(
        models=models_asked(models), second=second, weak=weak, strong=strong, risk=risk, confidence=confidence
    )
    log = LogAsked(from_log=from_log, since=since, until=until, zone=zone, where=where)
    names, opened = lessons_asked(dataset, log, database)
    text, report = learned_confidence(names, wanted, opened)
    output.write_text(text, encoding="utf-8")
    version = load_scorer(output).version
    if report.repeated:
        say(f"warning: {report.repeated} prompts stand in more than one row; each is in one fold only")
    if as_json:
        print_json({"weights": str(output), "version": version, **report.to_dict()})
    else:
        _show(report)
        say(f"{output} holds {version}")


def _show(report: ConfidenceReport) -> None:
    header = ("DATA SET", "MODEL", "SECOND", "ANSWERS", "RIGHT", "AUROC", "ECE", "BRIER")
    print_table(header, [_model_row(one) for one in report.models])
    if report.cascades:
        print()
        header = ("CASCADE", "SECOND", "THRESHOLD", "ACCURACY", "STRONG ALONE", "ASKED", "COST", "LOST")
        print_table(header, [row for one in report.cascades for row in _cascade_rows(one)])
    say("all figures are of answers that were held out; [95 % by bootstrap]")


def _model_row(one: ModelReport) -> tuple[str, ...]:
    found = one.quality
    figures = (_figure(found.auroc), _figure(found.ece), _figure(found.brier))
    return (one.dataset, one.model, one.second or "", str(found.answers), f"{found.accuracy:.3f}", *figures)


def _figure(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _cascade_rows(report: CascadeReport) -> list[tuple[str, ...]]:
    cascade = report.cascade
    rows = [_cascade_row(report, f"gain {cascade.gain:.3f}", report.held_out)]
    if report.guaranteed is not None:
        gain = cascade.guaranteed_gain
        said = "guaranteed: none is sure" if gain is None else f"guaranteed, gain {gain:.3f}"
        rows.append(_cascade_row(report, said, report.guaranteed))
    return rows


def _cascade_row(report: CascadeReport, threshold: str, kept: Kept) -> tuple[str, ...]:
    cascade = report.cascade
    return (
        f"{cascade.weak} > {cascade.strong}",
        cascade.second or "",
        threshold,
        f"{kept.accuracy:.3f}",
        f"{report.strong_accuracy:.3f}",
        f"{kept.strong_share:.1%}",
        "unknown" if kept.cost is None else f"{kept.cost:.1%}",
        f"{kept.risk:.3f}",
    )
