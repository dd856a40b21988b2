"""`learn routing`: trains how likely each model is right on a prompt, and reports how well on held-out prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest
from .asked import Since, Until, Where, Zone
from .learn_asked import Dataset, FromLog, LogAsked, Output, check_asked, lessons_asked, models_asked
from .options import AsJson, Database
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..infrastructure.learning.held_out import Figure
    from ..infrastructure.learning.held_out_routing import Guarantee
    from ..infrastructure.learning.learned_routing import RoutingReport

EPILOG = "Example: model-orchestrator learn routing --dataset zeroeval.jsonl.gz -o weights.json"


def learn_routing(
    output: Output,
    dataset: Dataset = None,
    from_log: FromLog = False,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    where: Where = None,
    weak: Annotated[str | None, typer.Option("--weak", help="Report on the pair that starts here.")] = None,
    strong: Annotated[str | None, typer.Option("--strong", help="The pair's stronger model.")] = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Learn of these models only, with commas between.")
    ] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, max=20, help="How often to hold out.")] = 5,
    risk: Annotated[
        float | None,
        typer.Option("--risk", help="Guarantee: the mean grade that the strong model may be ahead of the choice."),
    ] = None,
    confidence: Annotated[float, typer.Option("--confidence", help="How surely the risk is kept.")] = 0.95,
    as_json: AsJson = False,
    database: Database = None,
) -> None:
    """Train P(right | request, model) on recorded outcomes, and say how well it routes prompts held out."""
    if (weak is None) != (strong is None):
        raise InvalidRequest("a pair has a --weak and a --strong model: give both, or neither")
    check_asked(output, risk=risk, confidence=confidence)
    from ..infrastructure.learned_weights import load_router
    from ..infrastructure.learning.extra import need_extra

    need_extra()
    from ..infrastructure.learning.learned_routing import Wanted, learned_routing

    wanted = Wanted(
        models=models_asked(models),
        pair=None if weak is None or strong is None else (weak, strong),
        folds=folds,
        risk=risk,
        confidence=confidence,
    )
    log = LogAsked(from_log=from_log, since=since, until=until, zone=zone, where=where)
    names, opened = lessons_asked(dataset, log, database, wanted.models)
    text, report = learned_routing(names, wanted, opened)
    output.write_text(text, encoding="utf-8")
    version = load_router(output).version
    if report.repeated:
        say(f"warning: {report.repeated} prompts stand in more than one row; each is in one fold only")
    if as_json:
        print_json({"weights": str(output), "version": version, **report.to_dict()})
    else:
        _show(report)
        say(f"{output} holds {version}")


def _show(report: RoutingReport) -> None:
    header = ("DATA SET", "PAIR", "PROMPTS", "GRADES", "APGR", "OVER LENGTH")
    print_table(
        header,
        [
            (
                one.dataset,
                f"{one.weak} > {one.strong}",
                str(one.prompts),
                f"{one.weak_grade:.3f} > {one.strong_grade:.3f}",
                _figure(one.apgr),
                _figure(one.over_length),
            )
            for one in report.pairs
        ],
    )
    print()
    rows = [
        (one.dataset, one.model, f"{one.right:.3f}", _figure(one.auroc), f"{one.brier:.3f}") for one in report.models
    ]
    print_table(("DATA SET", "MODEL", "RIGHT", "AUROC", "BRIER"), rows)
    if report.guarantees:
        print()
        guarantees = ("PAIR", "RISK", "CONFIDENCE", "THRESHOLD", "LOST", "TO THE WEAK")
        print_table(guarantees, [_guarantee(one) for one in report.guarantees])
    say("all figures are of prompts that were held out; [95 % by bootstrap]")


def _figure(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _guarantee(one: Guarantee) -> tuple[str, ...]:
    threshold = "none is sure" if one.threshold is None else f"{one.threshold:.4f}"
    pair = f"{one.weak} > {one.strong}"
    return pair, f"{one.risk:g}", f"{one.confidence:g}", threshold, f"{one.lost:.4f}", f"{one.kept:.1%}"
