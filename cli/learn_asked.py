"""What `learn` is asked: what to learn from, which models, and where the weights go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest
from .asked import calendar, conditions
from .output import say

if TYPE_CHECKING:
    from ..domain.dataset import Example

Output = Annotated[Path, typer.Option("-o", "--output", help="The file for the weights.")]
Dataset = Annotated[str | None, typer.Option("--dataset", help="A data set, or several with commas between.")]
FromLog = Annotated[bool, typer.Option("--from-log", help="Learn from the labelled answers of the log.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAsked:
    """Whether to learn from the log, and from which of its runs."""

    from_log: bool
    since: str | None
    until: str | None
    zone: str
    where: list[str] | None


def lessons_asked(
    dataset: str | None, log: LogAsked, database: str | None, models: Collection[str] = ()
) -> tuple[list[str], Callable[[str], Iterable[Example]]]:
    """The names of what is learned from, and what opens each. Raises InvalidRequest where that is not said once."""
    from ..application.cost_reports import span_of
    from ..domain.filters import RUN_FIELDS
    from ..infrastructure.learning.from_log import MeantRuns, lessons

    if (dataset is None) != log.from_log:
        raise InvalidRequest("say what to learn from: either --dataset, or --from-log")
    if dataset is not None and (log.since or log.until or log.where):
        raise InvalidRequest("--since, --until and --where choose runs of the log: leave them out with --dataset")
    reading = calendar(log.zone)
    meant = MeantRuns(span_of(reading.between(log.since, log.until)), conditions(log.where, RUN_FIELDS, reading))
    names, opened = lessons(dataset, database=database, models=models, meant=meant)
    say(f"training on {', '.join(names)}: this takes from seconds to minutes")
    return names, opened


def models_asked(names: str | None) -> tuple[str, ...]:
    """The models named; none: all. Raises InvalidRequest for one that is named twice."""
    found = tuple(name.strip() for name in (names or "").split(",") if name.strip())
    if len(set(found)) < len(found):
        raise InvalidRequest(f"--models {names}: one is named twice")
    return found


def check_asked(output: Path, **shares: float | None) -> None:
    """Before anything is trained. Raises InvalidRequest for a file that cannot be there and a share outside 0 to 1."""
    if output.is_dir() or not output.parent.is_dir():
        raise InvalidRequest(f"--output {output}: expected a file in a folder that exists")
    for option, value in shares.items():
        if value is not None and not 0 < value < 1:
            raise InvalidRequest(f"--{option} is {value:g}: expected above 0 and below 1")
