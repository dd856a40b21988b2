"""`runs replay`: recorded runs decided again, by the policy they had or by another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .asked import Since, Until, Where, Zone
from .chosen_runs import RunOrNone, chosen_runs
from .options import AsJson, Config, Database, open_orchestrator
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..application.replay_report import Checked, ReplayTotals
    from ..application.reroute import Rerouted, RerouteTotals

EVERY = 1000  # runs from one line of progress to the next


def replay(
    run: RunOrNone = None,
    where: Where = None,
    since: Since = None,
    until: Until = None,
    zone: Zone = "UTC",
    policy: Annotated[
        str | None, typer.Option("--policy", help="What another policy would have decided: its name, or a TOML file.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The decisions alone: no score is computed anew.")] = False,
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Decide runs again from their recorded events; exit 1 where a decision comes out differently. Nothing is sent.

    Scores are read from the log, and computed anew as a second check. A run whose policy, catalogue or events this
    build or database lacks is not replayable, never different.
    """
    import asyncio

    from ..application.replay import Verdict
    from ..application.replay_report import ReplayTotals, checked_dict
    from ..application.reroute import RerouteTotals
    from ..infrastructure.replay_many import checked_runs, rerouted_runs

    chosen = chosen_runs("replay", where, since, until, zone, run)
    totals, other, shown = ReplayTotals(), RerouteTotals(), list[dict[str, Any]]()

    async def decide_again() -> None:
        async with open_orchestrator(config, database) as orchestrator:
            ids = await chosen.ids(orchestrator)
            async for done in checked_runs(orchestrator, ids, scores=not quick):
                totals.add(done)
                _tell_progress(totals.runs, "replayed")
                if chosen.is_one or done.replayed.verdict is Verdict.DIFFERENT or (done.scores and done.scores.unequal):
                    shown.append(checked_dict(done))
                    if not as_json:
                        _print_checked(done)

    async def decide_otherwise(name: str) -> None:
        async with open_orchestrator(config, database) as orchestrator:
            ids = await chosen.ids(orchestrator)
            async for run_id, done in rerouted_runs(orchestrator, ids, name):
                other.add(done)
                _tell_progress(other.runs, "decided")
                if chosen.is_one or (not isinstance(done, str) and done.is_changed):
                    shown.append(_rerouted_dict(run_id, done))

    if policy is not None:
        asyncio.run(decide_otherwise(policy))
        _print_reroutes(shown, other, policy, as_json=as_json)
        return
    asyncio.run(decide_again())
    if as_json:
        print_json({"totals": totals.to_dict(), "runs": shown})
    elif not chosen.is_one:
        _say_totals(totals)
    if totals.verdicts[Verdict.DIFFERENT]:
        raise typer.Exit(1)


def _tell_progress(done: int, what: str) -> None:
    if done % EVERY == 0:
        say(f"{done:,} runs {what}")


def _print_checked(done: Checked) -> None:
    from ..application.replay_report import scores_text

    replayed = done.replayed
    words = replayed.verdict.value.replace("_", " ")
    print(f"{replayed.run} {words}: {replayed.why_not or f'{replayed.decisions} decisions'}")
    for one in replayed.differences:
        place = f"{one.type}.{one.field}" if one.field else one.type
        print(f"  event {one.version} ({place}): recorded {one.recorded!r}, decided {one.decided!r}")
    for note in replayed.notes:
        print(f"  {note}")
    if done.scores is not None:
        print(f"  {scores_text(done.scores)}")
        for score in done.scores.unequal:
            print(f"  {score.what}: recorded {score.recorded}, computed {score.again}")


def _say_totals(totals: ReplayTotals) -> None:
    from ..application.replay import Verdict
    from ..application.replay_report import scores_text

    counts = ", ".join(f"{totals.verdicts[one]:,} {one.value.replace('_', ' ')}" for one in Verdict)
    print(f"{totals.runs:,} runs: {counts}; {totals.decisions:,} decisions compared")
    for why, count in totals.why_not.most_common():
        print(f"  {count:,} not replayable: {why}")
    if totals.noted:
        print(f"  {totals.noted:,} whose texts are gone: decided from what the plan shows, as far as that goes")
    if totals.scores is not None:
        print(f"  {scores_text(totals.scores)}")


def _rerouted_dict(run_id: str, done: Rerouted | str) -> dict[str, Any]:
    from ..application.reroute import routing_dict

    if isinstance(done, str):
        return {"run_id": run_id, "why_not": done, "changed": False, "before": None, "after": None}
    sides = {"before": routing_dict(done.before), "after": routing_dict(done.after)}
    return {"run_id": run_id, "why_not": None, "changed": done.is_changed, **sides}


def _print_reroutes(shown: list[dict[str, Any]], totals: RerouteTotals, policy: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"policy": policy, "totals": totals.to_dict(), "runs": shown})
        return
    if rows := list(_reroute_rows(shown)):
        print_table(("RUN", "BEFORE", "EXPECTED", f"BY {policy}", "EXPECTED"), rows)
    counts = totals.to_dict()
    print(
        f"{counts['runs']:,} runs: {counts['changed']:,} decided otherwise, {counts['same']:,} the same, "
        f"{counts['not_decided']:,} not decided"
    )
    for money, sums in counts["expected_cost"].items():
        print(f"  expected cost of the first calls ({money}): ${sums['before']} before, ${sums['after']} after")
    for why, count in counts["why_not"].items():
        print(f"  {count:,} not decided: {why}")


def _reroute_rows(shown: list[dict[str, Any]]) -> Iterator[list[str]]:
    for one in shown:
        if one["why_not"] is None:
            yield [one["run_id"], *(word for side in ("before", "after") for word in _side(one[side]))]


def _side(routing: dict[str, Any]) -> tuple[str, str]:
    cost = routing["expected_cost"]
    models = " > ".join(routing["models"]) or "no model"
    return f"{routing['strategy']}: {models}", "unknown" if cost is None else f"${cost}"
