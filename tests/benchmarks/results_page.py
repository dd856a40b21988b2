"""The results as a page: a table for each kind of evaluation, and lists of where it does not help."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from model_orchestrator.application.evaluation.recorded_set import RecordedSet
from model_orchestrator.application.evaluation.report import Evaluation, Row
from model_orchestrator.cli.evaluate_table import FIGURES

INTRO = """# Results on recorded outcomes

Written by `make evaluate`; not edited by hand. Every figure is of real prompts and of real models' recorded answers and
grades (the README of `examples/data` says where they are from); nothing was asked. In brackets: 95 % intervals of 300
resamples of the prompts. `evaluate` gives each row alone with all its figures, also of a set of your own:

```bash
cat > own.jsonl <<'END'
{"id": "1", "prompt": "1 + 1?", "models": {"small": {"score": 1}, "big": {"score": 1}}}
{"id": "2", "prompt": "What is 17 times 23?", "models": {"small": {"score": 0}, "big": {"score": 1}}}
END
model-orchestrator evaluate routing --dataset own.jsonl --weak small --strong big --json > own.json
```
"""
LEARNED = """
`learned` is the weights shipped with the package. **They were trained on these prompts, but for those of
routellm_mtbench and wildbench: those rows show how well they remember, not what to expect of new prompts.** What they
reach on prompts that were held out is in [learning](learning.md) and [confidence](confidence.md).
"""
AT_THRESHOLD = (
    "at the threshold trained for the pair, else 0.7: the share sent on, quality and cost; 100 %: the least that keeps "
    "the strong model's quality, of the cost of always asking it, by the threshold that is best for these prompts"
)
TITLES = {
    "routing": ("Routing between two models", "length alone is the policy to beat: over length is the gain in APGR"),
    "choice": ("Routing among many models", "against the best single model"),
    "confidence": ("Confidence in an answer", "short first: AUROC of the answer's length, the shorter the better"),
    "cascade": ("Cascades", AT_THRESHOLD),
    "ensemble": ("Ensembles", "over best: against the best single member in this set; cost as a share of that one's"),
}
COLUMNS = {
    "routing": ("apgr", "apgr_over_length", "cpt50", "cpt80", "cost100"),
    "choice": ("quality", "quality_over_best", "usd_per_1000", "cost_share", "usd_at_best"),
    "confidence": ("auroc", "ece", "brier"),
    "cascade": ("auroc", "share", "quality", "cost_share", "cost100"),
    "ensemble": ("quality", "quality_over_best", "calls", "cost_share"),
}
HELPS: dict[str, tuple[str, Callable[[Row], bool]]] = {  # what is said of those that do not
    "routing": ("no better than prompt length beyond doubt", lambda row: _low(row, "apgr_over_length") > 0),
    "choice": ("below the best single model beyond doubt", lambda row: _high(row, "quality_over_best") >= 0),
    "confidence": ("does not tell right from wrong beyond doubt", lambda row: _low(row, "auroc") > 0.5),
    "cascade": ("saves nothing at the strong model's quality beyond doubt", lambda row: _saves(row)),
    "ensemble": ("no better than its best member beyond doubt", lambda row: _low(row, "quality_over_best") > 0),
}


@dataclass(frozen=True, slots=True)
class Found:
    """An evaluation, and what its policy is called on the page."""

    label: str
    evaluation: Evaluation
    row: Row


def page(sets: Sequence[RecordedSet], found: Sequence[Found], drawn: dict[str, str]) -> str:
    """The whole page. `drawn`: the picture of a kind."""
    parts = [INTRO, "| set | prompts | contaminated, left out |\n| --- | --- | --- |"]
    parts += [f"| {one.name} | {len(one.examples):,} | {one.left_out} |" for one in sets]
    parts += [_kind_of(sets)]
    if any("learned" in one.label for one in found):
        parts += [LEARNED.rstrip("\n")]
    for kind in TITLES:
        those = [one for one in found if one.evaluation.kind == kind]
        if those:
            parts += _section(kind, those, drawn.get(kind))
    return "\n".join(parts) + "\n"


def _kind_of(sets: Sequence[RecordedSet]) -> str:
    samples = sum(one.name.endswith(".sample") for one in sets)
    said = "samples of a few hundred prompts" if samples == len(sets) else "whole sets" if not samples else "both kinds"
    return f"\nThese are {said}: a name that ends in `.sample` is a sample."


def _section(kind: str, found: Sequence[Found], image: str | None) -> Iterator[str]:
    title, note = TITLES[kind]
    keys = [key for key in COLUMNS[kind] if any(key in one.row.figures for one in found)]
    extra = ["short first"] if kind == "confidence" else ["best single"] if kind in ("choice", "ensemble") else []
    heads = ["set", "models", "policy", *(FIGURES[key][0] for key in keys), *extra]
    yield f"\n## {title}\n\n{note[0].upper()}{note[1:]}.\n"
    yield f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}"
    for one in found:
        cells = [_set(one), _models(one.evaluation), one.label, *(_figure(one.row, key) for key in keys), *_extra(one)]
        yield f"| {' | '.join(cells)} |"
    said, helps = HELPS[kind]
    without = [f"{_set(one)}: {_models(one.evaluation)} ({one.label})" for one in found if not helps(one.row)]
    yield f"\nWhere it does not help ({said}): {'; '.join(without) or 'none of these'}."
    if image:
        yield f"\n![{title}](images/{image})"


def _set(one: Found) -> str:
    return one.evaluation.data.name.partition(".")[0]


def _models(found: Evaluation) -> str:
    asked = found.asked
    if found.kind == "confidence":
        return f"{asked['model']}" + (f" beside {asked['second']}" if "second" in asked else "")
    if "weak" in asked:
        return f"{asked['weak']} → {asked['strong']}" + (f", beside {asked['second']}" if "second" in asked else "")
    return f"{len(asked['models'])} models"


def _extra(one: Found) -> list[str]:
    """The reference beside it."""
    references = one.evaluation.references
    if one.evaluation.kind == "confidence":
        return [f"{references[0].figures['auroc']:.3f}"]
    if one.evaluation.kind in ("choice", "ensemble"):
        best = references[0]
        return [f"{best.name.removeprefix('always ')}: {best.figures['quality']:.3f}"]
    return []


def _figure(row: Row, key: str) -> str:
    if key not in row.figures or row.figures[key] != row.figures[key]:
        return ""
    form = FIGURES[key][1]
    said = form(row.figures[key])
    if key not in row.intervals or key == "calls":
        return said
    low, high = row.intervals[key]
    return f"{said} [{form(low)}, {form(high)}]"


def _saves(row: Row) -> bool:
    """Of a cascade by agreement, at its one point; its quality is for the reader to judge."""
    return _high(row, "cost100") < 1 if "cost100" in row.figures else _high(row, "cost_share") < 1


def _low(row: Row, key: str) -> float:
    return row.intervals[key][0] if key in row.intervals else 0.0


def _high(row: Row, key: str) -> float:
    return row.intervals[key][1] if key in row.intervals else 1.0
