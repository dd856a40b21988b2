"""`learn routing`: trains how likely each model is right on a prompt, and reports how well on held-out prompts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest
from .options import AsJson, Database
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..infrastructure.learning.held_out_routing import Figure, Guarantee
    from ..infrastructure.learning.learned_routing import RoutingReport

EPILOG = "Example: model-orchestrator learn routing --dataset zeroeval.jsonl.gz -o weights.json"


def learn_routing(
    output: Annotated[Path, typer.Option("-o", "--output", help="The file for the weights.")],
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="A data set, or several with commas between.")
    ] = None,
    from_log: Annotated[bool, typer.Option("--from-log", help="Learn from the labelled answers of the log.")] = False,
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
    for option, value in (("--risk", risk), ("--confidence", confidence)):
        if value is not None and not 0 < value < 1:
            raise InvalidRequest(f"{option} is {value:g}: expected above 0 and below 1")
    from ..infrastructure.learned_weights import load_router
    from ..infrastructure.learning.extra import need_extra

    need_extra()
    from ..infrastructure.learning.from_log import lessons
    from ..infrastructure.learning.learned_routing import Wanted, learned_routing

    wanted = Wanted(
        models=tuple(_split(models or "")),
        pair=None if weak is None or strong is None else (weak, strong),
        folds=folds,
        risk=risk,
        confidence=confidence,
    )
    names, opened = lessons(dataset, from_log=from_log, database=database, models=wanted.models)
    say(f"training on {', '.join(names)}: this takes from seconds to minutes")
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


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


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
