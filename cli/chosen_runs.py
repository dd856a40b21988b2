"""Which runs a command is about: one that is named, or those that meet conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain.errors import InvalidRequest
from .asked import calendar, conditions

if TYPE_CHECKING:
    from ..application.dates import Calendar
    from ..domain.filters import Condition
    from ..infrastructure.bootstrap import Orchestrator

RunOrNone = Annotated[str | None, typer.Argument(help="A run id, the beginning of one, or last; else give --where.")]


@dataclass(frozen=True, slots=True)
class ChosenRuns:
    """The run called `name`; None: those started between two dates that meet every condition."""

    name: str | None
    span: tuple[int, int]
    conditions: Sequence[Condition]

    @property
    def is_one(self) -> bool:
        """Whether a run was named."""
        return self.name is not None

    async def ids(self, orchestrator: Orchestrator) -> Iterable[str]:
        """Their ids, oldest first. Raises RunNotFound."""
        from ..application.runs import find_run
        from .output import say

        orchestrator.expect_runs()
        if self.name is not None:
            return [await find_run(orchestrator.store, self.name)]
        models = orchestrator.read_models
        models.tell = say
        return (row.run for row in models.runs(span=self.span, conditions=self.conditions, oldest_first=True))


def chosen_runs(
    what: str, where: Sequence[str] | None, since: str | None, until: str | None, zone: str, run: str | None
) -> ChosenRuns:
    """What the options say. Raises InvalidRequest where they say nothing, or a run and conditions."""
    from ..application.cost_reports import span_of
    from ..domain.filters import RUN_FIELDS

    if (run is None) == (not where and since is None and until is None):
        raise InvalidRequest(f"say what to {what}: either a run, or --where, --since or --until")
    reading: Calendar = calendar(zone)
    return ChosenRuns(run, span_of(reading.between(since, until)), conditions(where, RUN_FIELDS, reading))
