"""What was said of recorded answers, as rows to learn from: a prompt, and of each model its newest labelled answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...application.decisions import answers
from ...application.recorded_texts import Texts, texts_of
from ...application.runs import load_run
from ...domain.catalogue import ModelName
from ...domain.dataset import Example, Outcome
from ...domain.errors import InvalidRequest
from ...domain.events import RunCompleted
from ...domain.filters import Condition
from ...domain.run import Run
from ...domain.units import Probability, fraction
from ...projections.run_report import ALWAYS, Range
from ..bootstrap import Orchestrator
from ..datasets import name_of, open_dataset
from ..providers.recorded import single_prompt
from ..settings import Settings

LOG = "log"  # what the rows are called beside the names of data sets
PAGE = 500  # events, runs


@dataclass(frozen=True, slots=True)
class MeantRuns:
    """Those that started in `span` and meet every condition; as it is, all."""

    span: Range = ALWAYS
    conditions: Sequence[Condition] = ()

    def ids(self, orchestrator: Orchestrator) -> Container[str] | None:
        """Their ids; None: all are meant."""
        if self == MeantRuns():
            return None
        return {row.run for row in orchestrator.read_models.runs(span=self.span, conditions=self.conditions)}


def lessons(
    dataset: str | None, *, database: str | None, models: Collection[ModelName] = (), meant: MeantRuns = MeantRuns()
) -> tuple[list[str], Callable[[str], Iterable[Example]]]:
    """The names of what is learned from, data sets or else the log, and what opens each.

    Of the log the runs that are meant, and only the prompts that every one of `models` has answered. Raises
    InvalidRequest for no name, or one that is there twice.
    """
    settings = Settings.load(database_url=database)
    if dataset is None:
        return [LOG], lambda name: asyncio.run(_read(settings, models, meant))
    names = [name.strip() for name in dataset.split(",") if name.strip()]
    if not names:
        raise InvalidRequest(f"--dataset {dataset!r} names no data set")
    titles = [name_of(Path(name)) for name in names]
    if twice := [title for title in titles if titles.count(title) > 1]:
        raise InvalidRequest(f"data set {twice[0]} is named twice: name each once")
    return names, partial(open_dataset, database_url=settings.database_url)


async def _read(settings: Settings, models: Collection[ModelName], meant: MeantRuns) -> list[Example]:
    async with Orchestrator(settings) as orchestrator:
        orchestrator.expect_runs()
        found = await labelled_examples(orchestrator, meant.ids(orchestrator))
    if not found:
        of = "in the log" if meant == MeantRuns() else "of the runs that are meant"
        raise InvalidRequest(f"no answer {of} has a label and its text: `feedback` and `expect` give labels")
    kept = [one for one in found if set(models) <= one.outcomes.keys()]
    if not kept:
        raise InvalidRequest(f"no prompt in the log has a labelled answer of each of {', '.join(models)}")
    return kept


async def labelled_examples(orchestrator: Orchestrator, only: Container[str] | None = None) -> list[Example]:
    """Every single prompt with labelled answers whose texts are kept; of the runs `only`, or of all.

    Simulated answers teach nothing and are left out. The latest label of an answer stands, whoever gave it.
    """
    rows: dict[str, Example] = {}
    async for run_ids in _labelled(orchestrator):
        meant = [run_id for run_id in run_ids if only is None or run_id in only]
        runs = [(await load_run(orchestrator.log, run_id)).run for run_id in meant]
        runs = [run for run in runs if run.started and run.started.provider != "simulated"]
        for run, texts in zip(runs, await texts_of(orchestrator.log, runs), strict=True):
            prompt = single_prompt(texts.request) if texts.request else None
            if prompt is not None and (outcomes := _outcomes(run, texts)):
                known = rows[prompt].outcomes if prompt in rows else {}
                rows[prompt] = _example(run.id, prompt, {**known, **outcomes})
    return list(rows.values())


async def _labelled(orchestrator: Orchestrator) -> AsyncIterator[list[str]]:
    """The runs that have feedback, each once, in the order of their first, some at a time."""
    after, seen = 0, set[str]()
    while page := await orchestrator.store.read_all(after=after, limit=PAGE, types=("FeedbackGiven",)):
        new = [run_id for run_id in dict.fromkeys(event.stream for event in page) if run_id not in seen]
        yield new
        seen.update(new)
        after = page[-1].position


def _outcomes(run: Run, texts: Texts) -> dict[ModelName, Outcome]:
    found = {}
    ended = run.ended.attempt if isinstance(run.ended, RunCompleted) else None
    said: dict[int | None, Probability] = {
        ended if one.attempt is None else one.attempt: one.value for one in run.feedback
    }
    for attempt in answers(run):
        answer, value = texts.answers.get(attempt.number), said.get(attempt.number)
        if answer is None or value is None:
            continue
        found[attempt.model] = Outcome(
            score=fraction(value),
            text=answer.text,
            input_tokens=answer.usage.input_tokens if answer.usage else None,
            output_tokens=answer.usage.output_tokens if answer.usage else None,
            cost=attempt.spent,
        )
    return found


def _example(id_: str, prompt: str, outcomes: dict[ModelName, Outcome]) -> Example:
    return Example(
        id=id_, task=None, prompt=prompt, reference=None, input_tokens=None, contaminated=False, outcomes=outcomes
    )
