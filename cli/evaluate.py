"""`evaluate`: what a policy is worth on recorded outcomes, at no cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest, RunNotFound
from .asked import From
from .options import AsJson, Config, Database
from .output import print_json, say

if TYPE_CHECKING:
    from ..application.evaluation.recorded_set import RecordedSet
    from ..application.evaluation.report import Evaluation
    from ..domain.events import Method
    from ..domain.scorers import AnswerScorer
    from ..infrastructure.evaluated_policies import EvaluatedPolicy
    from ..infrastructure.settings import Settings

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Judge routing, confidence, cascades and ensembles on recorded outcomes; nothing is asked.",
)
Dataset = Annotated[str, typer.Option("--dataset", help="An imported set, or a file of recorded outcomes.")]
Weak = Annotated[str | None, typer.Option("--weak", help="The cheaper model of a pair.")]
Strong = Annotated[str | None, typer.Option("--strong", help="The better model of a pair.")]
Models = Annotated[str | None, typer.Option("--models", help="Models a,b,c; all of the set unless given.")]
Second = Annotated[str | None, typer.Option("--second", help="Another cheap model, whose answer is compared.")]
Policy = Annotated[str | None, typer.Option("--policy", help="A policy's name, or a TOML file; default: heuristic.")]
Weights = Annotated[Path | None, typer.Option("--weights", help="Weights that `learn` wrote; default: those shipped.")]
Predictions = Annotated[Path | None, typer.Option("--predictions", help="Write a JSON line for each prompt.")]
Chart = Annotated[str | None, typer.Option("--chart", help="Draw it: a file that ends in .svg or .html.")]


@app.command(epilog="Example: model-orchestrator evaluate routing --dataset FILE --weak gpt-4o-mini --strong gpt-4o")
def routing(
    dataset: Dataset,
    weak: Weak = None,
    strong: Strong = None,
    models: Models = None,
    target: Annotated[
        float | None, typer.Option("--target", help="Of many models: the predicted success to reach, 0 to 1.")
    ] = None,
    budget: Annotated[float | None, typer.Option("--budget", help="Of many models: USD a prompt.")] = None,
    policy: Policy = None,
    weights: Weights = None,
    predictions: Predictions = None,
    chart: Chart = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Judge a router: between a weak and a strong model, or among many."""
    from .evaluate_asked import checked_rule, listed, pair_of

    pair, (asked, settings) = pair_of(weak, strong, models, target, budget), _asked(policy, weights, config, database)
    if pair is not None:
        from ..application.evaluation.routing import evaluate_routing
        from ..infrastructure.evaluated_policies import stranger_notes

        router = asked.routing()
        data = _data(dataset, settings)
        found = _noted(evaluate_routing(data, router, *pair), stranger_notes(router, pair))
    else:
        from ..application.evaluation.choice import evaluate_choice

        rule, chooser = checked_rule(target, budget, asked.target), asked.success()
        data = _data(dataset, settings)
        found = evaluate_choice(data, chooser, listed(models, data), **rule)
    _report(_noted(found, asked.training_notes("routing", data.known_prompts())), predictions, chart, as_json)


@app.command(epilog="Example: model-orchestrator evaluate confidence --dataset FILE --model gpt-4o-mini-2024-07-18")
def confidence(
    model: Annotated[str, typer.Option("--model", help="Whose answers are scored.")],
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="An imported set, or a file of recorded outcomes.")
    ] = None,
    from_log: Annotated[
        bool, typer.Option("--from-log", help="The confidences that runs recorded, by the log's labels.")
    ] = False,
    history: From = None,
    second: Second = None,
    policy: Policy = None,
    weights: Weights = None,
    predictions: Predictions = None,
    chart: Chart = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Judge the confidence in a model's answers: does it tell right from wrong, and is it to be believed?"""
    if dataset is None:
        _check_recorded(from_log, history, second, policy, weights)
        _report(_recorded(history, model, config, database), predictions, chart, as_json)
        return
    if from_log or history is not None:
        raise InvalidRequest("say what to judge by: --dataset, --from-log, or --from DIR")
    from ..application.evaluation.confidence import evaluate_confidence

    asked, settings = _asked(policy, weights, config, database)
    scorer = asked.scorer()
    data = _data(dataset, settings)
    found = evaluate_confidence(data, scorer, model, second)
    _report(_scored(found, asked, scorer, [model]), predictions, chart, as_json)


@app.command(epilog="Example: model-orchestrator evaluate cascade --dataset FILE --weak gpt-4o-mini --strong gpt-4o")
def cascade(
    dataset: Dataset,
    weak: Annotated[str, typer.Option("--weak", help="The model that answers first.")],
    strong: Annotated[str, typer.Option("--strong", help="The one asked where that answer is not trusted.")],
    second: Annotated[
        str | None,
        typer.Option("--second", help="Another cheap model that answers too, or none; default: as trained."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="The confidence that is enough, 0 to 1.")
    ] = None,
    policy: Policy = None,
    weights: Weights = None,
    predictions: Predictions = None,
    chart: Chart = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Judge a cascade: the weak model answers, and the strong one where that answer is not trusted."""
    from ..application.evaluation.cascade import evaluate_cascade, trained_second
    from .evaluate_asked import second_asked, share

    enough = None if threshold is None else share("threshold", threshold)
    asked, settings = _asked(policy, weights, config, database)
    scorer = asked.scorer()
    data = _data(dataset, settings)
    trained = trained_second(scorer, weak, strong) if second is None and threshold is None else None
    beside = second_asked(second, trained, data)
    found = evaluate_cascade(data, scorer, weak, strong, second=beside.model, threshold=enough)
    found = replace(found, notes=[*beside.notes, *found.notes])
    _report(_scored(found, asked, scorer, [weak]), predictions, chart, as_json)


@app.command(epilog="Example: model-orchestrator evaluate ensemble --dataset FILE --models a,b,c --adaptive")
def ensemble(
    dataset: Dataset,
    models: Models = None,
    method: Annotated[
        str | None, typer.Option("--method", help="vote or score; default: vote where answers can be compared.")
    ] = None,
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Ask the others only where the first two do not agree.")
    ] = False,
    policy: Policy = None,
    weights: Weights = None,
    predictions: Predictions = None,
    chart: Chart = None,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Judge a panel whose answers become one; name the most trusted model first."""
    from ..application.evaluation.ensemble import evaluate_ensemble
    from .evaluate_asked import listed

    rule, (asked, settings) = _method(method), _asked(policy, weights, config, database)
    scorer = asked.scorer()
    data = _data(dataset, settings)
    members = listed(models, data)
    found = evaluate_ensemble(data, scorer, members, method=rule, is_adaptive=adaptive)
    _report(_scored(found, asked, scorer, members), predictions, chart, as_json)


def _check_recorded(
    from_log: bool, history: Path | None, second: str | None, policy: str | None, weights: Path | None
) -> None:
    if from_log is (history is not None):
        raise InvalidRequest("say what to judge by: --dataset, --from-log, or --from DIR")
    if second or policy or weights:
        raise InvalidRequest("recorded confidences are judged as they are: leave out --second, --policy and --weights")


def _recorded(history: Path | None, model: str, config: Path | None, database: str | None) -> Evaluation:
    """By what runs recorded, of the log or of a history folder."""
    from ..infrastructure.recorded_confidences import evaluate_folder_confidence, evaluate_log_confidence
    from ..infrastructure.settings import Settings
    from .events import history_folder, refuse_both

    if history is not None:
        refuse_both(database)
        history_folder(history)
        return evaluate_folder_confidence(history, model)
    from ..infrastructure.store.opening import is_there

    url = Settings.load(config, database_url=database).database_url
    if not is_there(url):
        raise RunNotFound("there is no database yet: nothing was recorded")
    return evaluate_log_confidence(url, model)


def _asked(
    policy: str | None, weights: Path | None, config: Path | None, database: str | None
) -> tuple[EvaluatedPolicy, Settings]:
    """The policy that is judged, and the settings that may describe it."""
    from ..infrastructure.evaluated_policies import evaluated_policy
    from ..infrastructure.settings import Settings

    settings = Settings.load(config, database_url=database)
    return evaluated_policy(settings, policy, weights), settings


def _scored(found: Evaluation, asked: EvaluatedPolicy, scorer: AnswerScorer, models: Sequence[str]) -> Evaluation:
    """With what is to be said of a scorer of these models' answers."""
    from ..infrastructure.evaluated_policies import stranger_notes

    trained = asked.training_notes("confidence", found.data.known_prompts())
    return _noted(found, [*stranger_notes(scorer, models), *trained])


def _noted(found: Evaluation, notes: Sequence[str]) -> Evaluation:
    return replace(found, notes=[*found.notes, *notes])


def _data(dataset: str, settings: Settings) -> RecordedSet:
    """The set by the name of its file, or its own."""
    from ..application.evaluation.recorded_set import recorded_set
    from ..infrastructure.datasets import name_of, open_dataset

    return recorded_set(name_of(Path(dataset)), open_dataset(dataset, settings.database_url))


def _method(method: str | None) -> Method | None:
    from ..domain.events import Method

    if method not in (None, Method.VOTE, Method.SCORE):
        raise InvalidRequest(f"method {method!r}: expected vote or score; judge and fuse would ask a model")
    return None if method is None else Method(method)


def _report(found: Evaluation, predictions: Path | None, chart: str | None, as_json: bool) -> None:
    """Print it; write the files that were asked for."""
    from .evaluate_table import evaluation_dict, evaluation_text, write_predictions

    if chart is not None:
        _draw(found, chart)
    if predictions is not None:
        write_predictions(found, predictions)
        say(f"{predictions}: {found.prompts:,} predictions")
    if as_json:
        print_json(evaluation_dict(found))
    else:
        print(evaluation_text(found))


def _draw(found: Evaluation, path: str) -> None:
    from ..application.chart_page import charts_html
    from ..application.cost_reports import chart_kind
    from ..application.curve_chart import curve_svg
    from ..application.evaluation.picture import picture

    kind, chart = chart_kind(path), picture(found)
    text = curve_svg(chart) if kind == "svg" else charts_html(chart.title, [chart])
    Path(path).write_text(text, encoding="utf-8")
    say(f"{path}: {chart.title}")
