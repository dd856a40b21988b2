"""`runs rescore`: another scorer's word on recorded answers, and how scorers agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain.errors import InvalidRequest
from .asked import Since, Until, Where, Zone
from .chosen_runs import RunOrNone, chosen_runs
from .options import AsJson, Config, Database, open_orchestrator
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..domain.units import Usd
    from ..infrastructure.rescoring import Rescored

EVERY = 1000  # runs from one line of progress to the next


def rescore(
    run: RunOrNone = None,
    scorer: Annotated[str | None, typer.Option("--scorer", help="heuristic-1, learned, or judge:MODEL.")] = None,
    report: Annotated[bool, typer.Option("--report", help="Only how the scores that there are agree.")] = False,
    max_cost: Annotated[str | None, typer.Option("--max-cost", help="The most all judging may cost, in USD.")] = None,
    by: Annotated[str, typer.Option("--by", help="Who asks for it.")] = "local",
    where: Where = None,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Score recorded answers anew, as events: no score is edited, and none is given twice by the same scorer.

    Says which runs would have gone on or stopped by the new scores, and how the scorers agree. A judge is asked in runs
    of their own (category rescore), so that budgets and reports count it.
    """
    import asyncio

    from ..application.run_options import label_of, max_cost_of
    from ..application.score_report import ScoreReport
    from ..infrastructure.rescoring import Rescoring, recorded_scores

    if (scorer is None) != report:
        raise InvalidRequest("say --scorer NAME to score anew, or --report to compare the scores that there are")
    chosen, author = chosen_runs("rescore", where, since, until, zone, run), label_of("by", by)
    limit = max_cost_of({"max_cost": max_cost}, None)
    found, totals = ScoreReport(), RescoreTotals()

    async def work() -> None:
        async with open_orchestrator(config, database) as orchestrator:
            ids = await chosen.ids(orchestrator)
            if scorer is None:
                async for one in recorded_scores(orchestrator, ids):
                    found.add(one.run, one.started_at)
                return
            scoring = await Rescoring.of(orchestrator, scorer, by=author, max_cost=limit)
            async for one in scoring.runs(ids):
                totals.add(one)
                found.add(one.run, one.started_at)
            totals.judged = {money.value: amount for money, amount in scoring.spent.items()}
            totals.stopped = scoring.stopped

    asyncio.run(work())
    rows = list(found.rows())
    if as_json:
        print_json({"totals": None if report else totals.to_dict(), "runs": totals.turned, "agreement": rows})
    else:
        if not report:
            totals.show()
        _print_agreement(rows)
    if totals.stopped is not None:
        say(f"judging stopped: {totals.stopped}")
        raise typer.Exit(1)


class RescoreTotals:
    """What came of it, run by run where a run would have turned."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("runs", "scored", "scored_before", "texts_gone", "unreadable"), 0)
        self.turned: list[dict[str, Any]] = []
        self.judged: dict[str, Usd] = {}
        self.stopped: str | None = None

    def add(self, one: Rescored) -> None:
        """Count a run."""
        for name, count in zip(self.counts, (1, len(one.new), one.known, one.gone, one.unread), strict=True):
            self.counts[name] += count
        if one.course is not None:
            self.turned.append(_turned(one))
        if self.counts["runs"] % EVERY == 0:
            say(f"{self.counts['runs']:,} runs scored")

    def to_dict(self) -> dict[str, Any]:
        """For JSON; USD as decimal strings."""
        from ..domain.units import plain

        turns = {f"would_have_{turn}": sum(one["turn"] == turn for one in self.turned) for turn in _TURNS}
        judged = {money: plain(amount) for money, amount in self.judged.items()}
        return {**self.counts, **turns, "judging_cost": judged, "stopped": self.stopped}

    def show(self) -> None:
        """For people."""
        rows = [
            (
                one["run_id"],
                str(one["attempt"]),
                f"{one['turn']}{' to ' + one['to_model'] if one['to_model'] else ''}",
                _usd(one["expected_cost"]),
                _usd(one["saved"]),
            )
            for one in self.turned
        ]
        if rows:
            print_table(("RUN", "ATTEMPT", "WOULD HAVE", "EXPECTED COST", "SAVED"), rows)
        counts = self.counts
        print(
            f"{counts['runs']:,} runs: {counts['scored']:,} answers scored, {counts['scored_before']:,} scored before, "
            f"{counts['texts_gone']:,} without their texts, {counts['unreadable']:,} judged without a readable score"
        )
        for money, amount in self.to_dict()["judging_cost"].items():
            print(f"judging cost ${amount} ({money})")


_TURNS = ("escalated", "stopped")


def _turned(one: Rescored) -> dict[str, Any]:
    from ..domain.units import plain

    course = one.course
    assert course is not None, "only a run that would have turned is listed"
    return {
        "run_id": one.run.id,
        "attempt": course.attempt,
        "turn": course.turn.value,
        "to_model": course.to_model,
        "expected_cost": None if course.expected_cost is None else plain(course.expected_cost),
        "saved": None if course.saved is None else plain(course.saved),
    }


def _usd(amount: str | None) -> str:
    return "unknown" if amount is None else f"${amount}"


def _print_agreement(rows: list[dict[str, Any]]) -> None:
    if not rows:
        print("no answer has the scores of two scorers")
        return
    print_table(
        ("RECORDED", "NEW", "MONTH", "ANSWERS", "MEAN DIFFERENCE", "CORRELATION", "OTHER SIDE OF THE THRESHOLD"),
        (
            (
                row["recorded"],
                row["new"],
                row["month"],
                f"{row['answers']:,}",
                f"{row['mean_difference']:+.3f}",
                "none" if row["correlation"] is None else f"{row['correlation']:.3f}",
                "none had one" if row["crossed"] is None else f"{row['crossed']:.1%}",
            )
            for row in rows
        ),
    )
