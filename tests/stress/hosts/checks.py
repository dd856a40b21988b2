"""The rows of the table: what was asserted, what was counted, and whether it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from model_orchestrator.domain.budget import NOTHING, key_scope, less, total
from model_orchestrator.domain.events import AttemptStarted, ModelCalled, RunClaimed
from model_orchestrator.domain.run import AttemptStatus, RunStatus
from model_orchestrator.domain.units import MILLION, Usd, plain, usd

from .books import Books, answered, day_of, is_late, most_in_a_minute, started_at
from .clients import LIMITED, LOST, Asked
from .network import HOSTS
from .services import LIMIT

OF_THE_PROVIDER = frozenset(("bad_request", "context_length_exceeded", "overloaded", "breaker", "time_out"))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    asserted: str
    counted: str
    holds: bool


def rows(books: Books, limits: Mapping[str, Usd]) -> Iterator[Row]:
    """Every check of the load. `limits` are the budgets in USD: `poor` in all, `daily` a day."""
    yield from clients_hear(books.asked)
    checks: Sequence[Callable[[Books], Iterator[Row]]] = (
        answers_are_the_logs, one_run_a_key, nothing_twice, late, rates,
    )  # fmt: skip
    for check in checks:
        yield from check(books)
    yield poor(books, limits["poor"])
    yield daily(books, limits["daily"])
    yield Row(
        "the books of log, balances and provider agree",
        said(books.money.problems, "problems"),
        not books.money.problems,
    )


def clients_hear(asked: Sequence[Asked]) -> Iterator[Row]:
    """Retries, and in the end something final."""
    tries = sum(one.tries - 1 for one in asked)
    slowest = max(one.seconds for one in asked)
    without = [one for one in asked if one.status is None]
    yield Row(
        "each question ends within its client's patience",
        f"{len(asked):,} asked, {tries:,} asked again, slowest {slowest:.1f} s, {len(without)} without an end",
        not without and tries > 0,
    )
    final = Counter(_heard(one) for one in asked if one.error is not None)
    yield Row(
        "no final error but the provider's and the limits'",
        ", ".join(f"{count:,} {name}" for name, count in sorted(final.items())) or "none",
        not any(name.startswith("OTHER") for name in final),
    )


def _heard(asked: Asked) -> str:
    """A final error, in words."""
    if asked.status in (402, 429):
        return "refused by a budget" if asked.status == 402 else "refused by a rate"
    if asked.status == 502 or asked.error in OF_THE_PROVIDER:
        return "faults of the provider"
    if asked.streamed and asked.error == LOST:
        return "streams lost with their worker, and asked anew"
    return f"OTHER: {asked.status} {asked.error}"


def answers_are_the_logs(books: Books) -> Iterator[Row]:
    """What a client was told is what the log says."""
    heard = [one for one in books.asked if one.status == 200]
    wrong = [
        one.mark for one in heard
        if (run := books.runs.get(one.run or "")) is None
        or run.run.status is not RunStatus.COMPLETED
        or books.marks.get(run.run.id) != one.mark
        or books.texts.get(run.run.id) != one.text
    ]  # fmt: skip
    yield Row("each answer heard is its run's in the log", f"{len(heard):,} heard, {said(wrong, 'wrong')}", not wrong)
    left = [run.run.id for run in books.runs.values() if run.run.status is RunStatus.RUNNING]
    yield Row("each run has ended", f"{len(books.runs):,} runs, {said(left, 'under way')}", not left)


def one_run_a_key(books: Books) -> Iterator[Row]:
    """A key sent to three hosts at once pays once."""
    twins = [one for one in books.asked if one.kind == "twins"]
    told: dict[str, set[tuple[str | None, str | None]]] = {}
    for one in twins:
        if one.status == 200:
            told.setdefault(one.mark, set()).add((one.run, one.text))
    differ = [mark for mark, answers in told.items() if len(answers) > 1]
    runs = books.of_kind("twins")
    again = [run.run.id for run in runs if len(answered(run)) > 1]
    # A call that was lost with its host is made once more; its own answer may come after all.
    twice = [run for run in again if not any(is_late(books.runs[run], entry) for entry in books.runs[run].events)]
    yield Row(
        "a key sent to three hosts at once pays once",
        f"{len(told):,} keys, {len(twins):,} requests, {said(differ, 'with two answers')}, "
        f"{said(twice, 'paid twice')}, {len(again) - len(twice)} once more for a call that was lost",
        bool(told) and not differ and not twice and len(books.marks) == len(books.runs),
    )


def nothing_twice(books: Books) -> Iterator[Row]:
    """No call whose answer was in the log was started again, and none was sent that the log does not know."""
    again = [run.run.id for run in books.runs.values() if _is_asked_again(run.events)]
    calls = books.calls_by_mark()
    known = {books.marks[run]: logged for run, logged in books.runs.items()}
    unknown = [mark for mark in calls if mark not in known]
    more = [mark for mark, sent in calls.items() if mark in known and len(sent) > len(known[mark].run.attempts)]
    ids = [one.provider_request_id for run in books.runs.values() for _, one in answered(run)]
    shared = len(ids) - len(set(ids))
    yield Row(
        "nothing answered is paid twice",
        f"{len(books.calls):,} calls, {len(ids):,} answers; {said(again, 'asked again')}, "
        f"{said(more, 'sent too often')}, {said(unknown, 'unrecorded')}, {shared} bills for two answers",
        not (again or more or unknown or shared),
    )


def _is_asked_again(events: Sequence[object]) -> bool:
    """Whether a call was started behind its own answer."""
    purposes: dict[int, tuple[str, str]] = {}
    has_answer: set[tuple[str, str]] = set()
    for entry in events:
        event = entry.event  # type: ignore[attr-defined]
        if isinstance(event, AttemptStarted):
            call = (event.model, event.purpose.value)
            if call in has_answer:
                return True
            purposes[event.attempt] = call
        elif isinstance(event, ModelCalled):
            has_answer.add(purposes[event.attempt])
    return False


def taken_over(books: Books, unwell: Mapping[str, Sequence[tuple[float, float]]]) -> Row:
    """Runs of the host that was cut off, of the one that was killed and of the one that stood still; of no other."""
    taken: Counter[str] = Counter()
    wrongly: list[str] = []
    for run in books.runs.values():
        first = run.run.started
        holder = _host(first.worker) if first else ""
        for entry in run.events:
            if isinstance(entry.event, RunClaimed):
                at = entry.envelope.recorded_at / MILLION - books.ahead
                taken[holder] += 1
                if not any(begin <= at <= end for begin, end in unwell[holder]):
                    wrongly.append(run.run.id)
                holder = _host(entry.event.worker)
    ended = Counter(run.run.status.value for run in books.runs.values() if run.run.claim is not None)
    return Row(
        "runs are taken over from hosts that are unwell, and from no other",
        ", ".join(f"{count} of {host}" for host, count in sorted(taken.items()))
        + f", {said(wrongly, 'of one that was well')}; they ended as "
        + ", ".join(f"{count} {name}" for name, count in sorted(ended.items())),
        set(taken) == set(HOSTS) and not wrongly,
    )


def _host(worker: str) -> str:
    return worker.split(":", maxsplit=1)[0]


def late(books: Books) -> Iterator[Row]:
    """An answer that came when its run was another's already is kept, with its cost."""
    found = [run.run for run in books.runs.values() if any(is_late(run, entry) for entry in run.events)]
    free = [
        run.id
        for run in found
        if any(one.status is AttemptStatus.ANSWERED and one.cost is None for one in run.attempts)
    ]
    yield Row(
        "late outcomes are kept, with their cost",
        f"{len(found)} kept, {said(free, 'without cost')}",
        bool(found) and not free,
    )


def rates(books: Books) -> Iterator[Row]:
    """Of a model, counted by the provider; of a key, by the log."""
    most = most_in_a_minute([call.at for call in books.calls if call.model == LIMITED])
    yield Row(f"{LIMITED} takes {LIMIT} calls a minute", f"at most {most} came in any 60 s", 0 < most <= LIMIT)
    most = most_in_a_minute([started_at(run) / MILLION for run in books.of_kind("hasty")])
    refused = sum(one.status == 429 for one in books.asked if one.kind == "hasty")
    yield Row(
        f"a key has {LIMIT} requests a minute",
        f"at most {most} were let in in any 60 s, {refused} refused",
        0 < most <= LIMIT and refused > 0,
    )


def poor(books: Books, limit: Usd) -> Row:
    """A key's budget is a cap, by the provider's own bill."""
    billed = books.billed(books.of_kind("poor"))
    settled = total(usd(one.settled) for one in books.balances if one.scope == key_scope("poor"))
    refused = sum(one.status == 402 for one in books.asked if one.kind == "poor")
    over = max(NOTHING, less(billed, limit))
    return Row(
        f"a key's budget of ${plain(limit)} is a cap",
        f"${plain(billed)} billed, ${plain(settled)} settled, {refused} refused, overshoot ${plain(over)}",
        not over and refused > 0,
    )


def daily(books: Books, limit: Usd) -> Row:
    """Two days, each with its own limit, whatever the hosts' clocks say."""
    days: dict[str, Usd] = {}
    for run in books.of_kind("daily"):
        day = day_of(started_at(run))
        days[day] = total((days.get(day, NOTHING), books.billed([run])))
    over = total(max(NOTHING, less(billed, limit)) for billed in days.values())
    kept = {one.period_key: usd(one.settled) + usd(one.held) for one in books.balances if one.period == "day"}
    right = all(billed <= kept.get(day, NOTHING) <= limit for day, billed in days.items())
    return Row(
        f"a budget of ${plain(limit)} a day is a cap on each day",
        ", ".join(f"${plain(billed)} billed on {day}" for day, billed in sorted(days.items()))
        + f", overshoot ${plain(over)}",
        len(days) == 2 and not over and right,
    )


def said(found: Sequence[str], what: str) -> str:
    """How many, and the first few by name."""
    named = f" ({', '.join(found[:3])})" if found else ""
    return f"{len(found)} {what}{named}"


def table(all_rows: Sequence[Row]) -> str:
    """For people."""
    width = max(len(row.asserted) for row in all_rows)
    return "\n".join(f"{'pass' if row.holds else 'FAIL'}  {row.asserted:<{width}}  {row.counted}" for row in all_rows)
