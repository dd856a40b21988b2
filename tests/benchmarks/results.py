"""`make evaluate DATA=FOLDER`: judges every set of a folder and writes docs/results.md with its pictures.

A set is a file NAME.jsonl[.gz], NAME.sample.jsonl[.gz] or NAME.dev.jsonl[.gz]; what cannot be judged on it is left out,
and said. Figures are rendered as they come; nothing is chosen by them but the lists of what did not help.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from model_orchestrator.application.curve_chart import curve_svg
from model_orchestrator.application.evaluation.cascade import evaluate_cascade
from model_orchestrator.application.evaluation.choice import evaluate_choice
from model_orchestrator.application.evaluation.confidence import evaluate_confidence
from model_orchestrator.application.evaluation.ensemble import evaluate_ensemble
from model_orchestrator.application.evaluation.picture import picture
from model_orchestrator.application.evaluation.recorded_set import RecordedSet, recorded_set
from model_orchestrator.application.evaluation.report import Evaluation
from model_orchestrator.application.evaluation.routing import evaluate_routing
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.infrastructure.datasets import name_of, open_dataset
from model_orchestrator.infrastructure.evaluated_policies import HEURISTIC, LEARNED, evaluated_policy
from model_orchestrator.infrastructure.settings import Settings

from .evaluated import ANSWERS, CASCADES, PAIRS, PANELS, POOLS
from .results_page import Found, page

ROOT = Path(__file__).parents[2]
Listed = tuple[str, str, Callable[[RecordedSet], Evaluation]]  # set, label, what is done with it


def main(folder: Path) -> None:
    """Evaluate, draw and write."""
    began, sets = time.monotonic(), _sets(folder)
    found = list(_found(sets))
    images = ROOT / "docs" / "images"
    drawn: dict[str, str] = {}
    for kind in ("routing", "choice", "confidence", "cascade", "ensemble"):
        best = [one for one in found if one.evaluation.kind == kind and one.evaluation.data.name.startswith("zeroeval")]
        if best:
            drawn[kind] = f"evaluate-{kind}.svg"
            svg = curve_svg(picture(best[-1].evaluation if kind != "confidence" else best[0].evaluation))
            (images / drawn[kind]).write_text(svg, encoding="utf-8")
    text = page(list(sets.values()), found, drawn)
    (ROOT / "docs" / "results.md").write_text(text, encoding="utf-8")
    print(f"docs/results.md: {len(found)} evaluations of {len(sets)} sets in {time.monotonic() - began:.0f} s")


def _sets(folder: Path) -> dict[str, RecordedSet]:
    """By the name before the first point."""
    files = sorted(path for path in folder.iterdir() if ".jsonl" in path.suffixes)
    if not files:
        raise SystemExit(f"{folder}: no .jsonl or .jsonl.gz file; name a folder of data sets with DATA=FOLDER")
    return {path.name.partition(".")[0]: recorded_set(name_of(path), open_dataset(str(path))) for path in files}


def _found(sets: dict[str, RecordedSet]) -> Iterator[Found]:
    """Everything listed, policy by policy; the pictures show the last of a kind."""
    for policy in (HEURISTIC, LEARNED):
        for name, label, evaluate in (*_routing(policy), *_answers(policy)):
            if name in sets:
                yield from _told(sets[name], label, evaluate)


def _routing(policy: str) -> Iterator[Listed]:
    judged = evaluated_policy(Settings(), policy)
    router = judged.routing()
    for name, weak, strong in PAIRS:
        yield name, policy, partial(evaluate_routing, policy=router, weak=weak, strong=strong)
    if policy != HEURISTIC:  # which does not say how likely a model is right
        chooser = judged.success()
        for name, models in POOLS:
            yield name, policy, partial(evaluate_choice, policy=chooser, models=models, target=judged.target)


def _answers(policy: str) -> Iterator[Listed]:
    scorer = evaluated_policy(Settings(), policy).scorer()
    for name, model, second in ANSWERS:
        if second is None or policy != HEURISTIC:  # which reads no second answer
            yield name, policy, partial(evaluate_confidence, scorer=scorer, model=model, second=second)
    for name, weak, strong, second in CASCADES:
        yield name, policy, partial(evaluate_cascade, scorer=scorer, weak=weak, strong=strong, second=second)
    for name, panel, models, has_adaptive in PANELS:
        for adaptive in (False, True)[: 1 + has_adaptive]:
            label = f"{panel}{', adaptive' if adaptive else ''}; {policy}"
            yield name, label, partial(evaluate_ensemble, scorer=scorer, models=models, is_adaptive=adaptive)


def _told(data: RecordedSet, label: str, evaluate: Callable[[RecordedSet], Evaluation]) -> Iterator[Found]:
    """One evaluation; none where it cannot be made. Beside a second model, a heuristic cascade is one by agreement."""
    try:
        found = evaluate(data)
    except InvalidRequest as error:
        print(f"left out: {error}", file=sys.stderr)
        return
    if found.kind == "cascade" and "second" in found.asked and label == HEURISTIC:
        yield Found("both agree", found, found.reference(f"{found.asked['second']} agrees"))
    else:
        yield Found(label, found, found.policy)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "examples" / "data"))
